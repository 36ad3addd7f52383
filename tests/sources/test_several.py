"""Data sets of several laboratories, read as one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from buffycoat.errors import ManifestError
from buffycoat.sources.options import Reading
from buffycoat.sources.several import name_sites, read_sites


def _site(folder: Path, table: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "cells.csv").write_text(table)
    for line in table.splitlines()[1:]:
        cv2.imwrite(str(folder / line.split(",")[0]), np.full((8, 8, 3), 200, np.uint8))
    return folder


@pytest.fixture
def two(tmp_path: Path) -> dict[str, Path]:
    ours = _site(
        tmp_path / "ours", "path,label,patient_id,split\n1.png,SNE,p1,train\n2.png,LY,p2,val\n"
    )
    theirs = _site(tmp_path / "theirs", "path,label,patient_id\n1.png,NE,p1\n3.png,artefact,p9\n")
    return {"ours": ours, "theirs": theirs}


def test_cells_of_two_sites_stay_apart_though_their_names_are_the_same(
    two: dict[str, Path],
) -> None:
    found = read_sites(two, reading=Reading(leave_out=("artefact",)))
    frame = found.frame
    assert frame["cell_id"].tolist() == ["ours/1.png", "ours/2.png", "theirs/1.png"]
    assert frame["patient_id"].tolist() == ["ours/p1", "ours/p2", "theirs/p1"]
    assert frame["site"].tolist() == ["ours", "ours", "theirs"]
    assert frame["label"].tolist() == ["SNE", "LY", "NE"]
    assert frame["slide_id"].isna().all()
    assert frame["split"].tolist() == ["train", "eval", "train"]


def test_the_statement_is_of_all_of_them(two: dict[str, Path]) -> None:
    said = read_sites(two, reading=Reading(leave_out=("artefact",))).statement
    assert said.n_files == 4
    assert said.patients == 3
    assert said.cells == {"train": {"SNE": 1, "NE": 1}, "eval": {"LY": 1}}
    assert said.left_out == {"artefact": 1}
    assert said.tables_used == ("ours/cells.csv", "theirs/cells.csv")
    assert said.groups == {"NE": ("SNE", "BNE")}
    assert all(f"{site} (" in dict(said.lines())["Data"] for site in two)


def test_one_data_set_keeps_its_ids_and_gets_its_site(two: dict[str, Path]) -> None:
    frame = read_sites({"ours": two["ours"]}).frame
    assert frame["cell_id"].tolist() == ["1.png", "2.png"]
    assert frame["site"].tolist() == ["ours", "ours"]


def test_what_is_left_out_nowhere_is_an_error(two: dict[str, Path]) -> None:
    with pytest.raises(ManifestError, match=r"'blast'.*ours, theirs"):
        read_sites(two, reading=Reading(leave_out=("artefact", "blast")))


def test_sites_are_called_as_their_folders_or_as_they_are_named(two: dict[str, Path]) -> None:
    ours, theirs = two.values()
    assert name_sites([ours, f"second={theirs}"]) == {"ours": ours, "second": theirs}
    assert name_sites([str(theirs / "cells.csv")]) == {"cells": theirs / "cells.csv"}


def test_a_path_that_holds_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    folder = tmp_path / "a=b"
    folder.mkdir()
    assert name_sites([folder]) == {"a=b": folder}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{ours}", "{ours}"), r"two data sets are called 'ours'.*ours-2="),
        (("x={ours}", "x={theirs}"), "two data sets are called 'x'"),
        (("={ours}",), "expected NAME=PATH"),
        (("x={ours}/none",), "no such file or folder"),
        (("{ours}/none",), "no such file or folder"),
    ],
)
def test_names_that_cannot_be_used(
    two: dict[str, Path], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ManifestError, match=message):
        name_sites([argument.format(**two) for argument in arguments])
