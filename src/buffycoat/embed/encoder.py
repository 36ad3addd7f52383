"""What every frozen encoder does: images to L2-normalised embeddings, known by a fingerprint."""

from __future__ import annotations

import abc
import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from buffycoat.backbones.engine import Engine
from buffycoat.errors import ShapeError
from buffycoat.progress import Progress

if TYPE_CHECKING:
    from torch import nn

LEAST_LENGTH = 1e-12
"""Of a vector of features that is scaled to length 1."""


class Encoder(abc.ABC):
    """What every encoder does. It saw no labels of ours and is never trained."""

    licence: str
    """Of the weights."""
    source: str
    """Where the weights came from."""
    came_in_bundle: bool = False
    """Whether they came in a bundle: then their licence lets them go into the next one."""

    @property
    @abc.abstractmethod
    def network(self) -> nn.Module:
        """The frozen network."""

    @property
    @abc.abstractmethod
    def engine(self) -> Engine:
        """What computes the network's features."""

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """What rebuilds this encoder, as plain values: `kind`, weights, preprocessing, engine."""

    @abc.abstractmethod
    def inputs(self, images: np.ndarray) -> np.ndarray:
        """Working images (n, w, w, 3), uint8, as `engine` takes them."""

    def encode(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Embed cells.

        On a CPU no two cells share a batch: a cell's numbers do not depend on the others.

        Args:
            images: Working images, shape (n, w, w, 3), uint8; may be memory-mapped.
            on_progress: Called with (cells done, cells in all).

        Returns:
            Shape (n, d), float32, rows of length 1.

        Raises:
            ShapeError: Another shape or dtype.
        """
        if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
            raise ShapeError(
                f"expected images of shape (n, w, w, 3) and dtype uint8, got {images.shape} "
                f"{images.dtype}"
            )
        at_once = self.engine.cells_at_once
        starts = range(0, len(images), at_once)
        batches = (self.inputs(np.asarray(images[s : s + at_once])) for s in starts)
        rows: list[np.ndarray] = []
        for start, features in zip(starts, self.engine.run(batches), strict=True):
            length = np.linalg.norm(features, axis=1, keepdims=True)
            rows.append(features / np.maximum(length, LEAST_LENGTH))
            if on_progress is not None:
                on_progress(start + len(features), len(images))
        return np.concatenate(rows) if rows else np.zeros((0, self.width), np.float32)

    @property
    def width(self) -> int:
        """Dimensions of an embedding."""
        [features] = self.engine.run([self.inputs(np.zeros((1, 64, 64, 3), np.uint8))])
        return features.shape[1]

    @property
    def checksum(self) -> str:
        """SHA-256 of names and values of all weights."""
        from buffycoat.backbones.devices import to_arrays

        return checksum_of(to_arrays(self.network.state_dict()))

    @property
    def fingerprint(self) -> str:
        """Hex digest of weights, preprocessing and engine: equal means equal embeddings."""
        text = json.dumps([self.checksum, self._preprocessing()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def is_alike(self, other: Encoder) -> bool:
        """Whether both give the same embeddings, but for weights stored in half precision."""
        from buffycoat.backbones.devices import to_arrays

        if self._preprocessing() != other._preprocessing():
            return False
        mine, theirs = (to_arrays(one.network.state_dict()) for one in (self, other))
        return mine.keys() == theirs.keys() and all(
            mine[name].shape == theirs[name].shape
            and np.array_equal(mine[name].astype(np.float16), theirs[name].astype(np.float16))
            for name in mine
        )

    def _preprocessing(self) -> dict[str, Any]:
        return {k: v for k, v in self.settings().items() if k != "weights"}

    def spec(self) -> dict[str, Any]:
        """What a bundle stores: the encoder by reference, with the checksum of its weights."""
        return {**self.settings(), "checksum": self.checksum}


def checksum_of(state: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of names and values of weights; those in fp16 count as the fp32 they are run in."""
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode())
        full = value.astype(np.float32) if value.dtype == np.float16 else value
        digest.update(np.ascontiguousarray(full).tobytes())
    return digest.hexdigest()


def to_pixels(images: np.ndarray, input_px: int, fraction: float) -> np.ndarray:
    """Centre crop, resized by area (down) or cubic (up).

    Args:
        images: Shape (n, w, w, 3), uint8.
        input_px: Side of what comes out.
        fraction: Side of the crop over w.

    Returns:
        Shape (n, input_px, input_px, 3), uint8.
    """
    crops = centre_crop(images, fraction)
    how = cv2.INTER_AREA if input_px < crops.shape[1] else cv2.INTER_CUBIC
    return np.stack([cv2.resize(crop, (input_px, input_px), interpolation=how) for crop in crops])


def centre_crop(images: np.ndarray, fraction: float) -> np.ndarray:
    """The central square of each image.

    Args:
        images: Shape (n, w, w, 3).
        fraction: Side of the crop over w.

    Returns:
        Shape (n, c, c, 3), a view.
    """
    kept = round(images.shape[1] * fraction)
    low = (images.shape[1] - kept) // 2
    return images[:, low : low + kept, low : low + kept]
