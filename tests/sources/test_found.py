"""Cells that `find` cut out, read with what it says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from buffycoat.errors import ManifestError
from buffycoat.images import write_png
from buffycoat.sources.read import read


def _row(name: str, **changes: object) -> dict[str, object]:
    return {
        "cell_id": name, "path": name, "slide_id": "s1", "field": "s1/a.jpg", "box": "1,2,30,40",
        "is_cut": False, "kind": "cell", "is_counted": True, "um_per_px": 0.1, "field_faults": "",
    } | changes  # fmt: skip


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    rows = [
        _row("a.png"),
        _row("b.png", is_cut=True, is_counted=False, field_faults="too thick"),
        _row("c.png", kind="smudge", is_counted=False),
    ]
    for row in rows:
        write_png(tmp_path / str(row["path"]), np.full((20, 20, 3), 200, np.uint8))
    pd.DataFrame(rows).to_parquet(tmp_path / "cells.parquet")
    pd.DataFrame({"field": ["s1/a.jpg"], "cells": [2]}).to_csv(tmp_path / "fields.csv", index=False)
    return tmp_path


@pytest.mark.parametrize(("path", "layout"), [("", "images"), ("", "auto"),
                                              ("cells.parquet", "auto")])  # fmt: skip
def test_smudges_are_left_out_and_the_others_know_their_field(
    cells: Path, path: str, layout: str
) -> None:
    found = read(cells / path, layout)
    assert found.frame["cell_id"].tolist() == ["a.png", "b.png"]
    assert found.frame["slide_id"].tolist() == ["s1", "s1"]
    assert found.frame["field_box"].tolist() == ["1,2,30,40"] * 2
    assert found.frame["box"].isna().all()  # the picture is the crop itself
    assert found.frame["is_counted"].tolist() == [True, False]
    assert found.frame["field_faults"].tolist() == ["", "too thick"]
    said = " ".join(text for _, text in found.statement.lines())
    assert "1 smudge left out" in said
    assert "columns ignored" not in said


def test_labels_beside_the_crops_are_read_as_ever(cells: Path) -> None:
    labels = pd.DataFrame({"ID": ["a.png", "b.png", "c.png"], "label": ["LY", "MO", "LY"]})
    labels.to_csv(cells / "labels.csv", index=False)
    assert read(cells).frame["label"].tolist() == ["LY", "MO"]


def test_a_slide_of_another_table_counts(cells: Path) -> None:
    said = pd.DataFrame({"ID": ["a.png", "b.png", "c.png"], "slide_id": ["x", "", "y"]})
    said.to_csv(cells / "slides.csv", index=False)
    assert read(cells, "images").frame["slide_id"].tolist() == ["x", "s1"]


def test_a_crop_that_is_gone_is_said(cells: Path) -> None:
    (cells / "a.png").unlink()
    found = read(cells, "images")
    assert found.frame["cell_id"].tolist() == ["b.png"]
    assert any("not among the pictures: 1 cell of cells.parquet" in n for n in found.notes)


def test_smudges_alone_are_refused(cells: Path) -> None:
    for name in ("a.png", "b.png"):
        (cells / name).unlink()
    with pytest.raises(ManifestError, match="smudges only"):
        read(cells, "images")


def test_another_table_of_that_name_says_nothing(cells: Path) -> None:
    pd.DataFrame({"cell_id": ["a.png"], "path": ["a.png"]}).to_parquet(cells / "cells.parquet")
    assert len(read(cells, "images")) == 3
