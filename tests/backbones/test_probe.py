"""The probe: engines are compared on the inputs whose outputs are known, however many those are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from safetensors.numpy import load_file

from buffycoat.backbones.engine import Engine
from buffycoat.backbones.probe import Probe, synthetic
from buffycoat.bundle import graphs
from buffycoat.config import load

SHAPE = (32, 32, 3)


class _Shades:
    """Means of the colours, a little off if wanted."""

    def __init__(self, off: float = 0.0) -> None:
        self.off = off

    def run(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        for batch in batches:
            yield batch.mean(axis=(1, 2)) + self.off


def _engine(off: float = 0.0) -> Engine:
    return cast("Engine", _Shades(off))


@pytest.mark.parametrize(("n_inputs", "n_outputs"), [(3, 3), (3, 1), (1, 3)])
def test_an_engine_that_agrees_is_at_no_distance(n_inputs: int, n_outputs: int) -> None:
    inputs = synthetic(SHAPE)
    outputs = inputs.mean(axis=(1, 2))
    probe = Probe(inputs[:n_inputs], outputs[:n_outputs])
    assert probe.distance(_engine()) == 0
    assert probe.distance(_engine(off=50)) > 1


def test_networks_of_one_size_share_the_most_inputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = synthetic(SHAPE)
    outputs = inputs.mean(axis=(1, 2))

    def nothing(*_: Any) -> dict[str, Probe]:
        return {}

    monkeypatch.setattr(graphs, "_write_folds", nothing)
    monkeypatch.setattr(graphs, "_write_encoder", lambda *_: {"a": Probe(inputs, outputs)})
    monkeypatch.setattr(graphs, "_write_restorer", lambda *_: {"b": Probe(inputs[:1], outputs[:1])})
    monkeypatch.setattr(graphs, "_agreement", lambda *_: "agrees")
    graphs.write_graphs(tmp_path, {"config": load("demo", ()).model_dump(mode="json")})
    stored = load_file(tmp_path / graphs.PROBES)
    assert len(stored[graphs.probe_inputs(SHAPE)]) == 3
    assert {name: len(stored[f"{name}.outputs"]) for name in "ab"} == {"a": 3, "b": 1}
