"""The encoder of a bundle, opened when the first cell is to be embedded: labels need none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from buffycoat.backbones.engine import Engine
from buffycoat.embed.encoder import Encoder, to_pixels
from buffycoat.errors import BundleError

if TYPE_CHECKING:
    from torch import nn


class StoredEncoder(Encoder):
    """What `Encoder.spec` gave; its weights are found and verified when they are first needed.

    Args:
        spec: Of the encoder.
        open_engine: Gives what runs the graph that the bundle has of it, which takes `to_pixels`;
            None where it has none, and torch runs the encoder that is built.
        rebuild: Gives the encoder with the weights that the bundle holds; None where it holds none,
            and they are looked for where the spec says.

    Raises:
        BundleError: The entry is not an encoder's.
    """

    def __init__(
        self,
        spec: Mapping[str, Any],
        open_engine: Callable[[], Engine] | None = None,
        rebuild: Callable[[], Encoder] | None = None,
    ) -> None:
        missing = [name for name in ("kind", "checksum") if name not in spec]
        if missing:
            raise BundleError(
                f"the bundle's encoder {dict(spec)} has no {' and no '.join(missing)}. Copy the "
                "bundle again"
            )
        self._spec, self._open, self._rebuild = dict(spec), open_engine, rebuild
        self.came_in_bundle = rebuild is not None

    @cached_property
    def built(self) -> Encoder:
        """The encoder itself.

        Raises:
            BundleError: The weights found are not those that the bundle was made with.
            WeightsNotFoundError: No weights were found.
        """
        from buffycoat.embed.encoders import from_spec  # torch and timm

        return from_spec(self._spec) if self._rebuild is None else self._rebuild()

    @property
    def licence(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Of the weights."""
        return self.built.licence

    @property
    def source(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Where the weights came from."""
        return self.built.source

    @property
    def network(self) -> nn.Module:
        """The frozen network."""
        return self.built.network

    @cached_property
    def engine(self) -> Engine:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What computes the network's features."""
        return self.built.engine if self._open is None else self._open()

    @property
    def checksum(self) -> str:
        """SHA-256 of names and values of all weights, as the bundle has it."""
        return self._spec["checksum"]

    def settings(self) -> dict[str, Any]:
        """What rebuilds this encoder."""
        return {name: value for name, value in self._spec.items() if name != "checksum"}

    def inputs(self, images: np.ndarray) -> np.ndarray:
        """Working images (n, w, w, 3), uint8, as `engine` takes them."""
        if self._open is None:
            return self.built.inputs(images)
        return to_pixels(images, self._spec["input_px"], self._spec["crop_fraction"])
