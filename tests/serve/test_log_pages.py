"""The log as people read it: in pages, searched, with what each decision changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.serve.test_log_check import body_of, without_triggers

from buffycoat.serve import log
from buffycoat.serve.database import Store

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


def n_of(entries: list[dict[str, Any]], kind: str) -> int:
    return next(entry["seq"] for entry in entries if entry["kind"] == kind)


@pytest.mark.parametrize(
    "body",
    [
        "{}", "[]", "{", "[" * 100_000, '{"kind":"decided"}', '{"seq":NaN}', '{"seq":"\\ud800"}',
        '{"seq":1e999}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("order", ["oldest", "newest"])
def test_a_damaged_entry_is_shown_as_such_and_the_others_as_usual(
    read: tuple[Any, int], store: Store, body: str, order: str
) -> None:
    client, n = read
    before = {entry["seq"]: entry for entry in client.get("/log", order=order)["entries"]}
    seq = n_of([*before.values()], "decided")
    without_triggers(store, body_of(seq, body))
    found = client.get("/log", order=order)
    damaged = [entry for entry in found["entries"] if "damage" in entry]
    assert [entry["seq"] for entry in damaged] == [seq]
    assert damaged[0]["body"] == body
    assert damaged[0]["damage"][-1] == "its hash does not follow from it and the entry before"
    assert damaged[0]["kind"] == "decided"
    assert damaged[0]["cell"] == before[seq]["cell"]
    usual = [entry for entry in found["entries"] if entry["seq"] != seq]
    assert usual == [entry for entry in before.values() if entry["seq"] != seq]
    history = client.get(f"/cells/{n}")["history"]
    assert sum(one["is_damaged"] for one in history) == (1 if before[seq]["cell"] == n else 0)
    client.get("/slides/1/readings/first/steps")


def test_a_changed_entry_that_can_be_read_is_shown_as_damaged(
    read: tuple[Any, int], store: Store
) -> None:
    client, _ = read
    taken = client.get("/log", kind="taken")["entries"][0]
    told = {key: value for key, value in taken.items() if key != "hash"}
    forged = log.canonical(told | {"data": {"role": "first", "reader": "eve"}})
    without_triggers(store, body_of(taken["seq"], forged))
    found = client.get("/log", kind="taken")["entries"]
    assert found[0]["data"]["reader"] == "eve"
    assert found[0]["damage"] == ["its hash does not follow from it and the entry before"]
    assert [entry["seq"] for entry in found if "damage" in entry] == [taken["seq"]]


def test_nothing_is_signed_by_an_entry_that_is_damaged(single: Any, store: Store) -> None:
    single.take(1)
    single.finish(1)
    seq = n_of(single.get("/log")["entries"], "finished")
    without_triggers(store, body_of(seq, "{"))
    answer = single.post("/slides/1/sign", 409, client_id="signature-1")
    assert answer["error"]["code"] == "damaged"
    assert f"entry {seq} of the log is damaged: its body is no JSON" in answer["error"]["message"]


def test_what_is_blind_is_not_told_by_a_damaged_entry(serve: Serve, store: Store) -> None:
    served = serve(second=True)
    served.add("anna", "reader")
    served.add("bela", "reader", "admin")
    anna, bela = served.client("anna"), served.client("bela")
    anna.take(1)
    n = anna.cells(1)[0]["n"]
    anna.decide(("decision-1", n, "MO", None))
    seq = n_of(bela.get("/log")["entries"], "decided")
    without_triggers(store, body_of(seq, '{"label":"MO"'))
    (entry,) = (entry for entry in bela.get("/log")["entries"] if entry["seq"] == seq)
    assert "body" not in entry
    assert entry["damage"]
    assert bela.get(f"/cells/{n}")["history"] == []
