"""The review server with many readers at once, and killed at random moments under that load.

    python -m benchmarks.review_load --out benchmarks/results/review
    python -m benchmarks.review_load --kill 50 --out benchmarks/results/review

40 readers, each with an account, read slides of 200 cells for some minutes: open a slide, look at
pictures, decide cell by cell with pauses (exponential, 1 s on average), finish. Measured are the
times that a reader waits for a decision and for the cells of a slide; afterwards the log is
compared with what was sent: nothing that was acknowledged may be lost, nothing stored twice.
SQLite, and a PostgreSQL server that is started for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
from benchmarks.postgres import Cluster, free_port, programs
from benchmarks.review_reader import PASSWORD, Reader

from buffycoat.images import write_atomic, write_png
from buffycoat.serve import schema, users
from buffycoat.serve.database import Store
from buffycoat.serve.log_check import check
from buffycoat.serve.migrate import migrate
from buffycoat.simulate.render import render_cell
from buffycoat.taxonomy import WBCBENCH

PER_SLIDE = 200
PICTURES = 52
"""Different pictures; the other cells have links to them."""
START_S = 180
"""That a start may take."""


def make_cells(folder: Path, n: int) -> Path:
    """Pictures and a table of predictions as predict writes it, n cells."""
    rng = np.random.default_rng(0)
    codes = WBCBENCH.codes
    drawn = []
    for number in range(PICTURES):
        path = folder / "drawn" / f"{number}.png"
        code = codes[number % len(codes)]
        write_png(path, render_cell(code, np.random.default_rng(number), 96).image)
        drawn.append((path, code))
    (folder / "cells").mkdir()
    rows = []
    for number in range(n):
        path, code = drawn[int(rng.integers(PICTURES))]
        os.link(path, folder / "cells" / f"{number}.png")
        probs = rng.dirichlet(np.where(np.array(codes) == code, 8.0, 0.3))
        is_doubtful = bool(probs.max() < 0.6)
        rows.append(
            {
                "cell_id": f"{number}.png",
                "label": code,
                "slide_id": f"slide {number // PER_SLIDE}",
                "probability": float(probs[codes.index(code)]),
                "conformal_set": " ".join(c for c, p in zip(codes, probs, strict=True) if p > 0.1),
                "is_abstained": is_doubtful,
                "reasons": "low_probability" if is_doubtful else "",
                "bundle_sha256": "b" * 64,
                **{f"prob_{c}": float(p) for c, p in zip(codes, probs, strict=True)},
            }
        )
    table = folder / "cells.parquet"
    pd.DataFrame(rows).to_parquet(table, index=False)
    return table


class Server:
    """The real command in a process of its own."""

    def __init__(self, url: str, table: Path) -> None:
        self.url, self.table, self.port = url, table, free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.cpu_s = 0.0

    @property
    def base(self) -> str:
        """URL of the API."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    async def start(self) -> float:
        """Start it; seconds until it answers."""
        import httpx2 as httpx

        code = "import sys; from buffycoat.cli.main import app; sys.argv[0] = 'buffycoat'; app()"
        words = ["review", str(self.table), "--images", str(self.table.parent / "cells")]
        words += ["--database", self.url, "--port", str(self.port), "--no-browser"]
        begin = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *words], stdout=subprocess.DEVNULL
        )
        async with httpx.AsyncClient() as client:
            while time.monotonic() < begin + START_S:
                assert self.process.poll() is None, "the server ended"
                try:
                    if (await client.get(f"{self.base}/session", timeout=5)).status_code == 200:
                        return time.monotonic() - begin
                except httpx.HTTPError:
                    await asyncio.sleep(0.1)
        raise TimeoutError("the server did not start")

    def stop(self, how: signal.Signals) -> None:
        """Stop it, and add up its CPU time."""
        assert self.process is not None
        times = psutil.Process(self.process.pid).cpu_times()
        self.cpu_s += times.user + times.system
        self.process.send_signal(how)
        self.process.wait(60)


async def run(
    url: str, table: Path, n_readers: int, minutes: float, think_s: float, kills: int, folder: Path
) -> dict[str, Any]:
    """One database under load; what was measured."""
    store = Store(url)
    migrate(store)
    with store.writing() as writer:
        for number in range(n_readers):
            users.add_user(
                writer, "bench", f"reader {number}", PASSWORD, ["reader", "signer", "admin"]
            )
    server = Server(url, table)
    start_s = [await server.start()]
    n_slides = -(-len(pd.read_parquet(table, columns=["cell_id"])) // PER_SLIDE)
    readers = [
        Reader(server.base, number, range(number + 1, n_slides + 1, n_readers), think_s)
        for number in range(n_readers)
    ]
    begin = time.monotonic()
    until = begin + minutes * 60 if not kills else float("inf")
    work = [asyncio.create_task(reader.work(until)) for reader in readers]
    rng, whole = random.Random(0), 0
    for _ in range(kills):
        await _under_load(readers)
        await asyncio.sleep(rng.uniform(0, 2))
        server.stop(signal.SIGKILL)
        with store.reading() as reader:
            whole += check(reader).is_whole
        start_s.append(await server.start())
    if kills:
        await _under_load(readers)
        for reader in readers:
            reader.until = 0
    await asyncio.gather(*work)
    seconds = time.monotonic() - begin
    server.stop(signal.SIGTERM)
    found = compare(store, readers)
    store.close()
    times: dict[str, list[float]] = defaultdict(list)
    for reader in readers:
        for kind, of in reader.times.items():
            times[kind] += of
    write_atomic(
        folder / f"sent-{store.engine.dialect.name}.json",
        json.dumps([reader.accepted for reader in readers]).encode(),
    )
    statuses = sum((reader.statuses for reader in readers), Counter())
    return {
        "database": store.engine.dialect.name,
        "readers": n_readers,
        "minutes": round(seconds / 60, 2),
        "think_s": think_s,
        "cells": n_slides * PER_SLIDE,
        "server_cpu_s": round(server.cpu_s, 1),
        "start_s": round(float(np.median(start_s)), 1),
        "requests": sum(len(of) for of in times.values()),
        **{f"{kind}_ms": _quantiles(of) for kind, of in sorted(times.items())},
        "answers": {str(status): n for status, n in sorted(statuses.items())},
        "kills": kills,
        "chain_whole_after_kill": whole,
        **found,
    }


async def _under_load(readers: list[Reader]) -> None:
    """Wait until the readers are at work: half as many new decisions as there are readers."""
    begin, before = time.monotonic(), sum(len(reader.accepted) for reader in readers)
    while sum(len(reader.accepted) for reader in readers) < before + len(readers) / 2:
        assert time.monotonic() < begin + START_S, "the readers are not at work"
        await asyncio.sleep(0.05)


def _quantiles(seconds: list[float]) -> dict[str, float]:
    milliseconds = 1000 * np.array(seconds)
    found = {f"p{q}": round(float(np.percentile(milliseconds, q)), 1) for q in (50, 95, 99)}
    return found | {"max": round(float(milliseconds.max()), 1), "n": len(seconds)}


def compare(store: Store, readers: list[Reader]) -> dict[str, Any]:
    """The log against what the readers sent."""
    query = schema.log.select().where(schema.log.c.kind == "decided")
    with store.reading() as connection:
        checked = check(connection)
        rows = connection.execute(query).all()
    stored: dict[str, Any] = {row.client_id: row for row in rows}
    accepted = {name: one for reader in readers for name, one in reader.accepted.items()}
    sent = {name for reader in readers for name in reader.sent}
    wrong = 0
    for name, (seq, cell, label) in accepted.items():
        row = stored.get(name)
        if row is not None:
            said = json.loads(row.body)["data"]["label"]
            wrong += (row.seq, row.cell, said) != (seq, cell, label)
    return {
        "decisions_acknowledged": len(accepted),
        "decisions_stored": len(rows),
        "lost": len(accepted.keys() - stored.keys()),
        "doubled": len(rows) - len(stored),
        "not_as_sent": wrong,
        "never_sent": len(stored.keys() - sent),
        "conflicts": sum(reader.conflicts for reader in readers),
        "is_log_whole": checked.is_whole,
        "faults": list(checked.faults),
    }


async def main() -> None:
    """Both databases, one after the other."""
    parser = argparse.ArgumentParser(
        description="The review server under load, and killed under it."
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--readers", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--think", type=float, default=1.0, help="seconds between decisions")
    parser.add_argument("--cells", type=int, default=20_000)
    parser.add_argument("--kill", type=int, default=0, help="times, instead of minutes")
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    parser.add_argument("--scratch", type=Path, help="folder for databases and cells")
    given = parser.parse_args()
    if given.cells < given.readers * PER_SLIDE:
        parser.error(f"--cells: each reader needs a slide of {PER_SLIDE}")
    with tempfile.TemporaryDirectory(dir=given.scratch) as name:
        folder = Path(name)
        table = make_cells(folder, given.cells)
        rows = []
        for kind in ("sqlite", "postgresql"):
            if given.only in (None, kind):
                rows.append(await _one(kind, table, folder, given))
                print(json.dumps(rows[-1], indent=1), flush=True)
    path = given.out / ("kills.json" if given.kill else "load.json")
    write_atomic(path, (json.dumps(rows, indent=1) + "\n").encode())


async def _one(kind: str, table: Path, folder: Path, given: Any) -> dict[str, Any]:
    options = (given.readers, given.minutes, given.think, given.kill, folder)
    if kind == "sqlite":
        return await run(f"sqlite:///{folder / 'review.sqlite'}", table, *options)
    where = programs()
    if where is None:
        raise SystemExit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    own = folder / "postgres"
    own.mkdir()
    cluster = Cluster.begin(where, own)
    try:
        return await run(cluster.create(), table, *options)
    finally:
        cluster.stop()


if __name__ == "__main__":
    asyncio.run(main())
