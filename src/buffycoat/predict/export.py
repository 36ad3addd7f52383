"""A bundle's classifier as one ONNX file for other programs, with a note of what it leaves out."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import buffycoat
from buffycoat.backbones.probe import synthetic
from buffycoat.bundle.fitted import Fitted
from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.views import centre
from buffycoat.errors import BundleError
from buffycoat.images import write_atomic
from buffycoat.predict.bracket import of_known_classes
from buffycoat.predict.stages import ENSEMBLE, of_views, together

TOLERANCE = 1e-3
"""Largest difference of a probability between onnxruntime and torch, both in fp32."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        graph: The ONNX file.
        note: The JSON file beside it.
        difference: Largest difference of a probability from ours, by onnxruntime; None where it
            is not installed.
    """

    graph: Path
    note: Path
    difference: float | None


def note_of(graph: Path) -> Path:
    """Where the note on an exported file lies."""
    return graph.with_name(f"{graph.name}.json")


def export(fitted: Fitted, bundle_sha256: str, path: Path) -> Exported:
    """Write a bundle's classifier as one self-contained ONNX file, and a note beside it.

    The graph takes crops (n, px, px, 3), uint8, RGB, and gives probabilities (n, k) under a uniform
    mix of the classes: views, models, temperatures and their means are in it. It is run by
    onnxruntime, where that is installed, and compared with our own numbers before it is written.

    Args:
        fitted: What the bundle holds.
        bundle_sha256: Of the bundle's index.
        path: The file, .onnx.

    Raises:
        BundleError: onnxruntime computes something else than torch.
        ConfigError: Torch cannot export the network.
        OutputError: A file cannot be written.
    """
    from buffycoat.backbones import graph
    from buffycoat.classify.ensemble_network import EnsembleNetwork

    network = EnsembleNetwork(
        fitted.models,
        fitted.temperatures,
        fitted.config.fuse.average,
        _sharpness(fitted),
        fitted.expected_counts > 0,
    ).eval()
    side = fitted.config.classify.input_px
    data = graph.export(network, np.zeros((2, side, side, 3), np.uint8), {0: "n"}, "probs")
    difference = _difference(data, fitted)
    if difference is not None and difference > TOLERANCE:
        raise BundleError(
            f"{path}: not written, since onnxruntime computes other probabilities than torch: they "
            f"differ by up to {difference:.3g}, allowed are {TOLERANCE}. Try another version of "
            "onnxruntime, torch or onnxscript"
        )
    note = json.dumps(_note(fitted, bundle_sha256, difference), indent=1)
    write_atomic(path, data)
    write_atomic(note_of(path), note.encode())
    return Exported(path, note_of(path), difference)


def _sharpness(fitted: Fitted) -> float:
    """What the stack multiplies log-probabilities by, where the classifier is its only member."""
    used = {name: weight for name, weight in fitted.stack.weights.items() if weight > 0}
    return used[ENSEMBLE] / fitted.stack.temperature if set(used) == {ENSEMBLE} else 1.0


def _difference(data: bytes, fitted: Fitted) -> float | None:
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    from buffycoat.backbones.graph import INPUT

    images, recipe = fitted.config.images, fitted.config.classify
    work = synthetic((images.work_px, images.work_px, 3))
    crops = np.stack([centre(image, recipe.crop_fraction, recipe.input_px) for image in work])
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {INPUT: crops})
    return float(np.abs(np.asarray(found) - _ours(work, fitted)).max())


def _ours(work: np.ndarray, fitted: Fitted) -> np.ndarray:
    """The same probabilities by the stages of prediction, in fp32, shape (n, k)."""
    exact = fitted.config.classify.model_copy(update={"precision": "fp32"})
    scores = []
    for model, temperature in zip(fitted.models, fitted.temperatures, strict=True):
        prior = model.log_prior
        by_torch = FoldModel.assemble(model.state, exact, len(prior), prior)
        scores.append(of_views([by_torch.view_logits(work)], temperature))
    logs = together(scores, fitted.config.fuse.average).log_probs * _sharpness(fitted)
    probs = np.exp(logs - logs.max(axis=1, keepdims=True))
    return of_known_classes(probs / probs.sum(axis=1, keepdims=True), fitted.expected_counts)


def _note(fitted: Fitted, bundle_sha256: str, difference: float | None) -> dict[str, Any]:
    config, recipe = fitted.config, fitted.config.classify
    return {
        "made_by": f"buffycoat {buffycoat.__version__}",
        "bundle_sha256": bundle_sha256,
        "notice": fitted.provenance["notice"],
        "input": {
            "name": "image",
            "shape": ["n", recipe.input_px, recipe.input_px, 3],
            "dtype": "uint8",
            "colours": "RGB",
        },
        "output": {
            "name": "probs",
            "shape": ["n", len(fitted.taxonomy)],
            "meaning": "calibrated probability of each class, under a uniform mix of the classes",
        },
        "classes": [{"code": c.code, "name": c.name} for c in fitted.taxonomy.classes],
        "crop": {
            "steps": [
                "take the central square of the photograph, its side frame_fraction of the shorter",
                "resize it to work_px",
                "take the central square of that, its side crop_fraction of it",
                "resize it to input_px",
            ],
            "frame_fraction": config.images.frame_fraction,
            "work_px": config.images.work_px,
            "crop_fraction": recipe.crop_fraction,
            "input_px": recipe.input_px,
            "resize": "by area (OpenCV INTER_AREA) to fewer pixels, else cubic (INTER_CUBIC)",
        },
        "in_the_graph": {
            "models": len(fitted.models),
            "temperatures": list(fitted.temperatures),
            "views": recipe.views,
            "mean_over_models": config.fuse.average,
        },
        "not_in_the_graph": _left_out(fitted),
        "largest_difference_from_buffycoat": difference,
    }


def _left_out(fitted: Fitted) -> list[str]:
    config = fitted.config
    left = [
        "the crop",
        "prediction sets, outlier scores, abstention, morphology, stopping after few views",
        f"a class mix other than the uniform one (labels of this bundle assume: "
        f"{config.fuse.prior})",
    ]
    if fitted.use != "original":
        left.append(f"restoration: this bundle's classifier sees {fitted.use} images")
    others = [name for name, w in fitted.stack.weights.items() if w > 0 and name != ENSEMBLE]
    if others:
        left.append(f"second opinions that this bundle's score rests on: {', '.join(others)}")
    if config.images.photograph_um is not None:
        left.append(
            "framing by scale: frame_fraction is of a photograph whose shorter side shows "
            f"{config.images.photograph_um:g} micrometres; take as many micrometres of others"
        )
    if config.segment.paint_background:
        left.append("the background painted white")
    if config.refine.rescue != "off":
        left.append("rescue rules")
    rule = fitted.rule_at(None)
    if rule is not None:
        left.append(f"labels that maximise {rule.words}: its label is the most probable class")
    return left
