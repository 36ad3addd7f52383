"""A slide from the first look to the amendment, on both databases."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from buffycoat.serve.log_check import check


def test_a_single_user_corrects_signs_and_amends(single: Any) -> None:
    assert single.get("/session")["is_single_user"]
    single.take(1)
    first, other = single.cells(1)[:2]
    assert first["needs_look"]
    assert first["reasons"][0]["text"] == "probability 0.40 < 0.5"
    done = single.decide(
        ("decision-1", first["n"], "MO", None), ("decision-2", other["n"], "ARTEFACT", None)
    )
    assert len(done["accepted"]) == 2
    assert single.post("/slides/1/sign", 409, client_id="signature-0")["error"]["code"]
    row = single.finish(1)
    assert (row["status"], row["n_changed"]) == ("ready", 2)
    signed = single.sign(1, wbc=8.0, comment="as seen")
    counts = {r["code"]: r["count"] for r in signed["rows"]}
    assert (counts["LY"], counts["MO"]) == (0, 3)
    assert signed["outside"] == {"ARTEFACT": 1}
    monocytes = next(r for r in signed["rows"] if r["code"] == "MO")
    assert monocytes["absolute"] == pytest.approx(8.0 * monocytes["percent"] / 100, abs=5e-3)
    refused = single.decide(("decision-3", first["n"], "LY", done["accepted"][0]["seq"]))
    assert refused["refused"][0]["code"] == "signed"

    single.post("/slides/1/amend", client_id="amendment-1", reason="mistaken")
    single.finish(1)
    single.take(1, "consensus")
    single.decide(("decision-4", first["n"], "BL", None), role="consensus")
    single.finish(1, "consensus")
    again = single.sign(1, "signature-2")
    assert (again["version"], again["hash"] != signed["hash"]) == (2, True)
    assert (signed["reason"], again["reason"]) == (None, "mistaken")
    kept = single.get("/slides/1/versions")["versions"]
    assert [v["hash"] for v in kept] == [signed["hash"], again["hash"]]
    assert single.get("/log/check")["is_whole"]


def test_a_withdrawn_decision_leaves_the_prediction(single: Any) -> None:
    single.take(1)
    cell = single.cells(1)[0]
    (done,) = single.decide(("decision-1", cell["n"], "MO", None))["accepted"]
    single.decide(("decision-2", cell["n"], None, done["seq"]))
    assert single.cells(1)[0]["label"] is None
    assert single.get("/slides/1")["n_changed"] == 0
    assert [h["label"] for h in single.get(f"/cells/{cell['n']}")["history"]] == ["MO", None]


def test_what_is_sent_twice_is_stored_once(single: Any) -> None:
    single.take(1)
    n = single.cells(1)[0]["n"]
    one = single.decide(("decision-1", n, "MO", None))
    assert single.decide(("decision-1", n, "MO", None)) == one
    other = single.decide(("decision-1", n, "BL", None))
    assert other["refused"][0]["code"] == "client_id_reused"
    both = (
        single.decide(
            ("decision-2", n, "BL", one["accepted"][0]["seq"]),
        )
        or {}
    )
    assert both["accepted"]
    single.finish(1)
    assert single.sign(1) == single.sign(1)
    assert len(single.get("/slides/1/versions")["versions"]) == 1
    kinds = [entry["kind"] for entry in single.get("/log")["entries"]]
    assert kinds == ["imported", "taken", "decided", "decided", "finished", "signed"]


def test_a_decision_on_what_was_not_seen_is_a_conflict(single: Any) -> None:
    single.take(1)
    n = single.cells(1)[0]["n"]
    single.decide(("decision-1", n, "MO", None))
    late = single.decide(("decision-2", n, "BL", None))
    (conflict,) = late["conflicts"]
    assert conflict["current"]["label"] == "MO"
    assert single.cells(1)[0]["label"] == "MO"


def test_two_readers_a_consensus_and_a_signature(serve: Callable[..., Any]) -> None:
    served = serve(second=True)
    for name, roles in (
        ("anna", ("reader", "signer")),
        ("bela", ("reader", "admin")),
        ("carl", ("reader", "signer")),
    ):
        served.add(name, *roles)
    anna, bela, carl = (served.client(name) for name in ("anna", "bela", "carl"))
    anna.take(1)
    n, other = (cell["n"] for cell in anna.cells(1)[:2])
    anna.decide(("anna-decision-1", n, "MO", None), ("anna-decision-2", other, "PLY", None))
    anna.finish(1)

    # The second reader sees nothing of the first, though he is an admin too.
    decided = [e for e in bela.get("/log")["entries"] if e["kind"] == "decided"]
    assert [entry["data"] for entry in decided] == [{"role": "first", "is_hidden": True}] * 2
    assert bela.take(1, status=409)["error"]["code"] == "taken"
    row = bela.take(1, "second")
    assert row["n_changed"] is None
    assert [r["n_decided"] for r in row["readings"]] == [None, 0]
    assert bela.get("/slides/1/cells", 403, role="first")["error"]["code"] == "blind"
    assert bela.get("/slides/1/differential", 403, role="final")["error"]["code"] == "blind"
    assert bela.get(f"/cells/{n}")["history"] == []
    assert all(cell["label"] is None for cell in bela.cells(1, "second"))
    assert bela.get("/slides/1/disagreements", 409)["error"]["code"] == "not_yet"
    assert anna.take(1, "second", 409)["error"]["code"] == "other_role"
    bela.decide(("bela-decision-1", n, "BL", None), ("bela-decision-2", other, "PLY", None),
                role="second")  # fmt: skip
    assert carl.take(1, "consensus", 409)["error"]["code"] == "not_yet"
    assert bela.finish(1, "second")["status"] == "disagreement"

    found = anna.get("/slides/1/disagreements")
    assert [(c["n"], c["first"], c["second"]) for c in found["cells"]] == [(n, "MO", "BL")]
    assert (found["n_agree"], found["n"]) == (9, 10)
    assert 0.8 < found["kappa"] < 1
    assert anna.post("/slides/1/sign", 409, client_id="signature-0")["error"]["code"] == "not_ready"
    code = anna.post("/slides/1/readings/first/reopen", 409)["error"]["code"]
    assert code == "not_blind"
    carl.take(1, "consensus")
    shown = carl.get("/slides/1/cells", role="consensus")["other"][str(n)]
    assert shown == {"first": "MO", "second": "BL"}
    carl.decide(("carl-decision-1", n, "BL", None), role="consensus")
    assert bela.post("/slides/1/sign", 403, client_id="signature-b")["error"]["code"] == "role"
    row = anna.get("/slides/1")
    assert (row["status"], row["can_sign"]) == ("reading", False)  # carl may still change labels
    assert row["why_not"] == "the consensus of carl is not finished"
    anna.post("/slides/1/sign", 409, client_id="signature-0")
    assert carl.finish(1, "consensus")["status"] == "ready"
    signed = carl.sign(1)
    assert signed["readers"] == {"first": "anna", "second": "bela", "consensus": "carl"}
    assert carl.raw("/slides?status=signed").json()["slides"][0]["n"] == 1


def test_who_gave_the_first_reading_back_cannot_be_the_second(serve: Callable[..., Any]) -> None:
    served = serve(second=True)
    served.add("anna", "reader")
    served.add("bela", "reader")
    anna, bela = served.client("anna"), served.client("bela")
    anna.take(1)
    n = anna.cells(1)[0]["n"]
    anna.decide(("anna-decision-1", n, "MO", None))
    assert bela.post("/slides/1/readings/first/release", 409)["error"]["code"] == "not_your_reading"
    anna.post("/slides/1/readings/first/release")
    assert anna.take(1, "second", 409)["error"]["code"] == "other_role"
    bela.take(1)
    assert bela.cells(1)[0]["label"] == "MO"


def test_a_signer_corrects_what_somebody_else_has_read(serve: Callable[..., Any]) -> None:
    served = serve()
    for name, *roles in (("anna", "reader"), ("berta", "signer"), ("cora", "reader", "signer")):
        served.add(name, *roles)
    anna, berta, cora = (served.client(name) for name in ("anna", "berta", "cora"))
    anna.take(1)
    n, other = (cell["n"] for cell in anna.cells(1)[:2])
    anna.decide(("decision-1", n, "MO", None))
    anna.finish(1)
    berta.take(1, "consensus")
    berta.decide(("decision-2", n, "BL", None), role="consensus")
    assert (
        "berta is not finished"
        in cora.post("/slides/1/sign", 409, client_id="signature-1")["error"]["message"]
    )
    assert cora.take(1, "consensus", 409)["error"]["code"] == "taken"
    berta.finish(1, "consensus")
    cora.take(1, "consensus")  # and what a signer has finished, by another
    cora.decide(("decision-3", other, "BL", None), role="consensus")
    cora.finish(1, "consensus")
    signed = cora.sign(1)
    blasts = next(row for row in signed["rows"] if row["code"] == "BL")
    predicted = sum(cell["predicted"] == "BL" for cell in cora.cells(1, "consensus"))
    assert blasts["count"] == predicted + 2
    said = next(csv.DictReader(io.StringIO(cora.raw("/slides/1/export/csv").text, newline="")))
    assert "First reading: anna, " in said["remarks"]
    assert "Correction: cora, " in said["remarks"]
    assert "Consensus" not in said["remarks"]
    log = served.client("first admin").get("/log", slide=1)["entries"]
    entries = [(one["person"], one["kind"]) for one in log if one["kind"] in ("decided", "taken")]
    assert entries == [
        ("anna", "taken"), ("anna", "decided"), ("berta", "taken"), ("berta", "decided"),
        ("cora", "taken"), ("cora", "decided"),
    ]  # fmt: skip
    with served.store.reading() as reader:
        assert check(reader).is_whole


def test_a_reader_takes_no_finished_consensus_over(serve: Callable[..., Any]) -> None:
    served = serve(second=True)
    for name, *roles in (("anna",), ("ben",), ("cleo",), ("dora",), ("eva", "signer")):
        served.add(name, *(roles or ("reader",)))
    for name, role in (("anna", "first"), ("ben", "second"), ("cleo", "consensus")):
        client = served.client(name)
        client.take(1, role)
        client.finish(1, role)
    assert served.client("dora").take(1, "consensus", 409)["error"]["code"] == "taken"
    assert served.client("eva").take(1, "consensus")["my_role"] == "consensus"
