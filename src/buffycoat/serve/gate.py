"""What every request passes before anything else looks at it, and what every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse

from buffycoat.serve import health
from buffycoat.serve.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE = ("GET", "HEAD", "OPTIONS")
MOST_BYTES = 1_000_000
"""Of the body of a request: 500 decisions are 100 kB."""
POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'; object-src 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class Gate:
    """Refuses other hosts and origins, and bodies that are too large; adds the usual headers.

    A foreign Host header is refused on loopback too: else a page of a stranger could have its own
    name lead to this machine, and read what only this machine may (DNS rebinding). The health
    check alone may use any name: it is asked by address, and tells nothing.

    Args:
        app: What comes after it.
        settings: Of the server.
    """

    def __init__(self, app: App, settings: Settings) -> None:
        self.app = app
        self.hosts, self.origins = settings.hosts, settings.origins
        self.headers = dict(HEADERS)
        if settings.is_public:
            self.headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # there are no web sockets

        async def carry(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    added.setdefault(name, value)
                added.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, carry)
            return
        await self.app(scope, _limited(receive), carry)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if scope["path"] != health.PATH and host not in self.hosts:
            return answer(
                400, "host", "this server has another name; open it by the address that it printed"
            )
        length = headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > MOST_BYTES:
            return answer(413, "too_large", f"a request may have {MOST_BYTES} bytes")
        if scope["method"] not in SAFE:
            origin = headers.get("origin")
            site = headers.get("sec-fetch-site", "same-origin")
            if (origin is not None and origin.lower() not in self.origins) or site not in (
                "same-origin",
                "none",
            ):
                return answer(403, "origin", "the request comes from another site's page")
        return None


def _limited(receive: Receive) -> Receive:
    """A body without a stated length ends where it gets too large."""
    seen = 0

    async def limited() -> MutableMapping[str, Any]:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MOST_BYTES:
            return {"type": "http.disconnect"}
        return message

    return limited


def answer(
    status: int, code: str, message: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    """An error as the API has it."""
    return JSONResponse({"error": {"code": code, "message": message}}, status, headers)
