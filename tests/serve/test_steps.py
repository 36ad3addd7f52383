"""What a reader did last, as the server tells it to a page that was loaded again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Serve = Callable[..., Any]


def send(client: Any, step: str, act: str, *decisions: tuple[int, str | None, int | None]) -> list:
    rows = [
        {"client_id": f"{step}-{n}", "cell": n, "role": "first", "label": label, "expects": seq,
         "step": step, "act": act}
        for n, label, seq in decisions
    ]  # fmt: skip
    return [one["seq"] for one in client.post("/decisions", decisions=rows)["accepted"]]


def steps(client: Any) -> list[tuple[str, list]]:
    found = client.get("/slides/1/readings/first/steps")["steps"]
    return [(one["act"], one["cells"]) for one in found]


def test_decisions_of_one_step_are_told_together(single: Any) -> None:
    single.take(1)
    n, other, third = (cell["n"] for cell in single.cells(1)[:3])
    first, _ = send(single, "step-one", "decide", (n, "MO", None), (other, "MO", None))
    (second,) = send(single, "step-two", "decide", (n, "BL", first))
    send(single, "step-three", "undo", (n, "MO", second))
    single.decide(("decision-of-a-program", third, "LY", None))
    assert steps(single) == [
        ("decide", [[n, None, "MO"], [other, None, "MO"]]),
        ("decide", [[n, "MO", "BL"]]),
        ("undo", [[n, "BL", "MO"]]),
        ("decide", [[third, None, "LY"]]),
    ]
    decided = single.get("/log", kind="decided")["entries"]
    assert [entry["data"].get("act") for entry in decided] == ["decide"] * 3 + ["undo", None]
    single.finish(1)
    single.post("/slides/1/readings/first/reopen")
    assert steps(single) == [], "what was finished is not undone by a key"


def test_another_readers_steps_are_not_told(serve: Serve) -> None:
    served = serve()
    for name in ("anna", "bela"):
        served.add(name, "reader")
    anna, bela = served.client("anna"), served.client("bela")
    anna.take(1)
    n, other = (cell["n"] for cell in anna.cells(1)[:2])
    (seq,) = send(anna, "step-one", "decide", (n, "MO", None))
    anna.post("/slides/1/readings/first/release")
    bela.take(1)
    send(bela, "step-two", "decide", (n, "BL", seq), (other, "LY", None))
    assert steps(anna) == [("decide", [[n, None, "MO"]])]
    assert steps(bela) == [("decide", [[n, "MO", "BL"], [other, None, "LY"]])]
    assert bela.get("/slides/9/readings/first/steps", 404)
