"""Graphs of a bundle's networks, and what torch makes of a few inputs, beside its weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from buffycoat.backbones.arrays import save_arrays
from buffycoat.backbones.choice import EngineWarning, try_openvino
from buffycoat.backbones.probe import Probe
from buffycoat.bundle.networks import (
    ENCODER,
    ENCODER_GRAPH,
    ENCODER_PRECISION,
    FOLDS,
    PROBES,
    RESTORER,
    RESTORER_GRAPH,
    RESTORER_PRECISION,
    fold_graph,
    probe_inputs,
    rebuild_encoder,
    under,
)
from buffycoat.config import Config
from buffycoat.embed.encoder import Encoder, checksum_of
from buffycoat.errors import BundleError, ConfigError, WeightsNotFoundError
from buffycoat.restore.apply import TRAINED

FREE = {"apache-2.0", "mit", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"}
"""Licences, in lower case, under which an encoder's weights may travel in a bundle."""
LARGEST_ENCODER = 32_000_000
"""Bytes; the weights of a larger encoder are not copied into every bundle."""


def write_graphs(folder: Path, index: Mapping[str, Any]) -> dict[str, str]:
    """Write the graphs of the networks whose weights a bundle's folder holds, and their probes.

    A network that cannot be exported has no graph, which is warned of; torch runs it then.

    Args:
        folder: With the tensors of the bundle.
        index: Of `bundle.json`: config, priors, restorer.

    Returns:
        Graph -> how it did beside torch here, in words.
    """
    config = Config.model_validate(index["config"])
    probes: dict[str, Probe] = {}
    parts = {"classifier": _write_folds, "restorer": _write_restorer, "encoder": _write_encoder}
    for what, write in parts.items():
        try:
            probes |= write(folder, index, config)
        except (BundleError, ConfigError, WeightsNotFoundError) as error:
            warnings.warn(f"the {what} has no graph: {error}", EngineWarning, stacklevel=2)
    if not probes:
        return {}
    tensors = {f"{name}.outputs": probe.outputs for name, probe in probes.items()}
    for probe in sorted(probes.values(), key=lambda one: len(one.inputs)):
        tensors[probe_inputs(probe.inputs.shape[1:])] = probe.inputs  # the most of a size
    save_arrays(tensors, folder / PROBES)
    precisions = {RESTORER_GRAPH: RESTORER_PRECISION, ENCODER_GRAPH: ENCODER_PRECISION}
    return {
        name: _agreement(folder / name, probe, precisions.get(name, config.classify.precision))
        for name, probe in probes.items()
    }


def _agreement(graph: Path, probe: Probe, precision: str) -> str:
    engine, fault = try_openvino(graph, probe, precision)
    return fault if engine is None else f"OpenVINO in {engine.settings()['precision']} agrees"


def _write_folds(folder: Path, index: Mapping[str, Any], config: Config) -> dict[str, Probe]:
    from buffycoat.backbones import graph
    from buffycoat.classify.network import make_network

    tensors, side = load_file(folder / FOLDS), config.classify.input_px
    template, found = b"", {}
    for number, prior in enumerate(index["log_priors"]):
        # Folds differ in their weights alone: one export serves all.
        network = make_network(under(tensors, number), config.classify, np.array(prior), True)
        if not template:
            example = np.zeros((2, side, side, 3), np.uint8)
            template = graph.export(network, example, {0: "n"})
        names = {f"network.{name}": f"{number}.{name}" for name in under(tensors, number)}
        values = {"log_prior": np.array(prior, np.float32)}
        path = folder / fold_graph(number)
        graph.save_beside(template, path, folder / FOLDS, names, values)
        found[path.name] = Probe.of(network, (side, side, 3))
    return found


def _write_restorer(folder: Path, index: Mapping[str, Any], config: Config) -> dict[str, Probe]:
    settings, side = index["restorer"], config.images.work_px
    if settings["name"] not in TRAINED:
        return {}
    from buffycoat.backbones import graph
    from buffycoat.restore.network import make_network

    state = load_file(folder / RESTORER)
    network = make_network(settings["name"], settings["generator"], state)
    template = graph.export(network, np.zeros((1, side, side, 3), np.uint8), {})
    names = {f"generator.{name}": name for name in state}
    graph.save_beside(template, folder / RESTORER_GRAPH, folder / RESTORER, names)
    # One picture has as many outputs as pixels, and is half a megabyte.
    return {RESTORER_GRAPH: Probe.of(network, (side, side, 3), count=1)}


def store_encoder(folder: Path, encoder: Encoder, is_half: bool) -> dict[str, Any]:
    """Put the encoder's weights into a bundle's folder, where their licence and size allow it.

    Only of an encoder that torch ran in fp32: one that OpenVINO ran names its own precision.

    Args:
        folder: Of the bundle.
        encoder: That the bundle was fitted with.
        is_half: Store the weights in fp16.

    Returns:
        What the index says of the encoder, with the checksum of the weights as they are stored.
    """
    spec = encoder.spec()
    if spec["kind"] != "timm" or "engine" in spec or spec["weights"] == "random":
        return spec
    from buffycoat.backbones.devices import to_arrays

    try:
        is_free = encoder.came_in_bundle or encoder.licence.lower() in FREE
        state = to_arrays(encoder.network.state_dict())
    except (BundleError, ConfigError, WeightsNotFoundError) as error:
        warnings.warn(f"the encoder's weights stay outside: {error}", EngineWarning, stacklevel=2)
        return spec
    if not is_free or sum(value.nbytes for value in state.values()) > LARGEST_ENCODER:
        return spec
    if is_half:
        state = {k: v.astype(np.float16) if v.dtype == np.float32 else v for k, v in state.items()}
    save_arrays(state, folder / ENCODER)
    return {**spec, "checksum": checksum_of(state)}


def _write_encoder(folder: Path, index: Mapping[str, Any], config: Config) -> dict[str, Probe]:
    (folder / ENCODER_GRAPH).unlink(missing_ok=True)
    if not (folder / ENCODER).is_file():
        return {}
    from buffycoat.backbones import graph

    spec = index["encoder"]
    encoder, side = rebuild_encoder(folder, spec), spec["input_px"]
    network = encoder.on_pixels(is_plain=True)
    template = graph.export(network, np.zeros((2, side, side, 3), np.uint8), {0: "n"})
    names = {f"network.{name}": name for name in encoder.network.state_dict()}
    graph.save_beside(template, folder / ENCODER_GRAPH, folder / ENCODER, names)
    return {ENCODER_GRAPH: Probe.of(network, (side, side, 3))}
