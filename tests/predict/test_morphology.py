from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from buffycoat import images
from buffycoat.errors import ConfigError
from buffycoat.predict import morphology
from buffycoat.refine.features import NAMES, measure
from buffycoat.segment.stain import segment
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read

CODES = ("SNE", "LY", "MO", "EO")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four cells, one of them in a wide photograph, a blank image and a broken file."""
    place = tmp_path_factory.mktemp("cells")
    rng = np.random.default_rng(0)
    for number, code in enumerate(CODES):
        image = render_cell(code, rng, size_px=160 + 40 * number).image
        if number == 3:
            image = np.pad(image, ((0, 0), (30, 30), (0, 0)), constant_values=245)
        images.write_png(place / f"{code}.png", image)
    images.write_png(place / "blank.png", np.full((100, 100, 3), 240, np.uint8))
    (place / "broken.png").write_bytes(b"no image")
    return place


@pytest.fixture(scope="module")
def found(folder: Path) -> morphology.Morphology:
    return morphology.measure_manifest(read(folder, "images"), um_per_px=0.1)


def test_a_row_a_cell_with_what_measure_gives(found, folder: Path) -> None:
    assert found.frame.columns.tolist() == morphology.column_names(is_scaled=True)
    assert len(set(found.frame.columns)) == len(found.frame.columns)
    rows = found.frame.set_index("cell_id")
    assert sorted(rows.index) == ["EO.png", "LY.png", "MO.png", "SNE.png", "blank.png"]
    for name in ("LY.png", "EO.png"):
        image = images.read(folder / name)
        side = min(image.shape[:2])
        left = (image.shape[1] - side) // 2
        square = image[:, left : left + side]
        masks = segment(square)
        expected = measure(square, masks.cell, masks.nucleus)
        assert np.array_equal(rows.loc[name, list(NAMES)].to_numpy(float), expected, equal_nan=True)
        assert rows.loc[name, "mask_quality"] == masks.quality
        assert rows.loc[name, "image_px"] == side
        assert rows.loc[name, "cell_area_px"] == masks.cell.sum()


def test_micrometres_follow_from_pixels(found) -> None:
    rows = found.frame
    assert rows["cell_area_um2"].to_numpy() == pytest.approx(
        rows["cell_area_px"].to_numpy() * 0.01, nan_ok=True
    )
    assert rows["nucleus_diameter_um"].to_numpy() == pytest.approx(
        rows["nucleus_diameter_px"].to_numpy() * 0.1, nan_ok=True
    )


def test_what_cannot_be_measured_is_told(found) -> None:
    blank = found.frame.set_index("cell_id").loc["blank.png"]
    assert blank["mask_quality"] == 0
    assert blank[list(NAMES)].isna().all()
    assert found.n_without_cell == 1
    (bad,) = found.bad
    assert bad.cell_id == "broken.png"
    assert "known format" in bad.reason


def test_area_is_that_of_the_photograph(tmp_path: Path) -> None:
    """Twice the pixels a side, four times the area; the masks are found at one size."""
    image = render_cell("LY", np.random.default_rng(3), size_px=200).image
    large = np.repeat(np.repeat(image, 2, axis=0), 2, axis=1)
    images.write_png(tmp_path / "a.png", image)
    images.write_png(tmp_path / "b.png", large)
    small, twice = morphology.measure_manifest(read(tmp_path, "images")).frame["cell_area_px"]
    assert twice / small == pytest.approx(4, rel=0.05)


def test_other_processes_give_the_same(found, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(morphology, "POOL_CELLS", 1)
    seen: list[tuple[int, int]] = []

    class Watching(morphology.Silent):
        def advance(self, done: int, total: int) -> None:
            seen.append((done, total))

    manifest = read(folder, "images")
    apart = morphology.measure_manifest(manifest, 0.1, workers=2, reporter=Watching())
    assert apart.frame.equals(found.frame)
    assert apart.bad == found.bad
    assert seen == [(done, 6) for done in range(1, 7)]


def test_no_readable_cell_gives_an_empty_table(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"")
    empty = morphology.measure_manifest(read(tmp_path, "images"))
    assert len(empty.frame) == 0
    assert empty.frame.columns.tolist() == morphology.column_names()
    assert len(empty.bad) == 1


@pytest.mark.parametrize(("um", "workers"), [(0.0, None), (float("nan"), None), (None, 0)])
def test_settings_that_make_no_sense_are_refused(folder: Path, um, workers) -> None:
    with pytest.raises(ConfigError, match="expected"):
        morphology.measure_manifest(read(folder, "images"), um, workers)
