"""The gate with fitted limits: faults planted in clean cells are refused, unchanged cells pass."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from buffycoat.restore.gate import (
    MIN_QUALITY,
    STEPS,
    GateLimits,
    GateNumbers,
    Look,
    accept,
    fit_gate,
    measure_change,
)
from buffycoat.segment.stain import CellMasks, segment_all
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell


@pytest.fixture(scope="module")
def plants() -> ModuleType:
    """The wrong restorers of the benchmark."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "plants.py"
    spec = importlib.util.spec_from_file_location("plants", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rendered() -> tuple[list[np.ndarray], list[CellMasks]]:
    """Clean rendered eosinophils and basophils with the segmenter's masks."""
    rng = np.random.default_rng(0)
    images = [render_cell(("EO", "BA")[i % 2], rng, 160).image for i in range(44)]
    masks = segment_all(images)
    clear = [i for i, mask in enumerate(masks) if mask.quality >= MIN_QUALITY]
    return [images[i] for i in clear], [masks[i] for i in clear]


def _measured(
    originals: list[np.ndarray],
    restored: list[np.ndarray],
    masks: list[CellMasks],
    severity: np.ndarray,
) -> GateNumbers:
    same = np.ones((len(originals), 1))
    after = segment_all(restored)
    gain = np.maximum(severity - 0.5, 0.0)
    return measure_change(
        Look(np.stack(originals), masks, severity, same),
        Look(np.stack(restored), after, gain, same),
        np.full(len(masks), True),
    )


@pytest.fixture(scope="module")
def rendered_limits(rendered: tuple[list[np.ndarray], list[CellMasks]]) -> GateLimits:
    """Fitted on a restorer that undoes most of any degradation and invents nothing."""
    images, _ = rendered
    rng = np.random.default_rng(1)
    severity = np.arange(len(images)) % 5
    degraded = [degrade(image, int(s), rng) for image, s in zip(images, severity, strict=True)]
    restored = [
        np.rint(0.8 * image.astype(np.float32) + 0.2 * worse).astype(np.uint8)
        for image, worse in zip(images, degraded, strict=True)
    ]
    limits = fit_gate(_measured(degraded, restored, segment_all(degraded), severity * 0.9))
    # Plants are small: whether they are worth it is another question than whether it is the cell.
    return replace(limits, lowest={**limits.lowest, "change_size": (0.0,) * STEPS})


@pytest.mark.parametrize("number", range(5))
def test_a_plant_in_a_clean_cell_is_refused_even_without_routing(
    plants: ModuleType,
    rendered: tuple[list[np.ndarray], list[CellMasks]],
    rendered_limits: GateLimits,
    number: int,
) -> None:
    name = plants.REQUIRED[number]
    rng = np.random.default_rng(number)
    originals, planted, kept = [], [], []
    for image, masks in zip(*rendered, strict=True):
        changed = plants.PLANTS[name](image, masks, rng)
        if changed is not None:
            assert name != "smoothed cytoplasm" or plants.psnr(image, changed) >= 30
            originals.append(image)
            planted.append(changed)
            kept.append(masks)
    assert len(planted) >= 30
    numbers = _measured(originals, planted, kept, np.full(len(kept), 0.9))
    assert accept(numbers, rendered_limits, 0.5)[0].mean() <= 0.05


def test_what_changed_nothing_passes_where_the_plants_do_not(
    rendered: tuple[list[np.ndarray], list[CellMasks]], rendered_limits: GateLimits
) -> None:
    images, masks = rendered
    numbers = _measured(images, images, masks, np.full(len(masks), 0.9))
    assert accept(numbers, rendered_limits, 0.5)[0].mean() >= 0.9
