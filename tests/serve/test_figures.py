"""The page, its flags and every export state the same figures."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from buffycoat.errors import TaxonomyError
from buffycoat.serve import predictions as tables
from buffycoat.serve.places import Place
from buffycoat.serve.predictions import PredictedCell, Predictions
from buffycoat.serve.project import import_predictions
from buffycoat.taxonomy import BUILT_IN, CellClass, Taxonomy

Serve = Callable[..., Any]
Counts = dict[str, int]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: figures do not depend on the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def cells_of(counts: Counts, slide: str = "S") -> tuple[PredictedCell, ...]:
    """So many cells of each class on a slide."""
    codes = [code for code, n in counts.items() for _ in range(n)]
    return tuple(
        PredictedCell(
            f"{slide}-{n}", slide, None, Place("none.png"), code, 0.9, False, {}, None, "b" * 64
        )
        for n, code in enumerate(codes)
    )


@pytest.fixture
def serve_cells(store: Any, serve_from: Serve) -> Callable[..., Any]:
    """Serves cells whose pictures nobody asks for."""

    def make(cells: tuple[PredictedCell, ...], taxonomy: Taxonomy = BUILT_IN["blood"]) -> Any:
        import_predictions(store, Predictions("table", taxonomy, cells), "test")
        return serve_from(store, add=False).client()

    return make


@pytest.mark.parametrize(
    ("counts", "wbc"),
    [
        ({"SNE": 56, "LY": 23, "BL": 1}, 7.5),  # 23 of 80 are 28.75 %, one is 1.25 %
        ({"SNE": 94, "LY": 5, "BL": 1, "ERB": 7}, 2.1),  # 5 % of 2.1 are 0.105
        ({"SNE": 194, "LY": 101, "MY": 100, "BL": 5}, 0.3),
    ],
)
def test_page_and_report_state_the_same_figures(
    serve_cells: Any, counts: Counts, wbc: float
) -> None:
    client = serve_cells(cells_of(counts))
    client.post("/slides/1/wbc", client_id="white-cells-1", wbc=wbc)
    client.take(1)
    client.finish(1)
    shown = {row["code"]: row for row in client.get("/slides/1/differential")["rows"]}
    client.sign(1)
    sent = list(csv.DictReader(io.StringIO(client.raw("/slides/1/export/csv").text, newline="")))
    for row in sent:
        one = shown[row["code"]]
        for name, column, digits in (
            ("percent", "percent", 1), ("low", "low", 1), ("high", "high", 1),
            ("absolute", "absolute_1e9_per_l", 2),
        ):  # fmt: skip
            assert f"{one[name]:.{digits}f}" == row[column], (row["code"], name)
    blasts = next(row for row in sent if row["code"] == "BL")
    assert f"Flag: blasts {blasts['percent']} %, flagged from 1 % on." in blasts["remarks"]


def test_halves_are_rounded_up(serve_cells: Any) -> None:
    client = serve_cells(cells_of({"SNE": 56, "LY": 23, "BL": 1}))
    found = client.get("/slides/1/differential", wbc=6.0)
    rows = {row["code"]: row for row in found["rows"]}
    assert (rows["LY"]["percent"], rows["BL"]["percent"], rows["BL"]["absolute"]) == (
        28.8, 1.3, 0.08,
    )  # fmt: skip
    assert found["flags"][0]["text"] == "blasts 1.3 %, flagged from 1 % on"


def test_no_flag_contradicts_its_limit(serve_cells: Any) -> None:
    cells = cells_of({"SNE": 199, "BL": 2})
    site = {"site_shift": 1.04}
    client = serve_cells((replace(cells[0], is_doubtful=True, details=site), *cells[1:]))
    (row,) = client.get("/slides")["slides"]
    assert [flag["text"] for flag in row["flags"]] == [
        "blasts 0.995 % (without doubtful cells 1.0 %), flagged from 1 % on",
        "cells look like another laboratory's (site shift 1.04, alarm above 1.00)",
    ]


def test_a_shift_below_the_alarm_is_not_told_as_one(serve_cells: Any) -> None:
    cells = cells_of({"SNE": 100})
    details = {"site_shift": 0.9, "reasons": [{"code": "unfamiliar_site", "text": "far"}]}
    client = serve_cells((replace(cells[0], details=details), *cells[1:]))
    (row,) = client.get("/slides")["slides"]
    assert [flag["text"] for flag in row["flags"]] == ["cells look like another laboratory's"]


def test_the_share_of_doubtful_cells_is_of_those_that_count(serve_cells: Any) -> None:
    cells = cells_of({"SNE": 100})
    left_out = tuple(replace(cell, details={"not_counted": "cut"}) for cell in cells[:60])
    doubtful = tuple(replace(cell, is_doubtful=True) for cell in cells[60:75])
    client = serve_cells((*left_out, *doubtful, *cells[75:]))
    (row,) = client.get("/slides")["slides"]
    assert [flag["text"] for flag in row["flags"]] == [
        "doubtful cells that no reader decided: 15 of 40"
    ]


def test_a_comment_may_come_from_a_word_processor(serve_cells: Any) -> None:
    client = serve_cells(cells_of({"SNE": 3}))
    client.take(1)
    client.finish(1)
    refused = client.post("/slides/1/sign", 422, client_id="signature-1", comment="ok \u200c")
    assert refused["error"]["message"] == (
        "the text has a character that cannot be seen, U+200C, behind 'ok ': take it out"
    )
    signed = client.sign(1, comment="blasts\u00a010\u202f%\r\n\tno Auer rods\u2028")
    assert signed["comment"] == "blasts 10 %\n no Auer rods\n"


def test_a_class_of_ones_own_may_have_the_code_of_an_extra_label(serve_cells: Any) -> None:
    smudge = CellClass("SMUDGE", "broken cell of ours", "none", is_leukocyte=False)
    others = (
        CellClass("SNE", "neutrophil", "granulocytic"),
        CellClass("LY", "lymphocyte", "lymphoid"),
    )
    own = Taxonomy("own", (*others, smudge))
    client = serve_cells(cells_of({"SNE": 5, "LY": 2, "SMUDGE": 2}), own)
    extra = client.get("/session")["taxonomy"]["extra"]
    assert [one["code"] for one in extra] == ["ARTEFACT", "UNSURE"]
    client.take(1)
    client.decide(("decision-1", client.cells(1)[0]["n"], "ARTEFACT", None))
    client.finish(1)
    found = client.get("/slides/1/differential")
    assert {row["code"]: row["count"] for row in found["rows"]} == {"SNE": 4, "LY": 2, "SMUDGE": 2}
    assert found["outside"] == {"ARTEFACT": 1}
    client.sign(1)
    sent = list(csv.DictReader(io.StringIO(client.raw("/slides/1/export/csv").text, newline="")))
    assert {row["code"]: row["count"] for row in sent} == {"SNE": "4", "LY": "2", "SMUDGE": "2"}
    assert sent[0]["comment"].startswith("Not counted: 1 no white cell (ARTEFACT).\n")


def test_classes_without_a_leukocyte_are_refused_before_the_server_starts(
    reviewed: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.toml"
    classes = ("SNE", "LY", "MO", "BL", "ERB")
    own.write_text('name = "own"\n' + "".join(
        f'[[classes]]\ncode = "{code}"\nname = "of {code}"\nlineage = "none"\n'
        "is_leukocyte = false\n" for code in classes
    ))  # fmt: skip
    with pytest.raises(TaxonomyError, match="has no leukocyte: nothing makes up 100 %"):
        tables.read(reviewed / "cells.parquet", reviewed / "cells", str(own))


def flags_everywhere(client: Any) -> list[str]:
    """Of the worklist; the tab, what is to be signed and the export must say the same."""
    (row,) = client.get("/slides")["slides"]
    texts = [flag["text"] for flag in row["flags"]]
    for role in ("first", "final"):
        found = client.get("/slides/1/differential", role=role)["flags"]
        assert [flag["text"] for flag in found] == texts
    sent = list(csv.DictReader(io.StringIO(client.raw("/slides/1/export/csv").text, newline="")))
    assert sent[0]["flags"].split() == [flag["code"] for flag in row["flags"]]
    for text in texts:
        assert f"Flag: {text}." in sent[0]["remarks"]
    return texts


def test_flags_are_the_same_wherever_they_stand_and_end_by_decisions_alone(
    serve_cells: Any,
) -> None:
    cells = cells_of({"PMY": 1, "SNE": 21})
    client = serve_cells(tuple(replace(cell, is_doubtful=n < 13) for n, cell in enumerate(cells)))
    left_shift = "immature granulocytes 4.5 %, only with doubtful cells that no reader decided"
    unread = [left_shift, "doubtful cells that no reader decided: 13 of 22"]
    assert flags_everywhere(client) == unread
    client.take(1)
    shown = {cell["id"]: cell for cell in client.cells(1)}
    (done,) = client.decide(("decision-1", shown["S-1"]["n"], "SNE", None))["accepted"]
    begun = [left_shift, "doubtful cells that no reader decided: 12 of 22"]
    assert flags_everywhere(client) == begun
    client.decide(("decision-2", shown["S-2"]["n"], "ARTEFACT", None))
    begun[1] = "doubtful cells that no reader decided: 11 of 22"
    begun[0] = left_shift.replace("4.5", "4.8")
    assert flags_everywhere(client) == begun
    client.finish(1)
    assert flags_everywhere(client) == begun
    signed = client.sign(1)
    assert [flag["text"] for flag in signed["flags"]] == begun == flags_everywhere(client)
    mostly = "That is most of the cells: the figures mean little."
    assert f"Doubtful cells that no reader decided: 11. {mostly}" in signed["notes"]

    client.post("/slides/1/amend", client_id="amendment-1", reason="to decide more")
    assert flags_everywhere(client) == begun
    client.decide(("decision-3", shown["S-0"]["n"], "PMY", None))
    begun = ["immature granulocytes 4.8 %, flagged from 2 % on",
             "doubtful cells that no reader decided: 10 of 22"]  # fmt: skip
    assert flags_everywhere(client) == begun
    client.decide(*((f"decision-of-{n}", shown[f"S-{n}"]["n"], "SNE", None) for n in range(3, 13)))
    assert flags_everywhere(client) == begun[:1]
    client.decide(("decision-4", shown["S-1"]["n"], None, done["seq"]))
    assert flags_everywhere(client) == begun[:1], "one doubtful cell of 22 is below 20 %"


def test_what_is_shown_before_a_signature_is_what_is_signed(serve_cells: Any) -> None:
    cells = cells_of({"BL": 5, "SNE": 55, "LY": 40})
    mostly = tuple(replace(cell, is_doubtful=n < 60) for n, cell in enumerate(cells))
    client = serve_cells(mostly)
    client.take(1)
    shown = client.get("/slides/1/differential", role="final")
    assert [flag["code"] for flag in shown["flags"]] == ["blasts", "doubtful"]
    assert shown["undecided_doubtful"] == 60
    client.finish(1)
    signed = client.sign(1)
    assert (shown["version"], shown["n_changed"]) == (None, 0)
    same = ("rows", "flags", "notes", "n_cells", "n_leukocytes", "n_decided", "undecided_doubtful",
            "bundle_sha256")  # fmt: skip
    assert {key: signed[key] for key in same} == {key: shown[key] for key in same}
    assert client.get("/slides/1/differential", role="final")["version"] == signed["version"] == 1


def test_every_cell_of_a_large_slide_is_shown(serve_cells: Any) -> None:
    client = serve_cells(cells_of({"SNE": 5001}))
    found = client.get("/slides/1/cells")
    assert len(found["cells"]) == found["n_cells"] == 5001
    assert len(client.get("/slides/1/cells", offset=4990, limit=5)["cells"]) == 5
