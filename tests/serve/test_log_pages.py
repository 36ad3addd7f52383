"""The log as people read it: in pages, searched, with what each decision changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Serve = Callable[..., Any]


@pytest.fixture
def read(single: Any) -> tuple[Any, int]:
    """A client, and a cell that was decided three times."""
    single.take(1)
    single.take(2)
    n, other = (cell["n"] for cell in single.cells(1)[:2])
    seq = None
    for number, label in enumerate(("MO", None, "BL")):
        (done,) = single.decide((f"decision-{number}", n, label, seq))["accepted"]
        seq = done["seq"]
    single.decide(("decision-9", other, "MO", None))
    return single, n


def test_the_newest_entries_come_first_page_by_page(read: tuple[Any, int]) -> None:
    client, _ = read
    everything = [entry["seq"] for entry in client.get("/log")["entries"]]
    seen: list[int] = []
    while True:
        page = client.get("/log", order="newest", limit=3, after=seen[-1] if seen else 0)["entries"]
        if not page:
            break
        seen += [entry["seq"] for entry in page]
    assert seen == everything[::-1]


def test_the_log_is_searched(read: tuple[Any, int]) -> None:
    client, _ = read
    found = client.get("/log/filters")
    assert {"imported", "taken", "decided"} <= {*found["kinds"]}
    assert [slide["id"] for slide in found["slides"]] == ["smear 1", "smear 2"]
    taken = client.get("/log", slide=2, kind="taken", person=found["people"][0])["entries"]
    assert [(entry["slide"], entry["kind"]) for entry in taken] == [(2, "taken")]
    assert client.get("/log", person="nobody")["entries"] == []
    assert client.get("/log", 422, order="random")["error"]["code"] == "invalid"


def test_each_decision_is_told_with_what_it_replaced(read: tuple[Any, int]) -> None:
    client, n = read
    found = client.get("/log", kind="decided")
    steps = [
        (found["before"][str(entry["seq"])], entry["data"]["label"])
        for entry in found["entries"] if entry["cell"] == n
    ]  # fmt: skip
    assert steps == [(None, "MO"), ("MO", None), (None, "BL")]


def test_what_is_blind_is_not_told_by_what_was_replaced(serve: Serve) -> None:
    served = serve(second=True)
    served.add("anna", "reader")
    served.add("bela", "reader", "admin")
    anna, bela = served.client("anna"), served.client("bela")
    anna.take(1)
    n = anna.cells(1)[0]["n"]
    (done,) = anna.decide(("decision-1", n, "MO", None))["accepted"]
    anna.decide(("decision-2", n, "BL", done["seq"]))
    found = bela.get("/log", kind="decided")
    assert found["before"] == {}
    assert all(entry["data"] == {"role": "first", "is_hidden": True} for entry in found["entries"])
    assert anna.get("/log", 403)["error"]["code"] == "role"
    assert anna.get("/log/filters", 403)["error"]["code"] == "role"
