"""A review server on rendered cells, and a browser that looks at its page."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # benchmarks are no part of the installed package

COUNTS = {"SNE": 14, "LY": 9, "MO": 4, "EO": 2, "BNE": 3}
SLIDES = 40
"""Of the server that tests share: each test takes its own."""
N_WRONG = 4
PASSWORD = "rendered cells only"
READER = "Rita Reader"
"""Who reads where there are no accounts; with None the page asks."""
STARTS_WITHIN_S = 180


@dataclass
class Server:
    """A running `buffycoat review`.

    Attributes:
        command: That started it.
        port: Where it listens.
        slides: What it shows.
        process: Of the server; None while it is stopped.
    """

    command: list[str]
    port: int
    slides: Any
    log: Path
    process: subprocess.Popen | None = None
    free: list[int] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=out)
        end = time.monotonic() + STARTS_WITHIN_S
        while not self._answers():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.1)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        """Ask it to end; its coverage is written then."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(STARTS_WITHIN_S)
            self.process = None

    def take_slide(self) -> int:
        """Number of a slide that no other test has touched."""
        return self.free.pop(0)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}api/v1/session", timeout=5):
                return True
        except (OSError, urllib.error.HTTPError):
            return False


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def _command(*arguments: str) -> list[str]:
    run = "from buffycoat.cli.main import app; app()"
    return [sys.executable, "-c", run, "review", *arguments]


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Rendered slides with predictions; each has `N_WRONG` wrong cells, which are doubtful."""
    from benchmarks.review_slides import render_slides

    names = {f"S-{number:02d}": COUNTS for number in range(1, SLIDES + 1)}
    return render_slides(tmp_path_factory.mktemp("slides"), names, N_WRONG, n_drawn=4)


@pytest.fixture(scope="session")
def serve(slides: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts a server on a database of its own."""
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    started: list[Server] = []

    def start(
        *options: str,
        users: tuple[tuple[str, str], ...] = (),
        of: Any = slides,
        reader: str | None = READER,
    ) -> Server:
        folder = tmp_path_factory.mktemp("review")
        database = f"sqlite:///{folder / 'review.sqlite'}"
        for name, roles in users:
            _add_user(database, name, roles)
        port = _free_port()
        command = _command(
            str(of.predictions), "--images", str(of.images), "--database", database,
            "--port", str(port), "--no-browser", *options,
        )  # fmt: skip
        if not users and reader is not None:
            command += ["--reader", reader]
        server = Server(command, port, of, folder / "log.txt", free=list(range(1, SLIDES + 1)))
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def serve_as(tmp_path: Path) -> Iterator[Callable[[list[str]], str]]:
    """Starts `buffycoat review` with these words in the working folder; returns the address."""
    pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
    started: list[Server] = []

    def start(words: list[str]) -> str:
        port = _free_port()
        command = _command(*words, "--port", str(port), "--no-browser")
        started.append(Server(command, port, None, tmp_path / "review.log"))
        started[-1].start()
        return started[-1].url

    yield start
    for server in started:
        server.stop()


def _add_user(database: str, name: str, roles: str) -> None:
    each = [word for role in roles.split() for word in ("--role", role)]
    subprocess.run(
        _command("users", "add", name, *each, "--database", database),
        env={**os.environ, "BUFFYCOAT_REVIEW_PASSWORD": PASSWORD}, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def alone(serve: Callable[..., Server]) -> Server:
    """A server for one user."""
    return serve()


ACCOUNTS = (
    ("ada", "admin"), ("anna", "reader"), ("ben", "reader"), ("cleo", "reader signer"),
)  # fmt: skip


@pytest.fixture(scope="session")
def together(serve: Callable[..., Server]) -> Server:
    """A server for several users, with a second reader."""
    return serve("--second-reader", users=ACCOUNTS)


@pytest.fixture(scope="session")
def one_reader(serve: Callable[..., Server]) -> Server:
    """A server for several users, where one reads a slide."""
    return serve(users=ACCOUNTS)


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens a page in a window of its own; at the end no page may have had an error.

    What a test provokes, a lost server or an ended session, it names in `page.expected`.
    """
    contexts, pages = [], []

    def open_(url: str, **options: Any) -> Any:
        usual = {"viewport": {"width": 1280, "height": 800}, "service_workers": "block"}
        options = {**usual, **options}  # a service worker's requests pass by `page.route`
        context = browser.new_context(**options)
        contexts.append(context)
        return watch(context.new_page(), url)

    def watch(page: Any, url: str) -> Any:
        page.errors, page.expected = [], ()
        page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        pages.append(page)
        page.set_default_timeout(10_000)
        page.goto(url)
        return page

    open_.watch = watch
    yield open_
    faults = [
        text for page in pages for text in page.errors
        if not any(known in text for known in page.expected)
    ]  # fmt: skip
    for context in contexts:
        context.close()
    assert not faults


@pytest.fixture
def wait_until() -> Callable[[Any, str], None]:
    """Waits for a script to be true; Playwright's own way needs `unsafe-eval` in the page."""

    def wait(page: Any, script: str) -> None:
        end = time.monotonic() + 10
        while not page.evaluate(script):
            assert time.monotonic() < end, script
            page.wait_for_timeout(50)

    return wait


@pytest.fixture
def open_slide(alone: Server, open_page: Callable[..., Any]) -> Callable[..., Any]:
    """Opens an untouched slide as the first reader."""

    def open_(**options: Any) -> Any:
        page = open_page(f"{alone.url}#/slides/{alone.take_slide()}/first", **options)
        page.wait_for_selector(".cell")
        return page

    return open_


@pytest.fixture
def log_in() -> Callable[..., None]:
    """Fills in the login form."""

    def log_in_(page: Any, name: str, password: str = PASSWORD) -> None:
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Log in").click()

    return log_in_
