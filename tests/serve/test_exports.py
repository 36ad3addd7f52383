"""What leaves the review: signed reports, and labels that training takes."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.serve import predictions as tables
from buffycoat.serve.labels_table import labels_table
from buffycoat.serve.project import import_predictions
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read
from buffycoat.tables.labels import read_labels

pytest.importorskip("fhir.resources")
pytest.importorskip("fpdf")
pytest.importorskip("hl7apy")

Serve = Callable[..., Any]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is written does not depend on the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def rows_of(client: Any, path: str) -> list[dict[str, str]]:
    answer = client.raw(path)
    assert answer.status_code == 200, answer.text
    assert "smear" not in answer.headers["content-disposition"]
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_signed_and_preliminary_reports(single: Any) -> None:
    rows = rows_of(single, "/slides/1/export/csv")
    assert {row["status"] for row in rows} == {"preliminary"}
    single.take(1)
    n = single.cells(1)[0]["n"]
    single.decide(("decision-1", n, "MO", None))
    single.finish(1)
    single.sign(1, wbc=8.0, comment="as seen")
    first = rows_of(single, "/slides/1/export/csv")
    assert {(row["status"], row["version"]) for row in first} == {("final", "1")}
    assert next(row for row in first if row["code"] == "MO")["count"] == "3"

    single.post("/slides/1/amend", client_id="amendment-1", reason="mistaken")
    single.finish(1)
    single.take(1, "consensus")
    single.decide(("decision-2", n, "ARTEFACT", None), role="consensus")
    assert rows_of(single, "/slides/1/export/csv")[0]["status"] == "preliminary"
    assert rows_of(single, "/slides/1/export/csv?version=1") == first
    single.finish(1, "consensus")
    single.sign(1, "signature-2")
    amended = rows_of(single, "/slides/1/export/csv")
    assert {(row["status"], row["version"]) for row in amended} == {("amended", "2")}
    assert "Not counted: 1 no white cell (ARTEFACT)." in amended[0]["comment"]
    single.get("/slides/1/export/csv", 404, version=3)


def test_every_format_holds_the_same_counts(single: Any) -> None:
    rows = rows_of(single, "/slides/1/export/csv")
    bundle = single.raw("/slides/1/export/fhir").json()
    observed = [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"]
                == "Observation"]  # fmt: skip
    percents = {row["loinc"]: float(row["percent"]) for row in rows if row["loinc"]}
    for one in observed:
        code = one["code"]["coding"][0]["code"]
        if code in percents and "valueQuantity" in one:
            assert one["valueQuantity"]["value"] == percents[code]
    message = single.raw("/slides/1/export/hl7")
    assert message.text.startswith("MSH|")
    assert single.raw("/slides/1/export/pdf").content.startswith(b"%PDF")


def test_geojson_has_the_cells_that_lie_in_fields(single: Any) -> None:
    found = json.loads(single.raw("/slides/1/export/geojson").text)
    assert found == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize(
    ("outline", "corners"),
    [
        ("1,1 5,1 5,5", [[1, 1], [5, 1], [5, 5], [1, 1]]),
        ("1,1 5,1", [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]),
        ("1,1 3,3 5,5", [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]),
        ("1,1 5 5,5", [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]),
        ("1,1 nan,1 5,5", [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]),
    ],
)
def test_an_outline_without_an_area_is_the_box_in_geojson(
    store: Any, written: Any, frame: Any, serve_from: Serve, outline: str, corners: list[list[int]]
) -> None:
    read = written(frame[:1])
    place = {"field": {"name": "field.png", "box": "0,0,9,9", "outline": outline}}
    cell = replace(read.cells[0], details=read.cells[0].details | place)
    import_predictions(store, replace(read, cells=(cell,)), "test")
    client = serve_from(store, add=False).client()
    (feature,) = client.raw("/slides/1/export/geojson").json()["features"]
    assert feature["geometry"] == {"type": "Polygon", "coordinates": [corners]}


def test_a_blind_slide_leaves_by_no_door(serve: Serve) -> None:
    served = serve(second=True)
    served.add("anna", "reader")
    client = served.client("anna")
    for format in ("csv", "fhir", "hl7", "pdf", "geojson"):
        assert client.get(f"/slides/1/export/{format}", 403)["error"]["code"] == "blind"


def test_labels_are_what_train_and_adapt_take(
    single: Any, store: Any, reviewed: Path, tmp_path: Path
) -> None:
    single.take(1)
    first, other = (cell["n"] for cell in single.cells(1)[:2])
    single.decide(("decision-1", first, "MO", None), ("decision-2", other, "ARTEFACT", None))
    with store.reading() as reader:
        begun = labels_table(reader)
        assert begun["label"].tolist() == ["MO"]
        assert len(labels_table(reader, has_extra=True)) == 2
    single.finish(1)
    single.sign(1)
    out = tmp_path / "labels.csv"
    words = ["review", "export", "--database", str(store.engine.url), "--out", str(out)]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert "1 label, 1 decided one by one, 1 changed" in done.output
    done = CliRunner().invoke(app, [*words, "--accepted"])
    assert done.exit_code == 0, done.output
    assert "9 labels, 1 decided one by one, 1 changed" in done.output
    table = pd.read_csv(out)
    assert set(table["version"]) == {1}
    assert Counter(table["agreement"]) == {"one reader": 1, "accepted as predicted": 8}

    known = [path.name for path in (reviewed / "cells").iterdir()]
    given = read_labels(out, known=known)  # as `adapt --labels` reads it
    name = first_name = table.loc[table["is_decided"], "ID"].iloc[0]
    assert (len(given), given[first_name]) == (9, "MO")
    beside = reviewed / "cells" / "labels.csv"
    beside.write_bytes(out.read_bytes())
    try:
        cells = read(beside, "auto", Reading())  # as `train` reads a table
    finally:
        beside.unlink()
    labels = dict(zip(cells.column("cell_id"), cells.column("label"), strict=True))
    assert labels[name] == "MO"
    assert set(cells.column("slide_id")) == {"smear 1"}


def test_readers_agree_only_on_what_both_decided(serve: Serve, store: Any) -> None:
    served = serve(second=True)
    for name in ("anna", "bela"):
        served.add(name, "reader")
    anna, bela = served.client("anna"), served.client("bela")
    anna.take(1)
    both, one = (cell["n"] for cell in anna.cells(1)[-2:])
    codes = {cell["n"]: cell["predicted"] for cell in anna.cells(1)}
    anna.decide(("anna-decision-1", both, codes[both], None),
                ("anna-decision-2", one, codes[one], None))  # fmt: skip
    anna.finish(1)
    bela.take(1, "second")
    bela.decide(("bela-decision-1", both, codes[both], None), role="second")
    bela.finish(1, "second")
    with store.reading() as reader:
        table = labels_table(reader)
        every = labels_table(reader, has_accepted=True)
    found = set(zip(table["reader"], table["agreement"], strict=True))
    assert found == {("anna + bela", "both readers"), ("anna", "one reader")}
    assert len(table) == 2
    assert Counter(every["agreement"])["accepted as predicted"] == 8


def test_a_second_reading_that_was_given_up_does_not_count(
    serve: Serve, store: Any, reviewed: Path
) -> None:
    served = serve(second=True)
    for name, *roles in (("anna", "reader", "signer"), ("bela", "reader")):
        served.add(name, *roles)
    anna, bela = served.client("anna"), served.client("bela")
    anna.take(1)
    bela.take(1, "second")
    first, other = (cell["n"] for cell in anna.cells(1)[:2])
    bela.decide(("bela-decision-1", first, "MO", None), role="second")
    anna.decide(("anna-decision-1", other, "BL", None))
    predicted = tables.read(reviewed / "cells.parquet", reviewed / "cells")
    import_predictions(store, predicted, "test")  # started again without --second-reader
    anna.finish(1)
    with store.reading() as reader:
        table = labels_table(reader)
    assert table[["label", "reader", "agreement"]].to_numpy().tolist() == [
        ["BL", "anna", "one reader"]
    ]
    assert anna.get("/slides/1/differential")["n_decided"] == 1
    signed = anna.sign(1)
    assert (signed["n_decided"], signed["undecided_doubtful"]) == (1, 1)


def test_readers_and_model_are_compared(single: Any) -> None:
    assert single.get("/agreement") == {
        "n_slides": 0, "n_cells": 0, "kappa": None, "no_class": {}, "classes": [],
    }  # fmt: skip
    for slide in (1, 2):
        single.take(slide)
        n = single.cells(slide)[0]["n"]
        single.decide((f"decision-{slide}", n, "MO", None))
        single.finish(slide)
    found = single.get("/agreement")
    assert (found["n_slides"], found["n_cells"]) == (2, 20)
    assert 0.8 < found["kappa"]["value"] < 1
    monocytes = next(row for row in found["classes"] if row["name"] == "MO")
    assert monocytes["reader_mean"] > monocytes["model_mean"]


def test_what_the_reader_rejects_counts_against_the_model(single: Any) -> None:
    single.take(1)
    cells = single.cells(1)
    first = next(cell["n"] for cell in cells if cell["predicted"] == "SNE")
    single.decide(("decision-1", first, "ARTEFACT", None))
    single.finish(1)
    found = single.get("/agreement")
    assert (found["n_cells"], found["no_class"]) == (10, {"ARTEFACT": 1})
    assert found["kappa"]["value"] == pytest.approx((0.9 - 0.18) / (1 - 0.18))  # by chance 0.18
    rows = {row["name"]: row for row in found["classes"]}
    one = rows["SNE"]
    assert (one["model_count"], one["no_class"]) == (2, 1)
    assert one["model_mean"] == pytest.approx(25)  # 2 of 8 leukocytes
    assert one["reader_mean"] == pytest.approx(100 / 7)
    assert rows["LY"]["no_class"] == 0
    single.post("/slides/1/readings/first/reopen")
    others = (cell["n"] for cell in cells if cell["n"] != first)
    single.decide(*((f"decision-of-{n}", n, "UNSURE", None) for n in others))
    single.finish(1)
    found = single.get("/agreement")
    assert (found["n_slides"], found["classes"]) == (1, [])
    assert found["no_class"] == {"ARTEFACT": 1, "UNSURE": 9}
