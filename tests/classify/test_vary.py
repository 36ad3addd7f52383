"""Pictures as other laboratories might have taken them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from buffycoat.backbones.build import build
from buffycoat.classify import training_cells
from buffycoat.classify.augment import augment
from buffycoat.classify.paste import on_background
from buffycoat.classify.style import mix_styles
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.classify.vary import resample, restain
from buffycoat.config import ClassifyConfig, load
from buffycoat.config.vary import VaryConfig
from buffycoat.errors import ConfigError, ShapeError

SIDE = 96
Y, X = np.indices((SIDE, SIDE)) - SIDE // 2
CELL = np.hypot(X, Y) <= 24
EVERYTHING = VaryConfig(stain=1, light=1, sharpness=1, background=1, scale=(0.6, 1.6), shift=0.1)


def _picture(background: tuple[int, int, int] = (240, 225, 215)) -> np.ndarray:
    image = np.full((SIDE, SIDE, 3), background, np.uint8)
    image[CELL] = (90, 50, 140)
    return image


def _background(image: np.ndarray) -> np.ndarray:
    return image[:8, :8].reshape(-1, 3).mean(axis=0)


def _cell(image: np.ndarray) -> np.ndarray:
    return image[44:52, 44:52].reshape(-1, 3).mean(axis=0)


def test_more_or_less_stain_leaves_the_background_as_it_was() -> None:
    image = _picture()
    cells = []
    for seed in range(40):
        changed = restain(image, np.random.default_rng(seed), 1.0, 0.0)
        assert np.abs(_background(changed) - _background(image)).max() <= 1
        cells.append(_cell(changed))
    assert np.std(cells, axis=0).min() > 5


def test_another_lamp_changes_the_background_and_the_cell_stays_darker() -> None:
    image = _picture()
    whites = []
    for seed in range(40):
        changed = restain(image, np.random.default_rng(seed), 0.0, 1.0)
        whites.append(_background(changed))
        assert _cell(changed).mean() < _background(changed).mean() - 15
    assert np.std(whites, axis=0).min() > 10


def test_nothing_to_vary_changes_nothing() -> None:
    image = np.random.default_rng(0).integers(60, 200, (SIDE, SIDE, 3), dtype=np.uint8)
    image[:40] = 220  # a white that no pixel exceeds
    changed = restain(image, np.random.default_rng(0), 0.0, 0.0)
    assert np.abs(changed.astype(int) - image).max() <= 1


@pytest.mark.parametrize("level", [0, 255])
def test_a_blank_picture_stays_a_picture(level: int) -> None:
    blank = np.full((SIDE, SIDE, 3), level, np.uint8)
    for seed in range(5):
        changed = restain(blank, np.random.default_rng(seed), 1.0, 1.0)
        assert changed.shape == blank.shape
        assert np.ptp(changed.reshape(-1, 3), axis=0).max() == 0


def test_resampling_keeps_the_place_of_the_cell_and_its_channels() -> None:
    image = _picture()
    for seed in range(30):
        changed = resample(image, np.random.default_rng(seed)).astype(float)
        assert changed.shape == image.shape
        assert np.abs(_cell(changed) - _cell(image)).max() < 25
        assert np.abs(_background(changed) - _background(image)).max() < 25


def test_a_cell_on_another_background_takes_its_light_and_hides_its_cell() -> None:
    image, other = _picture(), (_picture((120, 110, 105)) * 1.0).astype(np.uint8)
    wide = np.hypot(X, Y) <= 34
    other[wide] = (10, 200, 10)
    shown = on_background(image, CELL, other, wide)
    assert _background(shown) == pytest.approx((120, 110, 105), abs=1)
    ring = (np.hypot(X, Y) > 29) & (np.hypot(X, Y) < 33)
    assert shown[ring].mean(axis=0) == pytest.approx((120, 110, 105), abs=4)
    assert _cell(shown) == pytest.approx(np.array((90, 50, 140)) * 0.6, abs=2)  # the gain's floor


def test_a_plain_background_is_the_picture_s_own_colour() -> None:
    image = _picture()
    image[:, :10] = (200, 100, 100)
    shown = on_background(image, CELL, image, np.ones_like(CELL))
    assert shown[:, :10].reshape(-1, 3).mean(axis=0) == pytest.approx((240, 225, 215), abs=1)
    assert np.array_equal(shown[44:52, 44:52], image[44:52, 44:52])


@pytest.mark.parametrize("fill", [False, True])
def test_without_a_mask_a_cell_keeps_its_background(fill: bool) -> None:
    image = _picture()
    assert np.array_equal(on_background(image, np.full_like(CELL, fill), image, CELL), image)


def test_everything_at_once_follows_its_seed() -> None:
    recipe = ClassifyConfig(input_px=64, vary=EVERYTHING)
    for seed in range(10):
        one, same = (augment(_picture(), np.random.default_rng(seed), recipe) for _ in range(2))
        assert one.shape == (64, 64, 3)
        assert np.array_equal(one, same)


def test_a_share_of_the_pictures_stays_at_home() -> None:
    none, some = (
        ClassifyConfig(input_px=32, degrade_probability=0, vary=VaryConfig(light=1, share=share))
        for share in (0, 0.4)
    )
    same = [
        np.array_equal(*(augment(_picture(), np.random.default_rng(seed), r) for r in (none, some)))
        for seed in range(200)
    ]
    assert 0.5 < np.mean(same) < 0.7


def test_what_is_off_leaves_training_pictures_as_they_were() -> None:
    """The draws of a recipe that varies nothing are those of the recipe before there was one."""
    image = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    found = augment(image, np.random.default_rng(5), ClassifyConfig(input_px=48))
    assert (int(found.astype(np.int64).sum()), *found[24, 24].tolist()) == BEFORE


BEFORE = (852474, 77, 141, 153)


@pytest.fixture
def cells() -> TrainingCells:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 40, 40, 3), dtype=np.uint8)
    return TrainingCells(images, np.arange(24), np.repeat([0, 1], 12), 2)


TINY = ClassifyConfig(
    backbone="test_resnet",
    weights="random",
    input_px=32,
    epochs=2,
    batch_size=8,
    precision="fp32",
    degrade_probability=0,
)


def test_backgrounds_without_masks_are_an_error(cells: TrainingCells) -> None:
    recipe = TINY.model_copy(update={"vary": VaryConfig(background=0.5)})
    with pytest.raises(ShapeError, match=r"vary.background > 0 needs the masks"):
        fit_fold(cells, recipe, 0, None)


def test_backgrounds_keep_the_label(cells: TrainingCells) -> None:
    masks = np.zeros((24, 40, 40), bool)
    masks[:, 12:28, 12:28] = True
    recipe = TINY.model_copy(update={"vary": VaryConfig(background=1)})
    shown = np.concatenate(
        [t for _, t in training_cells.batches(replace(cells, masks=masks), recipe, 8, 0, 0)]
    )
    assert np.bincount(shown).tolist() == [12, 12]


def test_styles_are_mixed_while_training_only() -> None:
    torch.manual_seed(0)
    model = build("test_resnet", "random", 2, 32, 0.0).model
    pixels = torch.randn(6, 3, 32, 32)
    before = model.eval()(pixels)
    names = list(model.state_dict())
    mix_styles(model, 1.0)
    assert torch.equal(model.eval()(pixels), before)
    assert list(model.state_dict()) == names
    for module in model.modules():  # no batch statistics, so that only styles can differ
        if isinstance(module, torch.nn.BatchNorm2d):
            module.eval()
    model.training = True
    for name, module in model.named_modules():
        module.training = not isinstance(module, torch.nn.BatchNorm2d) and bool(name)
    assert not torch.allclose(model(pixels), before)


def test_a_backbone_without_maps_mixes_no_styles() -> None:
    model = build("vit_tiny_patch16_224", "random", 2, 224, 0.0).model
    mix_styles(model, 1.0)
    with pytest.raises(ConfigError, match=r"vary\.features=0"):
        model.train()(torch.randn(2, 3, 224, 224))


def test_a_training_that_varies_everything_resumes_to_the_same_weights(
    cells: TrainingCells, tmp_path: object
) -> None:
    masks = np.zeros((24, 40, 40), bool)
    masks[:, 12:28, 12:28] = True
    vary = EVERYTHING.model_copy(update={"features": 0.5})
    recipe = TINY.model_copy(update={"vary": vary})
    one, other = (
        fit_fold(replace(cells, masks=masks), recipe, 3, None)[0].state_dict() for _ in range(2)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("scale", ["[1.2, 0.8]", "[0.1, 1]", "[0.5, 9]"])
def test_a_span_of_scales_is_checked(scale: str) -> None:
    with pytest.raises(ConfigError, match=r"classify\.vary"):
        load("cpu", [f"classify.vary.scale={scale}"])
