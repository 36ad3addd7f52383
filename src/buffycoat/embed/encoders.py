"""Frozen encoders: images to L2-normalised embeddings, known by their fingerprint."""

from __future__ import annotations

import abc
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from buffycoat.backbones.build import build
from buffycoat.config import EmbedConfig
from buffycoat.errors import BundleError, ConfigError, ShapeError
from buffycoat.optional import choose
from buffycoat.training.devices import device
from buffycoat.training.loop import Progress

GPU_CELLS_AT_ONCE = 32
RANDOM_SEED = 0
"""Of encoders with random weights: the same wherever they are rebuilt."""


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


class BackboneEncoder(Encoder):
    """Pooled features of a timm model.

    Args:
        name: Any timm model.
        weights: "wheel", "hub", "random" or the path of a .safetensors file.
        input_px: Side of the network's input.
        crop_fraction: Central part of the working image that is kept.
    """

    def __init__(self, name: str, weights: str, input_px: int, crop_fraction: float) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(RANDOM_SEED)
            built = build(name, weights, 0, input_px)
        self._settings = {
            "kind": "timm",
            "name": name,
            "weights": weights,
            "input_px": input_px,
            "crop_fraction": crop_fraction,
        }
        self._network = built.model.requires_grad_(False)
        self._mean = torch.tensor(built.mean).view(1, 3, 1, 1)
        self._std = torch.tensor(built.std).view(1, 3, 1, 1)
        self.licence, self.source = built.licence, built.source

    @property
    def network(self) -> nn.Module:
        """The frozen network."""
        return self._network

    def settings(self) -> dict[str, Any]:
        """What rebuilds this encoder."""
        return dict(self._settings)

    def inputs(self, images: np.ndarray) -> torch.Tensor:
        """Centre crop, resize by area (down) or cubic (up), the model's mean and deviation."""
        px, fraction = self._settings["input_px"], self._settings["crop_fraction"]
        crops = centre_crop(images, fraction)
        how = cv2.INTER_AREA if px < crops.shape[1] else cv2.INTER_CUBIC
        sized = np.stack([cv2.resize(crop, (px, px), interpolation=how) for crop in crops])
        pixels = torch.from_numpy(sized).permute(0, 3, 1, 2).float() / 255
        return (pixels - self._mean) / self._std

    def features(self, inputs: torch.Tensor) -> torch.Tensor:
        """Pooled features."""
        return self._network(inputs)


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


def _siglip(**settings: Any) -> Encoder:
    from buffycoat.embed.siglip import SiglipEncoder  # transformers is an extra

    return SiglipEncoder(settings["weights"], settings["input_px"], settings["crop_fraction"])


ENCODERS: dict[str, Callable[..., Encoder]] = {"timm": BackboneEncoder, "siglip": _siglip}
"""Kind -> factory that takes an encoder's settings without their kind."""


def build_encoder(config: EmbedConfig) -> Encoder:
    """The encoder that a config names.

    Args:
        config: `encoder` is "siglip", or else a timm model.

    Raises:
        ConfigError: No such model, or an input size that it cannot take.
        WeightsNotFoundError: The weights are not where they should be.
    """
    shared = {
        "weights": config.weights,
        "input_px": config.input_px,
        "crop_fraction": config.crop_fraction,
    }
    if config.encoder == "siglip":
        return ENCODERS["siglip"](**shared)
    return ENCODERS["timm"](name=config.encoder, **shared)


def from_spec(spec: Mapping[str, Any]) -> Encoder:
    """Rebuild the encoder of a bundle and verify its weights.

    Args:
        spec: As `Encoder.spec` gave it.

    Raises:
        BundleError: The weights found are not those that the bundle was made with, or the
            entry is not an encoder's.
        WeightsNotFoundError: No weights were found.
    """
    settings = dict(spec)
    try:
        kind, expected = settings.pop("kind"), settings.pop("checksum")
        encoder = choose(ENCODERS, kind, "encoder")(**settings)
    except (KeyError, TypeError, ConfigError) as error:
        raise BundleError(
            f"the bundle's encoder {dict(spec)} cannot be rebuilt: {error}"
        ) from error
    if encoder.checksum != expected:
        raise BundleError(
            f"weights of the bundle's encoder ({encoder.source}) have changed: expected checksum "
            f"{expected[:16]}..., got {encoder.checksum[:16]}... Install the weights that it was "
            f"trained with, or train again"
        )
    return encoder
