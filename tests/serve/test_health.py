"""The health check: of a container, asked by address and without a login."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from buffycoat.serve import health
from buffycoat.serve.app import make_app
from buffycoat.serve.run import bind

PUBLIC = {
    "host": "0.0.0.0",
    "origins": frozenset({"https://review.example.org"}),
    "secret": "s" * 32,
    "is_behind_proxy": True,
}


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: none of this differs with the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def test_it_needs_neither_login_nor_the_server_s_name(serve: Callable[..., Any]) -> None:
    http = serve(**PUBLIC).client().http
    answer = http.get(health.PATH, headers={"Host": "127.0.0.1:8642"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert http.get("/api/v1/session", headers={"Host": "127.0.0.1:8642"}).status_code == 400
    assert health.PATH not in make_app(serve(**PUBLIC, add=False).review).app.openapi()["paths"]


def test_a_database_that_does_not_answer_is_not_healthy(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()

    def gone() -> Any:
        raise OperationalError("SELECT 1", None, Exception("gone"))

    client = served.client()
    monkeypatch.setattr(served.store, "reading", gone)
    assert client.http.get(health.PATH).status_code == 503


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Makes a server that answers one request with some bytes; gives its URL."""
    listening = bind("127.0.0.1", 0)
    listening.listen()

    def start(data: bytes) -> str:
        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(data)

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listening.getsockname()[1]}{health.PATH}"

    yield start
    listening.close()


@pytest.mark.parametrize(
    ("data", "healthy"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\n\r\n", False),
        (b"no HTTP\r\n\r\n", False),
    ],
)
def test_the_command_of_the_container(
    answering: Callable[[bytes], str], data: bytes, healthy: bool
) -> None:
    url = answering(data)
    done = subprocess.run([sys.executable, "-m", "buffycoat.serve.health", url], timeout=30)
    assert done.returncode == (0 if healthy else 1)


def test_nobody_there_is_not_healthy() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert not health.is_healthy(f"http://127.0.0.1:{port}{health.PATH}")
