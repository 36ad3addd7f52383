"""The benchmark of the review server finds what is lost or stored twice, and runs."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest
from benchmarks.review_reader import Reader

from benchmarks import review_load
from buffycoat.serve import log
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate


def test_lost_and_unknown_decisions_are_counted(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'r.sqlite'}")
    migrate(store)
    data = {"role": "first", "label": "LY"}
    events = [log.Event(log.DECIDED, "r", data, 1, cell, f"client-{cell}") for cell in (1, 2, 3)]
    with store.writing() as writer:
        log.append(writer, events)
    reader = Reader("http://127.0.0.1", 0, [1], 0)
    reader.sent = {"client-1", "client-2", "client-9"}
    reader.accepted = {
        "client-1": (1, 1, "LY"),
        "client-2": (2, 2, "MO"),
        "client-9": (9, 9, "LY"),
    }
    found = review_load.compare(store, [reader])
    assert (found["lost"], found["not_as_sent"], found["never_sent"]) == (1, 1, 1)
    assert not found["is_log_whole"]  # no label follows from these entries
    store.close()


@pytest.mark.slow
def test_a_short_run_loses_nothing(tmp_path: Path) -> None:
    table = review_load.make_cells(tmp_path, 2 * review_load.PER_SLIDE)
    given = argparse.Namespace(readers=2, minutes=0.2, think=0.1, kill=1)
    found = asyncio.run(review_load._one("sqlite", table, tmp_path, given))
    assert found["decisions_acknowledged"] > 0
    assert found["is_log_whole"]
    assert (found["lost"], found["doubled"], found["not_as_sent"], found["never_sent"]) == (0,) * 4
    assert found["chain_whole_after_kill"] == 1
