from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from buffycoat.cells import (
    COLUMNS,
    EVIDENCE,
    Evidence,
    Manifest,
    manifest_error,
)
from buffycoat.errors import ManifestError, TaxonomyError
from buffycoat.taxonomy import PBC


def _frame(**columns: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"cell_id": ["a", "b", "c"], "path": ["1", "2", "3"], **columns})


def test_missing_columns_are_added_with_their_types() -> None:
    manifest = Manifest.from_frame(_frame(label=["LY", None, "MO"]), "here")
    assert list(manifest.frame) == list(COLUMNS)
    assert {name: str(kind) for name, kind in manifest.frame.dtypes.items()} == COLUMNS
    assert manifest.frame["source"].tolist() == ["here"] * 3
    assert manifest.is_labelled.tolist() == [True, False, True]
    assert not manifest.has_patients


def test_the_given_frame_is_left_alone() -> None:
    frame = _frame()
    Manifest.from_frame(frame, "here")
    assert list(frame) == ["cell_id", "path"]


def test_all_faults_are_listed() -> None:
    frame = _frame(split=["train", "tset", None], severity=[0, 5, None], label=["LY", "MO", " "])
    frame.loc[1, "cell_id"] = "a"
    frame.loc[2, "path"] = ""
    with pytest.raises(ManifestError) as caught:
        Manifest.from_frame(frame, "here")
    text = str(caught.value)
    assert text.startswith("here: 5 faults")
    for part in (
        "row 1: cell_id 'a' is used twice",
        "row 2: path is empty",
        "row 1: split 'tset', expected one of train, eval, test",
        "row 1: severity 5, expected 0 to 4",
        "row 2: label is blank",
    ):
        assert part in text


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame({"cell_id": ["a"]}), "column 'path' is missing"),
        (_frame(lable=["LY", "LY", "MO"]), "unknown column 'lable'"),
        (_frame(severity=[0, 1.5, 2]), "wrong type"),
        (_frame(severity=["low", "0", "1"]), "wrong type"),
        (pd.DataFrame({"cell_id": [None], "path": ["1"]}), "row 0: cell_id is empty"),
    ],
)
def test_a_broken_schema_is_an_error(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        Manifest.from_frame(frame, "here")


def test_long_lists_of_faults_are_cut_and_counted() -> None:
    text = str(manifest_error("here", [f"fault {row}" for row in range(25)]))
    assert "25 faults" in text
    assert "fault 19" in text
    assert "fault 20" not in text
    assert text.endswith("... and 5 more")
    assert str(manifest_error("an empty folder", ["no picture"])) == "an empty folder: no picture"


def test_subsets_keep_order_and_notes() -> None:
    manifest = Manifest.from_frame(_frame(split=["train", "eval", "train"]), "here", ["said"])
    assert manifest.subset(np.array([2, 0])).frame["cell_id"].tolist() == ["c", "a"]
    assert manifest.subset(np.array([True, False, True])).frame["cell_id"].tolist() == ["a", "c"]
    assert manifest.of_split("eval").frame["cell_id"].tolist() == ["b"]
    assert len(manifest.of_split("train", "eval")) == 3
    assert len(manifest.subset(np.array([]))) == 0
    assert manifest.of_split("test").notes == ("said",)
    assert not manifest.of_split("test").has_patients


def test_targets_need_every_label_and_the_taxonomy() -> None:
    manifest = Manifest.from_frame(_frame(label=["LY", "SNE", "LY"]), "here")
    assert manifest.targets(PBC).tolist() == [1, 0, 1]
    assert manifest.counts() == {"LY": 2, "SNE": 1}
    with pytest.raises(ManifestError, match="no label for 1 cell, first: 'b'"):
        Manifest.from_frame(_frame(label=["LY", None, "LY"]), "here").targets(PBC)
    with pytest.raises(TaxonomyError, match="'PLY'"):
        Manifest.from_frame(_frame(label=["LY", "PLY", "LY"]), "here").targets(PBC)


def test_patients_must_be_known_for_every_cell() -> None:
    assert Manifest.from_frame(_frame(patient_id=["p", "p", "q"]), "here").has_patients
    assert not Manifest.from_frame(_frame(patient_id=["p", None, "q"]), "here").has_patients


def test_every_code_of_evidence_is_documented_and_no_other_is_taken() -> None:
    page = (Path(__file__).parents[1] / "docs" / "evidence.md").read_text(encoding="utf-8")
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines()]
    table = {row[0].strip("`"): row[2] == "look" for row in rows if row and row[0].startswith("`")}
    assert table == {code: kind.is_doubt for code, kind in EVIDENCE.items()}
    with pytest.raises(AssertionError, match="'odd' is not in"):
        Evidence("refine", "odd", "something odd")
