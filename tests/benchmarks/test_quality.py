from __future__ import annotations

import numpy as np
import pytest
from benchmarks.twins import Twins

from benchmarks import quality


@pytest.fixture
def cells(rng: np.random.Generator) -> Twins:
    clean = rng.integers(60, 200, (12, 16, 16, 3), dtype=np.uint8)
    noise = rng.integers(-40, 41, clean.shape)
    degraded = np.clip(clean.astype(int) + noise, 0, 255).astype(np.uint8)
    return Twins("trial", degraded, clean, np.repeat([0, 2, 3], 4), np.arange(12), np.full(12, ""))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _scores(cells: Twins, found: np.ndarray) -> dict[str, np.ndarray]:
    changed = (found != cells.degraded).any(axis=(1, 2, 3))
    return quality.compare(cells.clean, found) | {"changed": changed}


def test_psnr_is_what_its_definition_says(cells: Twins) -> None:
    found = quality.compare(cells.clean, cells.degraded)
    mse = ((cells.clean.astype(float) - cells.degraded) ** 2).mean(axis=(1, 2, 3))
    np.testing.assert_allclose(found["mse"], mse)
    np.testing.assert_allclose(found["psnr"], 10 * np.log10(255**2 / mse))


def test_equal_images_count_as_the_ceiling(cells: Twins) -> None:
    found = quality.compare(cells.clean, cells.clean)
    assert (found["psnr"] == quality.PSNR_CEILING_DB).all()
    np.testing.assert_allclose(found["ssim"], 1.0)
    assert quality.psnr_of_mean(found["mse"]) == quality.PSNR_CEILING_DB


def test_no_image_passes_the_ceiling() -> None:
    clean = np.full((1, 64, 64, 3), 100, dtype=np.uint8)
    nearly = clean.copy()
    nearly[0, 0, 0, 0] += 1
    assert quality.compare(clean, nearly)["psnr"][0] == quality.PSNR_CEILING_DB


def test_more_versions_of_a_cell_do_not_make_the_mean_surer(rng: np.random.Generator) -> None:
    values, names = rng.normal(size=40), np.arange(40)
    once = quality.mean_interval(values, names)
    again = quality.mean_interval(np.tile(values, 5), np.tile(names, 5))
    assert again["mean"] == pytest.approx(once["mean"])
    assert again["high"] - again["low"] == pytest.approx(once["high"] - once["low"], rel=0.1)
    assert (again["n"], again["cells"]) == (200, 40)


def test_differences_are_ours_minus_the_others_on_the_same_cells(cells: Twins) -> None:
    better = (cells.clean // 2 + cells.degraded // 2).astype(np.uint8)
    scores = {
        "identity": _scores(cells, cells.degraded),
        "half": _scores(cells, better),
        "ours": _scores(cells, cells.clean),
    }
    table = quality.tabulate(scores, cells, ("ours",))
    assert list(table) == ["0", "2", "3", "0-1", "2-4", "all"]
    assert table["2-4"]["n"] == 8
    gap = quality.gap(table["2-4"], "ours")
    assert gap["best_other"] == "half"
    rows = cells.severity >= 2
    expected = quality.PSNR_CEILING_DB - scores["half"]["psnr"][rows].mean()
    assert gap["mean"] == pytest.approx(expected)
    assert gap["low"] <= gap["mean"] <= gap["high"]
    assert table["all"]["methods"]["identity"]["share_changed"] == 0
    assert table["all"]["methods"]["ours"]["share_changed"] == 1


def test_cells_of_known_kind_are_tabulated_by_kind(cells: Twins) -> None:
    kinds = np.repeat(["noise", "salt_and_pepper", "defocus"], 4)
    known = Twins("k", cells.degraded, cells.clean, cells.severity, cells.cell, kinds)
    names = [name for name, _ in quality.groups(known)]
    assert names == ["noise", "salt_and_pepper", "noise, all", "defocus", "blur, all", "all"]


def test_the_table_has_a_line_a_method(cells: Twins) -> None:
    scores = {"identity": _scores(cells, cells.degraded), "ours": _scores(cells, cells.clean)}
    lines = quality.markdown(quality.tabulate(scores, cells, ("ours",))).splitlines()
    assert lines[2] == "| cells | 4 | 4 | 4 | 4 | 8 | 12 |"
    assert lines[-1].startswith("| ours | 60.0 / 1.000 |")
