"""Train the restorer of a bundle, keep it in a file, and say what it achieves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from buffycoat.backbones.arrays import save_arrays
from buffycoat.backbones.devices import device
from buffycoat.backbones.features import FrozenFeatures
from buffycoat.config import Config
from buffycoat.images import writing
from buffycoat.learn.stage_store import Outcome, of_weights
from buffycoat.progress import Progress
from buffycoat.restore import apply as restorers
from buffycoat.restore.apply import TRAINED
from buffycoat.restore.one_by_one import Restorer
from buffycoat.restore.train import fit_restorer
from buffycoat.simulate.degrade import MAX_SEVERITY, degrade

MODEL_FILE = "restorer.safetensors"
FILE_VERSION = 2
"""Files of version 1 may be scrambled (see `backbones.arrays`), and are not read again."""
TRIED_CELLS = 50
"""Clean cells that are degraded and restored once to say what the restorer achieves."""
WORSE = 1.1
"""Error after restoration over that before it, from which a restorer harms."""


def train_restorer(
    clean: np.ndarray, config: Config, folder: Path, on_progress: Progress | None = None
) -> Outcome:
    """Train on clean cells, going on from the checkpoint in `folder`, and keep the weights there.

    Args:
        clean: Shape (n, h, w, 3), uint8, RGB.
        config: `restore`, `seed`, and the network whose features a restorer may be held to.
        folder: Where `MODEL_FILE` is written.
        on_progress: Called with (steps done, steps in all).

    Returns:
        No arrays; "restorer", for `restore.apply.from_tensors`, and "errors", of `is_harmful`.
    """
    checkpoint = folder / "checkpoint.safetensors"
    recipe, network = config.restore, config.classify
    # What a classifier of this kind looks at, before it has seen a label.
    features = (
        FrozenFeatures(network.backbone, network.weights, network.input_px).to(device())
        if recipe.feature_weight
        else None
    )
    restorer = fit_restorer(clean, recipe, config.seed, checkpoint, on_progress, features)
    with writing(folder / MODEL_FILE) as part:
        save_arrays(restorer.to_tensors(), part)
    checkpoint.unlink(missing_ok=True)
    stored = restorers.from_tensors(restorer.to_dict(), load_file(folder / MODEL_FILE))
    errors = _errors(clean, stored, config.seed) if recipe.method in TRAINED else []
    return {}, {"restorer": restorer.to_dict(), "errors": errors}


def is_harmful(errors: Sequence[float]) -> bool:
    """Whether degraded cells are farther from their clean ones when they are restored.

    Args:
        errors: Mean absolute differences without and with restoration, in gray levels; none of a
            restorer that learns nothing.
    """
    return len(errors) == 2 and errors[1] > WORSE * errors[0]


def in_words(errors: Sequence[float]) -> str:
    """The errors of `is_harmful`, of which there must be two."""
    without, restored = errors
    return f"degraded ones are off by {without:.1f} gray levels, restored ones by {restored:.1f}"


def _errors(clean: np.ndarray, restorer: Restorer, seed: int) -> list[float]:
    """Without and with restoration, on cells that it has learned from."""
    rng = np.random.default_rng((seed, 2))
    cells = [clean[row] for row in rng.permutation(len(clean))[:TRIED_CELLS]]
    degraded = np.stack(
        [degrade(cell, 1 + number % MAX_SEVERITY, rng) for number, cell in enumerate(cells)]
    )
    target = np.stack(cells).astype(np.int16)
    return [
        float(np.abs(images - target).mean()) for images in (degraded, restorer.restore(degraded))
    ]


def looked_at_key(config: Config) -> list[object]:
    """Fingerprint of the network whose features a restorer is held to; empty where it is not."""
    network = config.classify
    if not config.restore.feature_weight:
        return []
    content = of_weights(network.weights)
    named = network.weights if content is None else ""  # a file may be moved
    return [network.backbone, named, content, network.input_px]
