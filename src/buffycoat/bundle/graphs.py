"""Graphs of a bundle's networks, and what torch makes of a few inputs, beside its weights."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from buffycoat.backbones.choice import EngineWarning, try_openvino
from buffycoat.backbones.probe import Probe
from buffycoat.bundle.networks import (
    FOLDS,
    PROBES,
    RESTORER,
    RESTORER_GRAPH,
    RESTORER_PRECISION,
    fold_graph,
    under,
)
from buffycoat.config import Config
from buffycoat.errors import ConfigError
from buffycoat.restore.apply import TRAINED


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
    for what, write in (("classifier", _write_folds), ("restorer", _write_restorer)):
        try:
            probes |= write(folder, index, config)
        except ConfigError as error:
            warnings.warn(f"the {what} has no graph: {error}", EngineWarning, stacklevel=2)
    if not probes:
        return {}
    tensors = {
        f"{name}.{part}": getattr(probe, part)
        for name, probe in probes.items()
        for part in ("inputs", "outputs")
    }
    save_file(tensors, folder / PROBES)
    (folder / PROBES).chmod(0o644)
    precisions = {RESTORER_GRAPH: RESTORER_PRECISION}
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
    return {RESTORER_GRAPH: Probe.of(network, (side, side, 3))}
