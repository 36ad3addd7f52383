"""Cells without labels: what is read, and what is left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from buffycoat.config import Config
from buffycoat.errors import ManifestError
from buffycoat.learn import unlabelled
from buffycoat.learn.stage_store import StageStore
from buffycoat.progress import Silent
from buffycoat.sources.read import read
from buffycoat.sources.several import read_sites


class Words(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        """Keep it."""
        self.said.append(text)


def _load(folder: Path, known: Path, settings: Config, scratch: Path) -> unlabelled.UnlabelledCells:
    cells = unlabelled.read_cells([folder], Silent())
    store = StageStore(scratch / "stages")
    return unlabelled.load(cells, read(known), settings, scratch, store, Silent())


def test_copies_of_labelled_and_held_out_cells_are_left_out(
    archive: Path, rendered_cells: Path, tiny_settings: Config, tmp_path: Path
) -> None:
    folder = shutil.copytree(archive, tmp_path / "archive")
    known = read(rendered_cells)
    for split in ("train", "eval", "test"):
        source = Path(next(known.of_split(split).refs()).path)
        Image.open(source).transpose(Image.Transpose.ROTATE_90).save(folder / f"{split}.png")
    shutil.copy(folder / "cell00.png", folder / "again.png")
    found = _load(folder, rendered_cells, tiny_settings, tmp_path)
    assert found.left_out[unlabelled.COPY] == 4
    assert len(found.cells.manifest) == 30
    assert "30 of 34" in found.sentence
    assert f"4 {unlabelled.COPY}" in found.sentence
    lost = found.given[found.given["left_out"] == unlabelled.COPY]
    assert {Path(path).name for path in lost["path"]} == {
        "train.png",
        "eval.png",
        "test.png",
        "cell00.png",
    }
    of = dict(zip((Path(path).name for path in lost["path"]), lost["copy_of"], strict=True))
    for split in ("train", "eval", "test"):
        assert of[f"{split}.png"] == known.of_split(split).frame["cell_id"].iloc[0]
    assert of["cell00.png"].endswith("archive:again.png")
    assert set(found.given.loc[found.given["left_out"] != unlabelled.COPY, "copy_of"]) == {""}


def test_unreadable_and_empty_pictures_are_left_out_and_counted(
    archive: Path, rendered_cells: Path, tiny_settings: Config, tmp_path: Path
) -> None:
    folder = shutil.copytree(archive, tmp_path / "archive")
    (folder / "torn.png").write_bytes((folder / "cell00.png").read_bytes()[:200])
    rng = np.random.default_rng(0)
    plain = np.clip(rng.normal(235, 2, (96, 96, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(plain).save(folder / "glass.png")
    found = _load(folder, rendered_cells, tiny_settings, tmp_path)
    assert found.left_out[unlabelled.UNREADABLE] == 1
    assert found.left_out[unlabelled.NO_CELL] == 1
    assert len(found.cells.manifest) == 30
    assert "1 unreadable, 1 without a cell in the picture" in found.sentence
    table = pd.read_csv(tmp_path / unlabelled.TABLE, keep_default_na=False)
    assert len(table) == 32
    torn = table[table["path"].str.endswith("torn.png")].iloc[0]
    assert torn["left_out"] == unlabelled.UNREADABLE
    assert torn["fault"]


def test_cells_of_a_patient_whose_cells_are_labelled_are_left_out(
    archive: Path, rendered_cells: Path, tiny_settings: Config, tmp_path: Path
) -> None:
    known = read(rendered_cells)
    known.frame.loc[0, "patient_id"] = "P1"
    cells = unlabelled.read_cells([archive], Silent())
    cells.frame.loc[:3, "patient_id"] = "P1"
    cells.frame.loc[4:, "patient_id"] = "P2"
    store = StageStore(tmp_path / "stages")
    found = unlabelled.load(cells, known, tiny_settings, tmp_path, store, Silent())
    assert found.left_out[unlabelled.PATIENT] == 4
    assert len(found.cells.manifest) == 26


def test_patients_and_originals_of_a_data_set_of_several_sites_are_known(
    archive: Path, rendered_cells: Path, tiny_settings: Config, tmp_path: Path
) -> None:
    table = tmp_path / "labelled.csv"
    paths = [str(ref.path) for ref in read(rendered_cells).of_split("train").refs()]
    frame = pd.DataFrame({"path": paths, "label": "LY", "patient_id": "P2"})
    frame.loc[0, "patient_id"] = "P1"
    frame.to_csv(table, index=False)
    known = read_sites({"north": table, "south": rendered_cells})
    assert "north/P1" in set(known.frame["patient_id"])
    cells = unlabelled.read_cells([archive], Silent())
    cells.frame.loc[:3, "patient_id"] = "P1"
    cells.frame.loc[4, "original_id"] = known.frame.loc[0, "cell_id"].removeprefix("north/")
    store = StageStore(tmp_path / "stages")
    found = unlabelled.load(cells, known, tiny_settings, tmp_path, store, Silent())
    assert found.left_out[unlabelled.PATIENT] == 4
    assert found.left_out[unlabelled.COPY] == 1
    assert len(found.cells.manifest) == 25


def test_labels_of_unlabelled_cells_are_not_read_and_that_is_said(
    archive: Path, tmp_path: Path
) -> None:
    names = sorted(file.name for file in archive.glob("*.png"))
    table = tmp_path / "cells.csv"
    given = pd.DataFrame({"path": [str(archive / n) for n in names], "label": "SNE"})
    given.assign(split="left", severity="high").to_csv(table)  # nor is it asked what they hold
    words = Words()
    cells = unlabelled.read_cells([table], words)
    assert len(cells) == 30
    assert not cells.is_labelled.any()
    assert any("not asked for and not read: label, split, severity" in said for said in words.said)


def test_smudges_that_find_cut_out_are_left_out_and_counted(archive: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(archive, tmp_path / "found")
    names = sorted(file.name for file in folder.glob("*.png"))
    table = pd.DataFrame({"cell_id": names, "path": names, "slide_id": "s", "field": "f"})
    table = table.assign(box="0,0,9,9", um_per_px=0.1, is_cut=False, is_counted=True)
    table = table.assign(field_faults="", kind=["smudge"] * 2 + ["cell"] * (len(names) - 2))
    table.to_parquet(folder / "cells.parquet", index=False)
    words = Words()
    cells = unlabelled.read_cells([folder], words)
    assert len(cells) == len(names) - 2
    assert any("2 smudges left out" in said for said in words.said)


def test_ten_cells_are_too_few(archive: Path, tmp_path: Path) -> None:
    for number in range(10):
        shutil.copy(archive / f"cell{number:02}.png", tmp_path)
    with pytest.raises(ManifestError, match="10 unlabelled cells, expected at least 20"):
        unlabelled.read_cells([tmp_path], Silent())


def test_where_too_few_are_left_the_table_says_why(
    archive: Path, rendered_cells: Path, tiny_settings: Config, tmp_path: Path
) -> None:
    folder = shutil.copytree(archive, tmp_path / "archive")
    for number in range(15):
        (folder / f"cell{number:02}.png").write_bytes(b"torn")
    with pytest.raises(ManifestError, match=r"15 of 30 .*15 unreadable; .*unlabelled_cells\.csv"):
        _load(folder, rendered_cells, tiny_settings, tmp_path)
    table = pd.read_csv(tmp_path / unlabelled.TABLE)
    assert table["left_out"].tolist().count(unlabelled.UNREADABLE) == 15


def test_an_error_says_that_the_unlabelled_cells_are_meant(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone"):
        with pytest.raises(ManifestError, match=r"^unlabelled cells: "):
            unlabelled.read_cells([path], Silent())
