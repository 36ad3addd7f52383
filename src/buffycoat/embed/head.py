"""A small network on frozen embeddings that tells the classes apart, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.statistics import cells_of_each

MIN_CELLS, MIN_CLASSES = 2, 2
"""Different cells of a class that make a pair to contrast, and classes that must have a pair: with
fewer there is nothing that two cells share and others lack."""
LAYERS_EACH = 4
"""Of torch for one of `shape["hidden"]`: linear, LayerNorm, ReLU, dropout."""
LAYER_NORM_EPS = 1e-5
"""Torch's own."""


@dataclass(frozen=True, eq=False)
class Head:
    """A trained head.

    Attributes:
        weights: Of `head_training.HeadNetwork`, name -> array, float32; computed with in float64,
            so that a cell's numbers do not depend on the others.
        centre: Subtracted from an embedding first, shape (d,), float32.
        scale: Divides it next, shape (d,), float32.
        train_prior: Class shares that the network's logits carry, shape (k,), float64.
        shape: `width`, `hidden`, `projection` and `k`, as plain values.
        report: Mean loss of the last epoch, and the share of its anchors without a positive.
    """

    weights: Mapping[str, np.ndarray]
    centre: np.ndarray
    scale: np.ndarray
    train_prior: np.ndarray
    shape: dict[str, Any]
    report: dict[str, float]

    def logits(self, embeddings: np.ndarray, uniform_prior: bool = True) -> np.ndarray:
        """Score cells.

        Args:
            embeddings: Shape (n, d), rows of length 1.
            uniform_prior: Take the class shares of the training out. The published rules
                (arXiv 2603.16249) compare scores with them left in.

        Returns:
            Shape (n, k), float32.

        Raises:
            ShapeError: Not d columns.
        """
        width = self.shape["width"]
        if embeddings.ndim != 2 or embeddings.shape[1] != width:
            raise ShapeError(f"expected embeddings of shape (n, {width}), got {embeddings.shape}")
        inputs = (embeddings.astype(np.float64) - self.centre) / self.scale
        logits = _linear(self._hidden(inputs), self.weights, "classifier")
        if uniform_prior:
            logits = logits - np.log(self.train_prior * len(self.train_prior))
        return logits.astype(np.float32)

    def _hidden(self, inputs: np.ndarray) -> np.ndarray:
        """What the layers make of inputs (n, d): linear, LayerNorm, ReLU, dropout each."""
        for layer in range(len(self.shape["hidden"])):
            first = LAYERS_EACH * layer
            inputs = _linear(inputs, self.weights, f"body.{first}")
            off = inputs - inputs.mean(axis=1, keepdims=True)
            scaled = off / np.sqrt(np.square(off).mean(axis=1, keepdims=True) + LAYER_NORM_EPS)
            weight, bias = (
                self.weights[f"body.{first + 1}.{name}"].astype(np.float64)
                for name in ("weight", "bias")
            )
            inputs = np.maximum(scaled * weight + bias, 0)
        return inputs

    def to_tensors(self) -> dict[str, np.ndarray]:
        """The arrays by name; `to_dict` has the rest."""
        return {
            **{f"network.{name}": value for name, value in self.weights.items()},
            "centre": self.centre,
            "scale": self.scale,
            "train_prior": self.train_prior,
        }

    def to_dict(self) -> dict[str, Any]:
        """What is not an array."""
        return {"shape": self.shape, "report": self.report}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Any], table: Mapping[str, Any]) -> Head:
        """The head that `to_tensors` and `to_dict` wrote."""
        weights = {
            name.removeprefix("network."): np.asarray(value)
            for name, value in tensors.items()
            if name.startswith("network.")
        }
        centre, scale, prior = (
            np.asarray(tensors[name]) for name in ("centre", "scale", "train_prior")
        )
        return cls(weights, centre, scale, prior, dict(table["shape"]), dict(table["report"]))


def _linear(inputs: np.ndarray, weights: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    weight, bias = (weights[f"{name}.{part}"].astype(np.float64) for part in ("weight", "bias"))
    return inputs @ weight.T + bias


def too_few(targets: np.ndarray, names: np.ndarray) -> str:
    """What a head lacks to learn from these cells, in words; "" if nothing.

    Args:
        targets: Shape (n,).
        names: Shape (n,); rows of one cell share one.
    """
    paired = int((cells_of_each(targets, names) >= MIN_CELLS).sum())
    if paired >= MIN_CLASSES:
        return ""
    return f"needs {MIN_CLASSES} classes with {MIN_CELLS} cells, has {paired}"
