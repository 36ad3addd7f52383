"""What every frozen encoder does: images to L2-normalised embeddings, known by a fingerprint."""

from __future__ import annotations

import abc
import hashlib
import json
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.errors import ShapeError
from buffycoat.training.devices import device
from buffycoat.training.loop import Progress

GPU_CELLS_AT_ONCE = 32


class Encoder(abc.ABC):
    """What every encoder does. It saw no labels of ours and is never trained."""

    licence: str
    """Of the weights."""
    source: str
    """Where the weights came from."""

    @property
    @abc.abstractmethod
    def network(self) -> nn.Module:
        """The frozen network."""

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """What rebuilds this encoder, as plain values: `kind`, weights and preprocessing."""

    @abc.abstractmethod
    def inputs(self, images: np.ndarray) -> torch.Tensor:
        """Working images (n, w, w, 3), uint8, as the network takes them, float32."""

    @abc.abstractmethod
    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """The network's features of its inputs, shape (n, d)."""

    @torch.inference_mode()
    def encode(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Embed cells.

        On a CPU cells go through one at a time: a cell's numbers do not depend on the others.

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
        at_once = GPU_CELLS_AT_ONCE if device().type == "cuda" else 1
        network = self.network.to(device())
        rows = []
        for start in range(0, len(images), at_once):
            chunk = self.inputs(np.asarray(images[start : start + at_once])).to(device())
            rows.append(F.normalize(self.features(chunk).float(), dim=1).cpu().numpy())
            if on_progress is not None:
                on_progress(min(start + at_once, len(images)), len(images))
        network.cpu()
        return np.concatenate(rows) if rows else np.zeros((0, self.width), np.float32)

    @property
    def width(self) -> int:
        """Dimensions of an embedding."""
        with torch.inference_mode():
            blank = self.inputs(np.zeros((1, 64, 64, 3), np.uint8))
            return int(self.features(blank).shape[1])

    @property
    def checksum(self) -> str:
        """SHA-256 of names and values of all weights."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.network.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()

    @property
    def fingerprint(self) -> str:
        """Hex digest of the weights and the preprocessing: equal means equal embeddings."""
        preprocessing = {k: v for k, v in self.settings().items() if k != "weights"}
        text = json.dumps([self.checksum, preprocessing], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def spec(self) -> dict[str, Any]:
        """What a bundle stores: the encoder by reference, with the checksum of its weights."""
        return {**self.settings(), "checksum": self.checksum}


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
