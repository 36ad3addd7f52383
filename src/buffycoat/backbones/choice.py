"""Which engine runs a network here: OpenVINO where it agrees with torch, else torch."""

from __future__ import annotations

import ctypes.util
import importlib.util
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from buffycoat.backbones.engine import Engine
from buffycoat.backbones.openvino_engine import OpenvinoEngine
from buffycoat.backbones.probe import Probe
from buffycoat.errors import BuffycoatError, ConfigError
from buffycoat.optional import require

if TYPE_CHECKING:
    from torch import nn

ENGINES = ("auto", "openvino", "torch")
OF_OPENVINO = {"bf16": "bf16", "fp32": "f32"}
"""Our name of a precision -> OpenVINO's."""
TOLERANCE = {"f32": 2e-3, "bf16": 0.1, "f16": 0.05}
"""Precision -> largest `Probe.distance` from torch in fp32. On the starter's classifiers
rounding to bf16 causes 0.03, an image mirrored 0.2, red and blue exchanged 0.5 to 0.9."""


class EngineWarning(UserWarning):
    """A network runs in torch, since OpenVINO does not compute it rightly here."""


def open_engine(
    graph: Path | None,
    network: Callable[[], nn.Module],
    probe: Probe | tuple[int, ...],
    precision: str,
    wanted: str = "auto",
) -> Engine:
    """The engine of a stored network; torch is imported only where it runs it.

    Args:
        graph: Its ONNX file, which takes uint8; None to convert the torch module.
        network: Gives the torch module, which takes what the graph takes.
        probe: Decides whether OpenVINO may run it; or the shape of one input without the batch,
            to let torch make one.
        precision: "bf16" or "fp32".
        wanted: One of `ENGINES`; "auto" takes OpenVINO where it is installed and agrees, and torch
            where there is a GPU.

    Raises:
        ConfigError: OpenVINO is asked for and does not agree with torch.
        MissingExtraError: OpenVINO is asked for and is not installed.
    """
    if wanted == "torch" or (wanted == "auto" and (not has_openvino() or has_gpu())):
        return _torch(network, precision)
    if not isinstance(probe, Probe):
        probe = Probe.of(network(), probe)
    engine, fault = try_openvino(network() if graph is None else graph, probe, precision)
    if engine is not None:
        return engine
    name = "a network" if graph is None else graph.name
    if wanted == "openvino":
        require("openvino", "fast")
        raise ConfigError(f"OpenVINO cannot run {name}: {fault}. Use the engine 'torch'")
    warnings.warn(
        f"{name} runs in torch, which is slower: OpenVINO: {fault}",
        EngineWarning,
        stacklevel=2,
    )
    return _torch(network, precision)


def try_openvino(
    source: Path | nn.Module, probe: Probe, precision: str
) -> tuple[OpenvinoEngine | None, str]:
    """A network in OpenVINO, if that agrees with torch; else why not, in words.

    Args:
        source: An ONNX file or a torch module; takes uint8.
        probe: What torch makes of a few inputs.
        precision: "bf16" or "fp32".
    """
    try:
        engine = OpenvinoEngine(source, probe.inputs.shape[1:], OF_OPENVINO[precision], np.uint8)
        distance, limit = probe.distance(engine), TOLERANCE[engine.settings()["precision"]]
    except BuffycoatError as error:
        return None, str(error)
    except RuntimeError as error:  # of OpenVINO: while it compiles or computes
        return None, str(error).splitlines()[0]
    if distance <= limit:
        return engine, ""
    return None, f"outputs are off by {distance:.3g} standard deviations, allowed are {limit}"


def has_gpu() -> bool:
    """Whether torch would run on CUDA or ROCm; torch is not imported where nothing shows a GPU."""
    if not _has_driver():
        return False
    import torch

    return torch.cuda.is_available()


def _has_driver() -> bool:
    """Whether a GPU's driver is there: its device files on Linux, its library on Windows."""
    if sys.platform == "win32":
        return ctypes.util.find_library("nvcuda") is not None
    return any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    try:
        return importlib.util.find_spec("openvino") is not None
    except ValueError:  # stands as None among the modules
        return False


def _torch(network: Callable[[], nn.Module], precision: str) -> Engine:
    from buffycoat.backbones.torch_engine import TorchEngine

    return TorchEngine(network(), precision)
