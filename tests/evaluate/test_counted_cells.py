"""Which cells of fields count, and by what they are grouped."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from buffycoat.errors import ManifestError
from buffycoat.evaluate.counted_cells import (
    GroupedCells,
    counted_in,
    group_cells,
    groups_of,
)
from buffycoat.evaluate.counting import Counting, count
from buffycoat.tables import Rows, read_rows
from buffycoat.tables.parquet import read_parquet

IDS = ["a.jpg-x1-y1.png", "a.jpg-x9-y9.png", "b.jpg-x5-y5.png"]


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    frame = pd.DataFrame({
        "cell_id": IDS, "label": ["LY", "MO", "LY"], "field": ["a.jpg", "a.jpg", "b.jpg"],
        "is_counted": [True, False, True], "field_faults": ["", "", "too thick"],
        "slide_id": ["s1", "s1", "s2"],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "cells.parquet")
    return tmp_path / "cells.parquet"


def test_cells_at_a_border_and_in_faulty_fields_do_not_count(predictions: Path) -> None:
    found = counted_in(read_rows(predictions), IDS, count_faulty=False)
    assert found is not None
    assert found.is_counted.tolist() == [True, False, False]
    border, faulty = found.notes()
    assert border.startswith("Not counted: 1 of 3 cells, cut by the right or lower border")
    assert "1 cell of 1 field with a fault (1 too thick)" in faulty


def test_faulty_fields_count_on_request(predictions: Path) -> None:
    found = counted_in(read_rows(predictions), IDS, count_faulty=True)
    assert found is not None
    assert found.is_counted.tolist() == [True, False, True]
    assert len(found.notes()) == 1


def test_cells_that_are_not_from_fields_all_count(tmp_path: Path) -> None:
    pd.DataFrame({"cell_id": IDS, "label": "LY"}).to_parquet(tmp_path / "p.parquet")
    assert counted_in(read_rows(tmp_path / "p.parquet"), IDS, count_faulty=False) is None


def test_what_is_neither_true_nor_false_is_refused(predictions: Path) -> None:
    frame = pd.read_parquet(predictions).astype({"is_counted": "string"})
    frame.loc[1, "is_counted"] = "maybe"
    frame.to_parquet(predictions)
    with pytest.raises(ManifestError, match="is_counted 'maybe', expected True or False"):
        counted_in(read_rows(predictions), IDS, count_faulty=False)


@pytest.mark.parametrize("ids", [["a.jpg", "b.jpg"], ["a", "b"], IDS])
def test_a_table_of_groups_names_fields_or_cells(
    predictions: Path, tmp_path: Path, ids: list[str]
) -> None:
    patients = ["p1", "p2"] if len(ids) == 2 else ["p1", "p1", "p2"]
    groups = tmp_path / "patients.csv"
    pd.DataFrame({"ID": ids, "patient_id": patients}).to_csv(groups, index=False)
    fields = ["a.jpg", "a.jpg", "b.jpg"]
    assert groups_of(read_rows(predictions), read_rows(groups), "patient_id", IDS, fields) == [
        "p1",
        "p1",
        "p2",
    ]


def test_a_column_of_names_of_patients_is_no_column_of_ids(
    predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("buffycoat.notes._listeners", [told.append])
    cells, numbered = [f"{n}.png" for n in range(1, 4)], tmp_path / "numbered.parquet"
    pd.DataFrame({"cell_id": cells, "label": "LY"}).to_parquet(numbered)
    groups = tmp_path / "slides.csv"
    # Without their suffix, the names of the cells are numbers too.
    groups.write_text("cell,slide_id,name\n1.png,a,3\n2.png,b,2\n3.png,c,1\n")
    assert groups_of(read_rows(numbered), read_rows(groups), "slide_id", cells, None) == [
        "a",
        "b",
        "c",
    ]
    assert told == ["slides.csv: IDs from column 'cell'"]
    groups.write_text("field,slide_id,name\na.jpg,s1,Berg\nb.jpg,s2,Dahl\n")
    fields = ["a.jpg", "a.jpg", "b.jpg"]
    assert groups_of(read_rows(predictions), read_rows(groups), "slide_id", IDS, fields) == [
        "s1",
        "s1",
        "s2",
    ]


def test_slides_are_named_by_the_first_that_is_known(predictions: Path, tmp_path: Path) -> None:
    assert group_cells(read_rows(predictions), None, None, IDS) == GroupedCells(
        "slide_id", ["s1", "s1", "s2"]
    )
    whole = pd.read_parquet(predictions)
    bare = whole.drop(columns=["slide_id", "field"])
    path = tmp_path / "smear 7.parquet"

    def found(table: pd.DataFrame, groups: Path | None = None) -> GroupedCells:
        table.to_parquet(path)
        named = None if groups is None else read_rows(groups)
        return group_cells(read_rows(path), named, None, IDS)

    by_patient = found(bare.assign(patient_id=["p", "p", "q"]))
    assert (by_patient.by, by_patient.names) == ("patient_id", ["p", "p", "q"])
    assert by_patient.note == "smear 7.parquet has no slide_id: counted by patient_id."
    in_folders = found(bare.assign(field=["one/a.jpg", "one/a.jpg", "b.jpg"]))
    assert (in_folders.by, in_folders.names) == ("slide", ["one", "one", "smear 7"])
    together = found(bare)
    assert (together.by, together.names) == ("slide", ["smear 7"] * 3)
    assert "all cells are counted together. Name a column with --by" in together.note
    groups = tmp_path / "patients.csv"
    pd.DataFrame({"ID": IDS, "patient_id": ["p", "q", "q"]}).to_csv(groups, index=False)
    assert found(whole, groups).names == ["p", "q", "q"]
    groups.write_text("ID,ward\n" + "".join(f"{name},1\n" for name in IDS))
    with pytest.raises(ManifestError, match=r"'slide_id' is missing.*counted by slide_id: name"):
        found(whole, groups)
    with pytest.raises(ManifestError, match=r"1 of 3 cells has no patient_id.* ID and patient_id"):
        found(bare.assign(patient_id=["p", "", "q"]))


def test_each_table_is_read_once(
    predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slides = tmp_path / "slides.parquet"
    pd.DataFrame({"ID": ["a.jpg", "b.jpg"], "slide_id": ["s1", "s2"]}).to_parquet(slides)
    opened: list[Path] = []

    def read(path: Path) -> Rows:
        opened.append(path)
        return read_parquet(path)

    monkeypatch.setattr("buffycoat.tables.read.read_parquet", read)
    found = count(predictions, Counting(groups=slides))
    assert found.group_of == dict(zip(IDS, ["s1", "s1", "s2"], strict=True))
    assert opened == [predictions, slides]


def test_without_a_table_the_predictions_have_the_column(predictions: Path) -> None:
    fields = ["a.jpg", "a.jpg", "b.jpg"]
    assert groups_of(read_rows(predictions), None, "field", IDS, fields) == fields
    assert groups_of(read_rows(predictions), None, "slide_id", IDS, fields) == ["s1", "s1", "s2"]
