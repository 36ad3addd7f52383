"""The networks of a bundle as prediction opens them: the engine that passes its test here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import load_file

from buffycoat.backbones.choice import open_engine
from buffycoat.backbones.engine import Engine
from buffycoat.backbones.probe import Probe
from buffycoat.classify.ensemble import FoldModel
from buffycoat.config import Config
from buffycoat.embed.stored import StoredEncoder
from buffycoat.restore import apply as restorers
from buffycoat.restore.apply import TRAINED, Trained
from buffycoat.restore.one_by_one import Restorer

if TYPE_CHECKING:
    from torch import nn

    from buffycoat.embed.encoders import BackboneEncoder

FOLDS, RESTORER, PROBES = "folds.safetensors", "restorer.safetensors", "probe.safetensors"
RESTORER_GRAPH = "restorer.onnx"
ENCODER, ENCODER_GRAPH = "encoder.safetensors", "encoder.onnx"
RESTORER_PRECISION = "fp32"
"""In bf16 the surface of light that it fits comes out wrong (docs/adr/0019)."""
ENCODER_PRECISION = "fp32"
"""The gallery and the gate were fitted on embeddings in fp32."""


def fold_graph(number: int) -> str:
    """Name of the graph of a fold model."""
    return f"classifier{number}.onnx"


def probe_inputs(shape: tuple[int, ...]) -> str:
    """Name of the inputs of a shape (h, w, 3) that networks are tested with."""
    return f"inputs.{'x'.join(map(str, shape))}"


@dataclass
class Networks:
    """Opens the networks of one bundle.

    Attributes:
        folder: The bundle.
        index: Its `bundle.json`.
        wanted: One of `choice.ENGINES`.
        opened: Network -> settings of the engine that runs it, for those that were needed so far.
    """

    folder: Path
    index: Mapping[str, Any]
    wanted: str = "auto"
    opened: dict[str, dict[str, Any]] = field(default_factory=dict)

    def folds(self, config: Config) -> tuple[FoldModel, ...]:
        """The classifier."""
        tensors = load_file(self.folder / FOLDS)
        return tuple(
            self._fold(number, under(tensors, number), np.array(prior), config)
            for number, prior in enumerate(self.index["log_priors"])
        )

    def _fold(
        self, number: int, state: dict[str, np.ndarray], prior: np.ndarray, config: Config
    ) -> FoldModel:
        recipe = config.classify

        def network() -> nn.Module:
            from buffycoat.classify.network import make_network

            return make_network(state, recipe, prior)

        def open_() -> Engine:
            name, shape = fold_graph(number), (recipe.input_px, recipe.input_px, 3)
            return self._open(name, network, shape, recipe.precision)

        return FoldModel(state, recipe, prior, open_)

    def restorer(self, config: Config) -> Restorer:
        """The restorer."""
        settings, state = self.index["restorer"], load_file(self.folder / RESTORER)
        if settings["name"] not in TRAINED:
            return restorers.from_tensors(settings, state)

        def network() -> nn.Module:
            from buffycoat.backbones.devices import place
            from buffycoat.restore.network import make_network

            return place(make_network(settings["name"], settings["generator"], state))

        def open_(shape: tuple[int, ...]) -> Engine:
            if shape == (config.images.work_px, config.images.work_px, 3):
                return self._open(RESTORER_GRAPH, network, shape, RESTORER_PRECISION)
            from buffycoat.backbones.torch_engine import TorchEngine

            return TorchEngine(network())

        return Trained(settings["name"], settings["generator"], state, open_)

    def encoder(self) -> StoredEncoder:
        """The frozen encoder; a bundle that does not hold its weights names them only."""
        spec: Mapping[str, Any] = self.index["encoder"]

        def rebuild() -> BackboneEncoder:
            return rebuild_encoder(self.folder, spec)

        if not (self.folder / ENCODER).is_file():
            return StoredEncoder(spec)
        if not (self.folder / ENCODER_GRAPH).is_file():
            return StoredEncoder(spec, rebuild=rebuild)

        def network() -> nn.Module:
            from buffycoat.backbones.devices import place

            return place(rebuild().on_pixels())

        def open_() -> Engine:
            shape = (spec["input_px"], spec["input_px"], 3)
            return self._open(ENCODER_GRAPH, network, shape, ENCODER_PRECISION)

        return StoredEncoder(spec, open_, rebuild)

    def _open(self, name: str, network: Any, shape: tuple[int, ...], precision: str) -> Engine:
        graph, probe = self.folder / name, None
        if graph.is_file():
            stored = load_file(self.folder / PROBES)
            probe = Probe(stored[probe_inputs(shape)], stored[f"{name}.outputs"])
        engine = open_engine(
            None if probe is None else graph, network, probe or shape, precision, self.wanted
        )
        self.opened[name] = {"engine": "torch", **engine.settings()}
        return engine


def rebuild_encoder(folder: Path, spec: Mapping[str, Any]) -> BackboneEncoder:
    """The torch encoder of a bundle that holds the weights, verified; else from where they were.

    Args:
        folder: Of the bundle.
        spec: Of an encoder of kind "timm".

    Raises:
        BundleError: The weights are not those that the bundle was made with.
        WeightsNotFoundError: No weights were found.
    """
    from buffycoat.embed.encoders import BackboneEncoder, from_spec

    own = folder / ENCODER
    built = from_spec({**spec, "weights": str(own)} if own.is_file() else spec)
    assert isinstance(built, BackboneEncoder)
    return built


def under(tensors: Mapping[str, np.ndarray], name: str | int) -> dict[str, np.ndarray]:
    """Those whose name begins so, under the rest of it."""
    prefix = f"{name}."
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
