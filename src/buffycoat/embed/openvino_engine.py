"""Frozen networks compiled by OpenVINO for this machine's CPU."""

from __future__ import annotations

import sys
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from buffycoat.embed.engine import Engine
from buffycoat.errors import ConfigError
from buffycoat.optional import require

REQUESTS_PER_THREAD = 2
"""One is computed while the next one's input is made and waits: no thread waits for Python."""


class PrecisionWarning(UserWarning):
    """This CPU does not compute in the precision that embeddings were made with."""


class OpenvinoEngine(Engine):
    """Several cells side by side, each a request of its own on a thread of its own.

    Cells never share a batch and a cell is never shared between threads, so its numbers depend
    neither on the other cells nor on the number of threads. That number is torch's.

    In bf16 an embedding turns by 3 to 6 degrees against the one in fp32 (EfficientNet-Lite0), so
    the precision is among the settings.

    Args:
        network: Takes (1, 3, input_px, input_px); on the CPU, in evaluation mode.
        input_px: Side of the square input.
        precision: "bf16", "f16" or "f32"; None for the fastest that the CPU itself computes in.

    Raises:
        ConfigError: OpenVINO cannot convert the network.
        MissingExtraError: OpenVINO is not installed.
    """

    def __init__(self, network: nn.Module, input_px: int, precision: str | None = None) -> None:
        self._threads = torch.get_num_threads()
        self._compiled = _compile(network, input_px, precision, self._threads)
        self._precision = self._compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        if precision not in (None, self._precision):
            warnings.warn(
                f"embeddings were made in {precision}, which this CPU does not compute in: new "
                f"ones are made in {self._precision} and differ slightly",
                PrecisionWarning,
                stacklevel=2,
            )

    @property
    def cells_at_once(self) -> int:
        """One."""
        return 1

    def settings(self) -> dict[str, Any]:
        """The engine, and the precision that it really computes in."""
        return {"engine": "openvino", "precision": self._precision}

    def run(self, batches: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
        """Features of each cell, in order."""
        n_requests = REQUESTS_PER_THREAD * self._threads
        idle = [self._compiled.create_infer_request() for _ in range(n_requests)]
        busy: deque[Any] = deque()
        for batch in batches:
            if not idle:
                request = busy.popleft()
                yield _features(request)
                idle.append(request)
            request = idle.pop()
            request.start_async({0: np.ascontiguousarray(batch.numpy())})
            busy.append(request)
        for request in busy:
            yield _features(request)


def _features(request: Any) -> torch.Tensor:
    request.wait()
    return torch.from_numpy(request.get_output_tensor(0).data.copy())


def _compile(network: nn.Module, input_px: int, precision: str | None, threads: int) -> Any:
    openvino = _openvino()
    shape = [1, 3, input_px, input_px]
    with warnings.catch_warnings():
        # Of tracing: that sizes become constants, which is meant, and that torch will drop it.
        warnings.simplefilter("ignore")
        try:
            model = openvino.convert_model(network, example_input=torch.zeros(shape), input=shape)
        except (openvino.frontend.OpConversionFailure, RuntimeError) as error:
            raise ConfigError(
                f"OpenVINO cannot convert this network ({str(error).splitlines()[0]}): "
                "--set embed.engine=torch"
            ) from error
    settings = {
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # two processes would take the same cores
    }
    if precision is not None:
        settings["INFERENCE_PRECISION_HINT"] = precision
    return openvino.Core().compile_model(model, "CPU", settings)


def _openvino() -> ModuleType:
    """OpenVINO without its telemetry, which tells a server of every import and conversion.

    An import of a module that stands as None fails, and OpenVINO then takes a stub of its own.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore
    return require("openvino", "fast")
