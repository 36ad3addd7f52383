"""Copies among training cells are found once, and kept in one fold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from buffycoat.cells import Manifest
from buffycoat.config import Config
from buffycoat.learn import copies, prepare
from buffycoat.learn.stage_store import StageStore
from buffycoat.learn.training_set import build_training_set
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read
from buffycoat.taxonomy import resolve

CODES = ("SNE", "LY", "MO")
N = 3
CHANGES = (
    lambda image: image,
    ImageOps.mirror,
    lambda image: image.rotate(90),
    lambda image: image.rotate(20, Image.Resampling.BICUBIC),
    lambda image: ImageEnhance.Brightness(image).enhance(1.5),
    lambda image: image.crop((12, 12, 84, 84)).resize((96, 96)),
)


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Three photographs a class, each six times."""
    folder = tmp_path_factory.mktemp("copies")
    for code in CODES:
        (folder / code).mkdir()
        for number in range(N):
            rng = np.random.default_rng([number, *map(ord, code)])
            image = Image.fromarray(render_cell(code, rng, 96).image)
            for way, change in enumerate(CHANGES):
                change(image).save(folder / code / f"{number}_{way}.png")
    return read(folder, "folders")


def _photograph(manifest: Manifest) -> list[str]:
    return [str(path).rpartition("_")[0] for path in manifest.column("path")]


def test_every_copy_has_the_number_of_its_photograph(
    cells: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = [str(row) for row in range(len(cells))]
    found = copies.find_photographs(cells, digests, StageStore(tmp_path))
    names = _photograph(cells)
    assert len(set(zip(found.tolist(), names, strict=True))) == len(set(names)) == 3 * N
    assert len(set(found.tolist())) == 3 * N
    monkeypatch.setattr(copies, "scan", None)  # a second call reads no file
    again = copies.find_photographs(cells, digests, StageStore(tmp_path))
    np.testing.assert_array_equal(found, again)


def test_what_the_data_itself_calls_copies_is_believed(cells: Manifest, tmp_path: Path) -> None:
    names = cells.column("cell_id")
    frame = cells.frame.assign(original_id=[names[0], *[None] * (len(names) - 2), names[0]])
    stated = Manifest.from_frame(frame, "stated")
    digests = [str(row) for row in range(len(cells))]
    found = copies.find_photographs(stated, digests, StageStore(tmp_path))
    assert found[0] == found[-1]
    assert len(set(found.tolist())) == 3 * N - 1


def test_folds_and_intervals_count_a_photograph_once(
    cells: Manifest, tiny_settings: Config, tmp_path: Path
) -> None:
    readable = prepare.load_cells(cells, tiny_settings, None, Silent(), 0)
    taxonomy = resolve("auto", CODES)
    data = build_training_set(readable, taxonomy, tiny_settings, StageStore(tmp_path))
    names = np.array(_photograph(readable.manifest))
    for name in set(names.tolist()):
        assert len(set(data.folds.fold[names == name].tolist())) == 1
    assert any("9 photographs have copies: the 54 cells" in note for note in data.folds.notes)
    assert len(set(data.groups.tolist())) == 3 * N
    assert data.groups.shape == (2 * len(cells),)
    assert data.seen_by(readable.images, np.arange(6)).patients is not None
