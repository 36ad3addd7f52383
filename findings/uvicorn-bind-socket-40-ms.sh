#!/usr/bin/env bash
# uvicorn and asyncio: on a listening socket that uvicorn binds itself, every answer takes 40 ms longer.
#
# Guess before running: asyncio sets TCP_NODELAY on every TCP connection since Python 3.6, so it does not matter who
# made the listening socket.
# What it does: asyncio sets it only where `socket.proto` is IPPROTO_TCP, and a socket made without a protocol, as
# `socket.socket()` and uvicorn's own `Config.bind_socket` (used with --workers and --reload) make it, has proto 0;
# accepted connections inherit that. Head and body of an answer are two small packets, and the second waits for the
# client's delayed acknowledgement of the first: about 40 ms on Linux, on loopback too.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check uvicorn==0.54.0 h11==0.16.0 click==8.5.1
"$box/venv/bin/python" - <<'E'
import http.client
import socket
import statistics
import sys
import threading
import time

import uvicorn


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def milliseconds(listening):
    """Median of 30 requests on one connection."""
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    client = http.client.HTTPConnection(*listening.getsockname())
    times = []
    for _ in range(30):
        begin = time.perf_counter()
        client.request("POST", "/", b"x")
        client.getresponse().read()
        times.append(1000 * (time.perf_counter() - begin))
    client.close()
    server.should_exit = True
    thread.join()
    return statistics.median(times)


bound = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error").bind_socket()
named = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
named.bind(("127.0.0.1", 0))
assert (bound.proto, named.proto) == (0, socket.IPPROTO_TCP), "changed"
slow, fast = milliseconds(bound), milliseconds(named)
print(f"Python {sys.version.split()[0]}, uvicorn {uvicorn.__version__}: median answer {slow:.1f} ms on the socket that "
      f"uvicorn binds, {fast:.1f} ms on one made with IPPROTO_TCP")
assert slow > 30 > fast, "changed"
E
