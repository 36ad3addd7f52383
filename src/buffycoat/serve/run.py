"""Start the server: bind, say where, and serve until it is told to stop."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

import uvicorn

from buffycoat.errors import OutputError
from buffycoat.serve.app import make_app
from buffycoat.serve.review import Review

PROXIES = "FORWARDED_ALLOW_IPS"
"""uvicorn's environment variable: addresses of proxies whose X-Forwarded-For is believed."""
GRACE_S = 5
"""How long requests under way may take when the server is told to stop."""


def bind(host: str, port: int) -> socket.socket:
    """The socket to listen on.

    Raises:
        OutputError: The address is taken, or not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small answers at once (TCP_NODELAY) only if the protocol is named here; else
    # every answer waits 40 ms for the acknowledgement of its head.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, *_alone())
    try:
        found.bind((host.strip("[]"), port))
    except OSError as error:
        found.close()
        raise OutputError(
            f"--host {host} --port {port}: cannot be listened on ({error.strerror or error}). "
            "Another server may run there: choose another --port"
        ) from error
    return found


def _alone() -> tuple[int, int]:
    """The option by which a port is taken again at once, and by one server only."""
    if sys.platform == "win32":  # there SO_REUSEADDR lets two servers share a port
        return socket.SO_EXCLUSIVEADDRUSE, 1
    return socket.SO_REUSEADDR, 1


def serve(review: Review, listening: socket.socket, when_started: Callable[[], None]) -> None:
    """Serve until interrupted.

    Args:
        review: What is served.
        listening: From `bind`.
        when_started: Called once requests are answered.
    """
    certfile, keyfile = review.settings.certificate or (None, None)
    config = uvicorn.Config(
        make_app(review),
        log_level="warning",
        access_log=False,  # a proxy's own log has what is needed; URLs hold no names either
        server_header=False,
        proxy_headers=review.settings.is_behind_proxy,
        forwarded_allow_ips=os.environ.get(PROXIES, "127.0.0.1,::1"),
        ssl_certfile=certfile,
        ssl_keyfile=keyfile,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=500,
    )
    server = _Server(config, when_started)
    server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """Says when it has started."""

    def __init__(self, config: uvicorn.Config, when_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_started = when_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_started()
