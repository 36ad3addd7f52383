"""Networks compiled by OpenVINO for this machine's CPU; torch is needed for a torch module only."""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from buffycoat.backbones.engine import Engine
from buffycoat.backbones.threads import cpus
from buffycoat.errors import ConfigError
from buffycoat.optional import require

if TYPE_CHECKING:
    from torch import nn

REQUESTS_PER_THREAD = 2
"""One is computed while the next one's input is made and waits: no thread waits for Python."""
MOST_SHAPES = 4
"""Shapes that a network stays compiled for; each takes tens of megabytes."""


class _Running(NamedTuple):
    """A request at work, whether it is the last of its batch, and where it goes then."""

    request: Any
    is_last: bool
    idle: deque[Any]


class OpenvinoEngine(Engine):
    """Several inputs side by side, each a request of its own on a thread of its own.

    Inputs never share a batch and one is never shared between threads, so its numbers depend
    neither on the others nor on the number of threads. That number is `threads.cpus`, and threads
    that have nothing to do sleep.

    In bf16 an embedding turns by 3 to 6 degrees against the one in fp32 (EfficientNet-Lite0), so
    the precision is among the settings.

    Args:
        source: An ONNX file; or a torch module, on the CPU and in evaluation mode.
        shape: Of one input, without the batch. Another one that is met later is compiled then.
        precision: "bf16", "f16" or "f32", which becomes f32 where the CPU itself does not compute
            in it; None for the fastest that it does.
        dtype: Of the inputs of a torch module.

    Raises:
        ConfigError: OpenVINO cannot read or convert the network.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(
        self,
        source: Path | nn.Module,
        shape: tuple[int, ...],
        precision: str | None = None,
        dtype: type[np.generic] = np.float32,
    ) -> None:
        self._source, self._dtype, self._wanted = source, dtype, precision
        self._threads = cpus()
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._idle: dict[tuple[int, ...], deque[Any]] = {}
        compiled = self._of_shape(shape)
        self._precision = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()

    @property
    def cells_at_once(self) -> int:
        """One."""
        return 1

    def settings(self) -> dict[str, Any]:
        """The engine, and the precision that it really computes in."""
        return {"engine": "openvino", "precision": self._precision}

    def run(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Outputs of each batch, in order."""
        most = REQUESTS_PER_THREAD * self._threads
        busy: deque[_Running] = deque()
        done: list[np.ndarray] = []
        try:
            for batch in batches:
                for place, item in enumerate(batch, start=1):
                    if len(busy) == most:
                        yield from _collect(busy, done)
                    request = self._request(item.shape)
                    request.start_async({0: np.ascontiguousarray(item[None])})
                    busy.append(_Running(request, place == len(batch), self._idle[item.shape]))
            while busy:
                yield from _collect(busy, done)
        finally:
            for running in busy:
                running.request.wait()

    def _request(self, shape: tuple[int, ...]) -> Any:
        """One that is idle, or a new one."""
        compiled = self._of_shape(shape)
        idle = self._idle[shape]
        return idle.pop() if idle else compiled.create_infer_request()

    def _of_shape(self, shape: tuple[int, ...]) -> Any:
        if shape not in self._compiled:
            if len(self._compiled) == MOST_SHAPES:
                oldest = next(iter(self._compiled))
                del self._compiled[oldest], self._idle[oldest]
            self._compiled[shape], self._idle[shape] = self._compile(shape), deque()
        return self._compiled[shape]

    def _compile(self, shape: tuple[int, ...]) -> Any:
        openvino = _openvino()
        try:
            model = _model(openvino, self._source, np.zeros((1, *shape), self._dtype))
        except (openvino.frontend.OpConversionFailure, RuntimeError) as error:
            raise ConfigError(
                f"OpenVINO cannot convert this network ({str(error).splitlines()[0]}): "
                "--set embed.engine=torch"
            ) from error
        settings = {
            "NUM_STREAMS": self._threads,
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,  # two processes would take the same cores
        }
        if self._wanted is not None:
            settings["INFERENCE_PRECISION_HINT"] = self._wanted
        return openvino.Core().compile_model(model, "CPU", settings)


def _collect(busy: deque[_Running], done: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Wait for the oldest request; give its batch if it was the last of it."""
    running = busy[0]
    running.request.wait()
    busy.popleft()
    done.append(running.request.get_output_tensor(0).data.copy())
    running.idle.append(running.request)
    if running.is_last:
        yield np.concatenate(done)
        done.clear()


def _model(openvino: ModuleType, source: Path | nn.Module, example: np.ndarray) -> Any:
    if isinstance(source, Path):
        model = openvino.Core().read_model(source)
        model.reshape(list(example.shape))
        return model
    import torch

    with warnings.catch_warnings():
        # Of tracing: that sizes become constants, which is meant, and that torch will drop it.
        warnings.simplefilter("ignore")
        given = torch.from_numpy(example)
        return openvino.convert_model(source, example_input=given, input=list(example.shape))


def _openvino() -> ModuleType:
    """OpenVINO without its telemetry, which tells a server of every import and conversion.

    An import of a module that stands as None fails, and OpenVINO then takes a stub of its own.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore
    return require("openvino", "fast")
