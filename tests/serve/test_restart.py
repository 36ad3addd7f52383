"""The database goes away and comes back; the server does too, without notice."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from buffycoat.serve import schema
from buffycoat.serve.database import Store
from buffycoat.serve.log_check import check

KILLS = 3
DEADLINE_S = 40


@contextlib.contextmanager
def server(url: str, reviewed: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The real command, in a process of its own."""
    words = ["review", str(reviewed / "cells.parquet"), "--images", str(reviewed / "cells")]
    words += ["--database", url, "--port", str(port), "--no-browser"]
    code = "import sys; from buffycoat.cli.main import app; sys.argv[0] = 'buffycoat'; app()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        assert process.stderr is not None
        process.stderr.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Reader:
    """Decides without pause, and notes what was acknowledged; sends again what was not."""

    def __init__(self, base: str, cells: list[int], role: str = "first") -> None:
        self.base, self.cells, self.role = base, cells, role
        self.accepted: dict[str, tuple[int, int, str]] = {}
        self.sent: dict[str, tuple[int, str]] = {}
        self.last: dict[int, int | None] = dict.fromkeys(cells)

    def work(self, until: float, pause: threading.Event) -> None:
        rng = random.Random(self.cells[0])
        with httpx.Client(base_url=self.base, timeout=5) as client:
            csrf, waiting = "", None
            while time.monotonic() < until and not pause.is_set():
                try:
                    if not csrf:
                        csrf = client.get("/session").json()["csrf"]
                    n, label = (
                        waiting[1:] if waiting else (rng.choice(self.cells), rng.choice(LABELS))
                    )
                    name = waiting[0] if waiting else uuid.uuid4().hex
                    waiting = (name, n, label)
                    self.sent[name] = (n, label)
                    one = {"client_id": name, "cell": n, "role": self.role, "label": label,
                           "expects": self.last[n]}  # fmt: skip
                    answer = client.post(
                        "/decisions", json={"decisions": [one]}, headers={"X-CSRF-Token": csrf}
                    )
                    if answer.status_code != 200:
                        time.sleep(0.05)
                        continue
                    (done,) = answer.json()["accepted"]
                    self.accepted[name] = (done["seq"], n, label)
                    self.last[n], waiting = done["seq"], None
                except httpx.HTTPError:
                    time.sleep(0.05)


LABELS = ("SNE", "LY", "MO", "BL")


def wait_for(base: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        if process.poll() is not None:
            assert process.stderr is not None
            raise AssertionError(process.stderr.read().decode())
        try:
            if httpx.get(f"{base}/session", timeout=2).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


@pytest.mark.slow
def test_killed_at_random_every_acknowledged_decision_is_there(url: str, reviewed: Path) -> None:
    port = free_port()
    base = f"http://127.0.0.1:{port}/api/v1"
    rng = random.Random(1)
    readers: list[Reader] = []
    for turn in range(KILLS + 1):
        with server(url, reviewed, port) as process:
            wait_for(base, process)
            if not readers:
                csrf = httpx.get(f"{base}/session").json()["csrf"]
                for slide in (1, 2):
                    sent = {"X-CSRF-Token": csrf}
                    path = f"{base}/slides/{slide}/readings"
                    httpx.post(path, json={"role": "first"}, headers=sent).raise_for_status()
                    found = httpx.get(f"{base}/slides/{slide}/cells?role=first").json()["cells"]
                    numbers = [cell["n"] for cell in found]
                    readers += [Reader(base, numbers[:5]), Reader(base, numbers[5:])]
            pause = threading.Event()
            until = time.monotonic() + 30
            threads = [threading.Thread(target=r.work, args=(until, pause)) for r in readers]
            for thread in threads:
                thread.start()
            time.sleep(rng.uniform(0.3, 1.5))
            if turn < KILLS:
                os.kill(process.pid, signal.SIGKILL)
            time.sleep(0.2)
            pause.set()
            for thread in threads:
                thread.join(30)
        _check(url, readers)
    assert sum(len(reader.accepted) for reader in readers) > 20


def _check(url: str, readers: list[Reader]) -> None:
    """All that was acknowledged is on record once, and all on record was sent."""
    store = Store(url)
    with store.reading() as reader:
        found = check(reader)
        assert found.is_whole, found.faults
        rows = reader.execute(schema.log.select().where(schema.log.c.kind == "decided")).all()
    store.close()
    by_client: dict[str, Any] = {row.client_id: row for row in rows}
    assert len(by_client) == len(rows)
    for one in readers:
        for name, (seq, n, label) in one.accepted.items():
            row = by_client[name]
            assert (row.seq, row.cell) == (seq, n)
            assert json.loads(row.body)["data"]["label"] == label
        stored = [row for row in rows if row.cell in one.last]
        assert {row.client_id for row in stored} <= one.sent.keys()
        # What was stored and not acknowledged: the next turn begins from it, as a page does.
        for row in stored:
            one.last[row.cell] = max(one.last[row.cell] or 0, row.seq)


@pytest.mark.slow
def test_postgres_restarts_mid_work(cluster: Any, serve: Any, store: Store) -> None:
    if store.is_sqlite:
        pytest.skip("SQLite has no server")
    client = serve().client()
    client.take(1)
    n = client.cells(1)[0]["n"]
    (done,) = client.decide(("decision-1", n, "MO", None))["accepted"]
    cluster.stop("immediate")  # a crash, not an orderly end
    body = {"decisions": [{"client_id": "decision-2", "cell": n, "role": "first", "label": "BL",
                           "expects": done["seq"]}]}  # fmt: skip
    sent = {"X-CSRF-Token": client.csrf}
    answer = client.http.post("/api/v1/decisions", json=body, headers=sent)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
    assert answer.headers["retry-after"]
    cluster.start()
    answer = client.http.post("/api/v1/decisions", json=body, headers=sent)
    assert len(answer.json()["accepted"]) == 1
    assert client.cells(1)[0]["label"] == "BL"
    assert client.get("/log/check")["is_whole"]
