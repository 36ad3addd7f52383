from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from buffycoat.errors import ConfigError, OutputError
from buffycoat.simulate.recipes import RECIPES
from buffycoat.simulate.render import (
    LONG_TAIL_COUNTS,
    RenderedCell,
    render_benchmark,
    render_cell,
)
from buffycoat.taxonomy import WBCBENCH

CELLS_PER_CLASS = 12


@lru_cache
def cells(code: str) -> list[RenderedCell]:
    rng = np.random.default_rng(sum(code.encode()))
    return [render_cell(code, rng, 96) for _ in range(CELLS_PER_CLASS)]


def nucleus_share(cell: RenderedCell) -> float:
    return float(cell.nucleus_mask.sum() / cell.cell_mask.sum())


def solidity(mask: np.ndarray) -> float:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    hull = cv2.convexHull(np.concatenate(outlines))
    return float(mask.sum() / max(cv2.contourArea(hull), 1.0))


def lobes(cell: RenderedCell) -> float:
    """Pieces left of the nucleus where it is over half as thick as at its thickest."""
    depth = cv2.distanceTransform(cell.nucleus_mask.astype(np.uint8), cv2.DIST_L2, 5)
    return cv2.connectedComponents((depth > 0.5 * depth.max()).astype(np.uint8))[0] - 1


def spikiness(mask: np.ndarray) -> float:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)[:, 0].astype(np.float64)
    reach = np.hypot(*(outline - outline.mean(axis=0)).T)
    return float(reach.max() / np.median(reach))


def cytoplasm_colour(cell: RenderedCell) -> np.ndarray:
    return cell.image[cell.cell_mask & ~cell.nucleus_mask].mean(axis=0)


def median(code: str, measure: Callable[[RenderedCell], float]) -> float:
    return float(np.median([measure(cell) for cell in cells(code)]))


def test_recipes_hold_wbcbench_and_the_erythroblast() -> None:
    assert set(RECIPES) == {*WBCBENCH.codes, "ERB"}


@pytest.mark.parametrize("code", RECIPES)
def test_masks_fit_each_other_and_the_picture(code: str) -> None:
    for cell in cells(code):
        assert cell.image.shape == (96, 96, 3)
        assert cell.image.dtype == np.uint8
        assert cell.code == code
        assert cell.nucleus_mask.any()
        assert not (cell.nucleus_mask & ~cell.cell_mask).any()
        assert (cell.cell_mask & ~cell.nucleus_mask).any()
        pieces, _ = cv2.connectedComponents(cell.cell_mask.astype(np.uint8))
        assert pieces == 2
        green = cell.image[..., 1].astype(float)
        assert green[cell.nucleus_mask].mean() < green[~cell.cell_mask].mean() - 50


def test_same_seed_same_cell() -> None:
    first, again, other = (render_cell("MO", np.random.default_rng(s), 64) for s in (5, 5, 6))
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.nucleus_mask, again.nucleus_mask)
    assert not np.array_equal(first.image, other.image)


def test_nucleus_to_cell_ratio_follows_the_class() -> None:
    for full in ("LY", "BL", "PLY"):
        for empty in ("SNE", "EO", "PC"):
            assert median(full, nucleus_share) > median(empty, nucleus_share) + 0.1
    assert median("BL", nucleus_share) > median("MY", nucleus_share)


def test_nucleus_is_more_indented_with_maturation() -> None:
    steps = [
        median(code, lambda cell: solidity(cell.nucleus_mask)) for code in ("MY", "MMY", "BNE")
    ]
    assert np.all(np.diff(steps) < 0), steps


def test_segmented_nuclei_have_lobes_and_bands_have_none() -> None:
    mean = {code: np.mean([lobes(cell) for cell in cells(code)]) for code in ("SNE", "EO", "BNE")}
    assert mean["BNE"] < 1.3 < mean["EO"] < 2.2
    assert mean["SNE"] > 1.9


def test_prolymphocyte_is_spikier_than_a_lymphocyte() -> None:
    assert median("PLY", lambda cell: spikiness(cell.cell_mask)) > 1.3
    assert median("LY", lambda cell: spikiness(cell.cell_mask)) < 1.2


def test_cytoplasm_colours() -> None:
    """Red over blue: orange granules above pink above gray-blue above deep blue."""

    def red_over_blue(cell: RenderedCell) -> float:
        red, _, blue = cytoplasm_colour(cell)
        return red / blue

    order = [median(code, red_over_blue) for code in ("EO", "SNE", "MO", "PC")]
    assert np.all(np.diff(order) < -0.05), order


def test_sizes() -> None:
    area = {code: median(code, lambda cell: float(cell.cell_mask.sum())) for code in RECIPES}
    assert area["LY"] < area["SNE"] < area["PMY"]
    assert area["ERB"] < area["PLY"] < area["VLY"]


def test_picture_is_the_same_scene_at_any_size() -> None:
    small = render_cell("SNE", np.random.default_rng(0), 80)
    large = render_cell("SNE", np.random.default_rng(0), 160)
    assert abs(small.cell_mask.mean() - large.cell_mask.mean()) < 0.01


def test_unknown_class_and_tiny_size() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'SNE'"):
        render_cell("SNEE", np.random.default_rng(0))
    with pytest.raises(ConfigError, match="size_px"):
        render_cell("SNE", np.random.default_rng(0), 8)


def test_long_tail_counts() -> None:
    assert set(LONG_TAIL_COUNTS) == set(WBCBENCH.codes)
    assert 650 <= sum(LONG_TAIL_COUNTS.values()) <= 750
    assert max(LONG_TAIL_COUNTS.values()) == 150
    assert sorted(LONG_TAIL_COUNTS, key=LONG_TAIL_COUNTS.__getitem__)[:2] == ["PC", "PLY"]


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_benchmark_has_the_kaggle_layout(tmp_path: Path) -> None:
    counts = {"SNE": 20, "LY": 13, "PLY": 2}
    seen: list[tuple[int, int]] = []
    folder = tmp_path / "rendered"
    rows = render_benchmark(
        folder, counts, 4, 3, seed=1, size_px=48, on_progress=lambda i, n: seen.append((i, n))
    )
    assert len(rows) == 35 + 3 * 4 + 3 * 3
    assert seen[-1] == (len(rows), len(rows))
    tables = {path.name: read(path) for path in folder.glob("*.csv")}
    assert tables["phase1_label.csv"][0] == ["ID", "labels", "split", "", "", ""]
    assert tables["phase2_train.csv"][0] == ["ID", "labels", "split"]
    assert tables["phase2_eval_severity.csv"][0] == ["ID", "severity"]
    assert tables["phase2_test.csv"][0] == ["ID", "labels"]
    assert {line[1] for line in tables["phase2_test.csv"][1:]} == {""}
    train = tables["phase1_label.csv"][1:] + tables["phase2_train.csv"][1:]
    assert Counter(line[1] for line in train) == counts
    assert Counter(line[1] for line in tables["phase2_eval.csv"][1:]) == dict.fromkeys(counts, 4)
    for name, place in (
        ("phase1_label.csv", "phase1"),
        ("phase2_train.csv", "phase2/train"),
        ("phase2_eval.csv", "phase2/eval"),
        ("phase2_test.csv", "phase2/test"),
    ):
        files = sorted(path.name for path in (folder / place).iterdir())
        assert files == [line[0] for line in tables[name][1:]]
    image = cv2.imread(str(folder / "phase1" / tables["phase1_label.csv"][1][0]))
    assert image is not None
    assert image.shape == (48, 48, 3)
    with pytest.raises(OutputError, match="not empty"):
        render_benchmark(folder, counts, 1, 1, seed=1)


def test_benchmark_is_seeded_and_its_order_tells_nothing(tmp_path: Path) -> None:
    counts = {"SNE": 30, "LY": 30}
    first = render_benchmark(tmp_path / "a", counts, 1, 1, seed=3, size_px=32)
    again = render_benchmark(tmp_path / "b", counts, 1, 1, seed=3, size_px=32)
    assert first == again
    for path in (tmp_path / "a").rglob("*.jpg"):
        twin = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == twin.read_bytes()
    repeats = np.mean([a.code == b.code for a, b in pairwise(first)])
    assert 0.3 < repeats < 0.7


@pytest.mark.parametrize("counts", [{"XYZ": 1}, {"SNE": -1}, {}, {"SNE": 0}])
def test_benchmark_refuses_bad_counts(tmp_path: Path, counts: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        render_benchmark(tmp_path / "x", counts, 0, 0, seed=0)
    assert not (tmp_path / "x").exists()


def test_benchmark_into_an_unwritable_place(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        render_benchmark(tmp_path / "file" / "x", {"SNE": 1}, 0, 0, seed=0)
