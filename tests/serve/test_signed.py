"""What a signed differential says beside its figures, on both databases and in every export."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hl7
import pytest

from buffycoat.serve import predictions as tables
from buffycoat.serve.project import import_predictions
from buffycoat.serve.sending import make_report
from buffycoat.taxonomy import Taxonomy

pytest.importorskip("fhir.resources")

Serve = Callable[..., Any]


def rows_of(client: Any, query: str = "") -> list[dict[str, str]]:
    text = client.raw(f"/slides/1/export/csv{query}").text
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_twice(served: Any) -> Any:
    """A slide of two readers who differ on one cell, a consensus, and a signature."""
    for name, *roles in (("anna", "reader"), ("ben", "reader"), ("cleo", "reader", "signer")):
        served.add(name, *roles)
    anna, ben, cleo = (served.client(name) for name in ("anna", "ben", "cleo"))
    for client, role, label in ((anna, "first", "BL"), (ben, "second", "MO")):
        client.take(1, role)
        n = client.cells(1, role)[0]["n"]
        client.decide((f"decision-{role}", n, label, None), role=role)
        client.finish(1, role)
    cleo.take(1, "consensus")
    cleo.decide(("decision-consensus", n, "BL", None), role="consensus")
    cleo.finish(1, "consensus")
    cleo.sign(1)
    return cleo


def test_a_signature_does_not_cover_what_its_signer_did_not_see(serve: Serve) -> None:
    served = serve()
    for name, *roles in (("anna", "reader"), ("cleo", "signer")):
        served.add(name, *roles)
    anna, cleo = served.client("anna"), served.client("cleo")
    anna.take(1)
    cells = anna.cells(1)
    (done,) = anna.decide(("decision-1", cells[0]["n"], "BL", None))["accepted"]
    anna.finish(1)

    def seen() -> str:
        return cleo.get("/slides/1/differential", role="final")["state"]

    first = seen()
    anna.post("/slides/1/readings/first/reopen")
    assert seen() == first, "reopened and finished, the labels are the same"
    anna.decide(("decision-2", cells[0]["n"], "MO", done["seq"]))
    anna.finish(1)
    refused = cleo.post("/slides/1/sign", 409, client_id="signature-1", state=first)["error"]
    assert (refused["code"], "nothing was signed" in refused["message"]) == ("changed", True)
    second = seen()
    anna.post("/slides/1/wbc", client_id="white-cells-1", wbc=7.5)
    refused = cleo.post("/slides/1/sign", 409, client_id="signature-1", state=second)["error"]
    assert refused["code"] == "changed"
    signed = cleo.sign(1, "signature-1", state=seen())
    assert (signed["version"], signed["wbc"]) == (1, 7.5)
    assert cleo.sign(1, "signature-1", state=first) == signed, "sent twice, it is signed once"
    assert cleo.get("/slides/1/differential", role="model")["state"] is None


def test_every_export_names_flags_few_cells_and_readers(serve: Serve) -> None:
    client = read_twice(serve(second=True))
    row = rows_of(client)[0]
    assert "blasts" in row["flags"].split()
    readers = [row[f"{role}_reader"] for role in ("first", "second", "consensus")]
    assert readers == ["anna", "ben", "cleo"]
    times = [row[name] for name in ("first_read_at", "second_read_at", "consensus_at", "issued")]
    assert times == sorted(times)
    assert all(times)
    assert (row["is_few"], row["n_differ"], row["without_login"]) == ("True", "1", "")
    said = row["remarks"].split("\n")
    assert said[0].startswith("8 leukocytes counted: too few")
    assert any(line.startswith("Flag: blasts ") for line in said)
    assert said[-1].startswith("Signed: cleo, 20")
    bundle = client.raw("/slides/1/export/fhir").json()
    assert bundle["entry"][0]["resource"]["conclusion"].split("\n")[-1 - len(said) : -1] == said
    message = hl7.parse(client.raw("/slides/1/export/hl7").text)
    notes = [message.unescape(str(note[3])) for note in message.segments("NTE")]
    assert [line for line in notes if line in said][: len(said)] == said


def test_a_version_says_what_was_so_when_it_was_signed(serve: Serve) -> None:
    client = read_twice(serve(second=True))
    first = rows_of(client)
    client.post("/slides/1/amend", client_id="amendment-1", reason="no blast")
    open_row = rows_of(client)[0]
    assert (open_row["status"], open_row["consensus_at"]) == ("preliminary", "")
    assert "Consensus: cleo, not finished." in open_row["remarks"]
    cells = client.cells(1, "consensus")
    blasts = [one for one in cells if "BL" in (one["label"], one["predicted"])]
    again = ((f"decision-again-{one['n']}", one["n"], "LY", one["seq"]) for one in blasts)
    assert len(client.decide(*again, role="consensus")["accepted"]) == len(blasts)
    client.finish(1, "consensus")
    client.sign(1, "signature-2")
    assert rows_of(client, "?version=1") == first
    second = rows_of(client)[0]
    assert "blasts" not in second["flags"].split()
    assert second["amendment_reason"] == "no blast"
    assert "Reason of the amendment: no blast" in second["remarks"]


def test_versions_of_before_have_readers_and_flags_by_their_labels(serve: Serve) -> None:
    served = serve(second=True)
    read_twice(served)
    review = served.review
    with served.store.reading() as reader:
        cells = review.catalogue.slide(reader, 1)
        from buffycoat.serve import sending

        new = make_report(reader, 1, cells)
        labels, version = sending.labels_sent(reader, 1, cells, 1)
        assert version is not None
        old = {k: v for k, v in version.body.items()
               if k not in ("readings", "flags", "n_differ", "identity")}  # fmt: skip
        patched = replace(version, body=old)
        patch = pytest.MonkeyPatch()
        patch.setattr(sending, "labels_sent", lambda *_: (labels, patched))
        before = make_report(reader, 1, cells)
        patch.undo()
    assert before.flags == new.flags
    assert [(one.role, one.name) for one in before.readings] == [
        ("first", "anna"), ("second", "ben"), ("consensus", "cleo"),
    ]  # fmt: skip
    assert {one.finished for one in before.readings} == {None}


def test_several_models_are_named(serve: Serve) -> None:
    served = serve()
    with served.store.reading() as reader:
        cells = served.review.catalogue.slide(reader, 1)
        first, *others = cells.cells
        mixed = replace(cells, cells=(replace(first, bundle_sha256="c" * 64), *others))
        report = make_report(reader, 1, mixed)
    assert report.model_checksum is None
    assert f"Predicted by 2 models, SHA-256 {'b' * 64}, {'c' * 64}." in report.comment


def test_classes_are_in_clinical_order_on_page_and_in_exports(single: Any) -> None:
    order = ["BL", "SNE", "LY", "MO", "ERB"]
    classes = single.get("/session")["taxonomy"]["classes"]
    assert [one["code"] for one in classes if one["code"] in order] == order
    assert [one["key"] for one in classes[:9]] == list("123456789")
    for rows in (single.get("/slides/1/differential")["rows"], rows_of(single)):
        assert [row["code"] for row in rows if row["code"] in order] == order


def test_a_taxonomy_of_ones_own_keeps_its_order(
    store: Any, reviewed: Path, serve_from: Serve
) -> None:
    read = tables.read(reviewed / "cells.parquet", reviewed / "cells")
    own = Taxonomy("mine", read.taxonomy.classes[::-1])
    import_predictions(store, replace(read, taxonomy=own), "test")
    client = serve_from(store, add=False).client()
    stated = [*own.codes]
    assert [one["code"] for one in client.get("/session")["taxonomy"]["classes"]] == stated
    rows = client.get("/slides/1/differential")["rows"]
    assert [row["code"] for row in rows if row["code"] in stated] == stated
    assert [row["code"] for row in rows_of(client)] == stated


def test_reasons_name_what_is_seen(store: Any, reviewed: Path, serve_from: Serve) -> None:
    read = tables.read(reviewed / "cells.parquet", reviewed / "cells")
    said = {"code": "unusual_feature", "text": "cell_solidity 0.86 < 0.9 (SNE 1st percentile)"}
    first = read.cells[0]
    first = replace(first, details=first.details | {"evidence": [said], "reasons": [said]})
    import_predictions(store, replace(read, cells=(first, *read.cells[1:])), "test")
    client = serve_from(store, add=False).client()
    (cell,) = (one for one in client.get("/slides/1/cells")["cells"] if one["id"] == first.name)
    told = "outline of the cell is irregular: 0.86, 1st percentile of SNE 0.9"
    assert cell["reasons"][0]["text"] == told
    assert client.get(f"/cells/{cell['n']}")["evidence"][0]["text"] == told
