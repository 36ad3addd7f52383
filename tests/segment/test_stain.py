from __future__ import annotations

import cv2
import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.segment import stain
from buffycoat.segment.stain import segment, segment_all

BACKGROUND = (250, 228, 205)
RED_CELL = (215, 165, 160)
CYTOPLASM = (165, 165, 205)
CHROMATIN = (75, 45, 130)


def draw(side: int = 224, red: bool = True, lobes: bool = False) -> tuple[np.ndarray, ...]:
    """A white cell with known masks among red cells."""
    image = np.full((side, side, 3), BACKGROUND, np.uint8)
    unit = side / 224
    if red:
        for x, y in ((30, 40), (190, 60), (60, 200), (170, 190)):
            cv2.circle(image, (round(x * unit), round(y * unit)), round(26 * unit), RED_CELL, -1)
    cell = np.zeros((side, side), np.uint8)
    nucleus = cell.copy()
    cv2.circle(cell, (round(114 * unit), round(110 * unit)), round(44 * unit), 1, -1)
    centres = ((95, 105), (130, 100), (118, 130)) if lobes else ((105, 106),)
    for x, y in centres:
        radius = 13 if lobes else 28
        cv2.circle(nucleus, (round(x * unit), round(y * unit)), round(radius * unit), 1, -1)
    image[cell > 0] = CYTOPLASM
    image[nucleus > 0] = CHROMATIN
    return image, cell > 0, nucleus > 0


def dice(found: np.ndarray, true: np.ndarray) -> float:
    return 2 * (found & true).sum() / (found.sum() + true.sum())


@pytest.mark.parametrize("side", [96, 224, 368])
@pytest.mark.parametrize("lobes", [False, True])
def test_finds_cell_and_nucleus(side: int, lobes: bool) -> None:
    image, cell, nucleus = draw(side, lobes=lobes)
    masks = segment(image)
    assert masks.cell.shape == (side, side)
    assert masks.cell.dtype == bool
    assert dice(masks.cell, cell) > 0.95
    assert dice(masks.nucleus, nucleus) > 0.93
    assert masks.quality > 0.8


def test_red_cells_are_left_out() -> None:
    image, cell, _ = draw()
    cv2.circle(image, (182, 110), 26, RED_CELL, -1)
    masks = segment(image)
    assert dice(masks.cell, cell) > 0.9


def test_second_white_cell_at_the_border_is_left_out() -> None:
    image, cell, nucleus = draw()
    cv2.circle(image, (214, 20), 36, CYTOPLASM, -1)
    cv2.circle(image, (216, 16), 28, CHROMATIN, -1)
    masks = segment(image)
    assert dice(masks.nucleus, nucleus) > 0.93
    assert dice(masks.cell, cell) > 0.9


def test_tolerates_colour_cast_and_uneven_light() -> None:
    image, cell, nucleus = draw()
    light = np.linspace(0.55, 1.0, 224)[None, :, None] * np.array([0.95, 1.0, 0.8])
    masks = segment((image * light).astype(np.uint8))
    assert dice(masks.nucleus, nucleus) > 0.9
    assert dice(masks.cell, cell) > 0.9


def test_tolerates_noise_and_blur() -> None:
    image, cell, nucleus = draw()
    noise = np.random.default_rng(0).normal(0, 18, image.shape)
    noisy = np.clip(cv2.GaussianBlur(image, (0, 0), 1.5) + noise, 0, 255).astype(np.uint8)
    masks = segment(noisy)
    assert dice(masks.nucleus, nucleus) > 0.9
    assert dice(masks.cell, cell) > 0.88


@pytest.mark.parametrize("value", [0, 128, 255])
def test_blank_image_gives_empty_masks(value: int) -> None:
    masks = segment(np.full((64, 64, 3), value, np.uint8))
    assert not masks.cell.any()
    assert not masks.nucleus.any()
    assert masks.quality == 0.0


def test_red_cells_alone_give_empty_masks() -> None:
    image = np.full((224, 224, 3), BACKGROUND, np.uint8)
    cv2.circle(image, (112, 112), 30, RED_CELL, -1)
    assert segment(image).quality == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_any_pixels_give_nested_masks(seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (1 + 40 * seed, 77, 3), dtype=np.uint8)
    masks = segment(image)
    assert masks.cell.shape == image.shape[:2]
    assert not (masks.nucleus & ~masks.cell).any()
    assert 0.0 <= masks.quality <= 1.0


def test_cut_cell_has_lower_quality() -> None:
    image, _, _ = draw()
    whole, cut = segment(image), segment(np.ascontiguousarray(image[:, 96:]))
    assert cut.quality < whole.quality


def test_wrong_image_says_what_it_got() -> None:
    with pytest.raises(ShapeError, match=r"\(8, 8\), float64"):
        segment(np.zeros((8, 8)))


def test_batch_equals_single_and_reports_progress() -> None:
    blank = np.full((96, 96, 3), 255, np.uint8)
    images = np.stack([draw(96)[0], blank, draw(96, lobes=True)[0]] * 6)
    seen: list[tuple[int, int]] = []
    batch = segment_all(images, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 18) for done in range(1, 19)]
    for image, masks in zip(images, batch, strict=True):
        assert np.array_equal(masks.cell, segment(image).cell)
        assert masks.quality == segment(image).quality


@pytest.mark.real
def test_expert_masks(seg_wbc) -> None:
    scores = []
    for path in sorted(seg_wbc.glob("*_mask.png")):
        image = cv2.imread(str(path.with_name(path.name.replace("_mask", ""))))
        truth = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        masks = segment(np.ascontiguousarray(image[..., ::-1]))
        scores.append((dice(masks.nucleus, truth == 2), dice(masks.cell, truth > 0)))
    nucleus, cell = np.mean(scores, axis=0)
    assert nucleus >= 0.92
    assert cell >= 0.88


def test_a_nucleus_that_is_lost_on_the_way_leaves_no_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_nuclei(scenes):
        return [(scene.nucleus, np.zeros_like(scene.nucleus)) for scene in scenes]

    monkeypatch.setattr(stain.outline, "find_cells", lose_nuclei)
    masks = stain.segment(draw()[0])
    assert masks.quality == 0
    assert not masks.cell.any()
