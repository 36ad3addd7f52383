"""Which engine runs a network: OpenVINO only where it gives what torch gave, else torch, aloud."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor, nn

from buffycoat.backbones import choice, graph
from buffycoat.backbones.choice import EngineWarning, open_engine
from buffycoat.backbones.devices import to_arrays
from buffycoat.backbones.openvino_engine import OpenvinoEngine
from buffycoat.backbones.probe import Probe, synthetic
from buffycoat.backbones.torch_engine import TorchEngine
from buffycoat.errors import ConfigError, MissingExtraError

needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'"
)
SHAPE = (24, 24, 3)


class _Network(nn.Module):
    """A convolution, a batch norm and a classifier, on pixels."""

    def __init__(self, swap: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.swap = swap
        self.conv = nn.Conv2d(3, 8, 5, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.last = nn.Linear(8, 5)

    def forward(self, image: Tensor) -> Tensor:
        pixels = image.permute(0, 3, 1, 2).float() / 127.5 - 1
        pixels = pixels.flip(1) if self.swap else pixels
        return self.last(self.norm(self.conv(pixels)).relu().mean(dim=(2, 3)))


def _network(swap: bool = False) -> nn.Module:
    network = _Network(swap)
    with torch.no_grad():
        network(torch.from_numpy(synthetic(SHAPE)))  # moves the running statistics
    return network.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "has_gpu", lambda: False)


@pytest.fixture(scope="module", params=[np.float32, np.float16], ids=["fp32", "fp16"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph whose weights lie in a safetensors file beside it."""
    folder = tmp_path_factory.mktemp("graph")
    network = _network()
    state = {
        f"0.{k}": v.astype(request.param) if v.dtype == np.float32 else v
        for k, v in to_arrays(network.state_dict()).items()
    }
    save_file(state, folder / "weights.safetensors")
    template = graph.export(network, np.zeros((2, *SHAPE), np.uint8), {0: "n"})
    names = {name.removeprefix("0."): name for name in state}
    graph.save_beside(template, folder / "a.onnx", folder / "weights.safetensors", names)
    return folder / "a.onnx"


def test_the_weights_are_not_in_the_graph(stored: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(stored, load_external_data=False)
    outside = [t.name for t in model.graph.initializer if t.external_data]
    assert len(outside) == 7  # a convolution, four of the batch norm, two of the linear layer
    assert all("weights.safetensors" in str(t.external_data) for t in model.graph.initializer
               if t.external_data)  # fmt: skip


def test_another_program_reads_the_weights_where_they_lie(stored: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    probe = Probe.of(_network(), SHAPE)
    (found,) = runtime.InferenceSession(stored).run(None, {graph.INPUT: probe.inputs})
    np.testing.assert_allclose(found, probe.outputs, atol=5e-3)


@needs_openvino
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_openvino_runs_what_it_computes_rightly(stored: Path, precision: str) -> None:
    def refuse() -> nn.Module:
        raise AssertionError("torch is not to be asked")

    probe = Probe.of(_network(), SHAPE)
    engine = open_engine(stored, refuse, probe, precision)
    assert isinstance(engine, OpenvinoEngine)
    one, two = engine.run([probe.inputs[:1], probe.inputs[1:]])
    (together,) = engine.run([probe.inputs])
    assert np.array_equal(np.concatenate([one, two]), together)


@needs_openvino
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_that_computes_something_else_is_left_for_torch(
    stored: Path, precision: str
) -> None:
    probe = Probe.of(_network(swap=True), SHAPE)
    with pytest.warns(EngineWarning, match=r"a.onnx runs in torch.*standard deviations"):
        engine = open_engine(stored, lambda: _network(swap=True), probe, precision)
    assert isinstance(engine, TorchEngine)
    with pytest.raises(ConfigError, match=r"OpenVINO cannot run a\.onnx"):
        open_engine(stored, _network, probe, precision, "openvino")


@needs_openvino
def test_a_graph_that_is_cut_short_is_left_for_torch(stored: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes(stored.read_bytes()[:100])
    with pytest.warns(EngineWarning, match=r"cut.onnx runs in torch"):
        engine = open_engine(tmp_path / "cut.onnx", _network, Probe.of(_network(), SHAPE), "fp32")
    assert isinstance(engine, TorchEngine)


@needs_openvino
def test_without_a_graph_the_torch_module_is_converted() -> None:
    engine = open_engine(None, _network, SHAPE, "fp32")
    assert isinstance(engine, OpenvinoEngine)
    probe = Probe.of(_network(), SHAPE)
    assert probe.distance(engine) < 1e-4


def test_without_openvino_torch_runs_it(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    probe = Probe.of(_network(), SHAPE)
    engine = open_engine(stored, _network, probe, "fp32")
    assert isinstance(engine, TorchEngine)
    assert probe.distance(engine) < 1e-6
    with pytest.raises(MissingExtraError, match=r"buffycoat\[fast\]"):
        open_engine(stored, _network, probe, "fp32", "openvino")


@needs_openvino
def test_an_engine_serves_any_shape_and_can_be_left_midway() -> None:
    engine = OpenvinoEngine(_network(), SHAPE, "f32", np.uint8)
    inputs = [synthetic((side, side, 3))[:2] for side in (24, 32, 24)]
    for given, found in zip(inputs, engine.run(inputs), strict=True):
        (expected,) = TorchEngine(_network()).run([given])
        np.testing.assert_allclose(found, expected, atol=1e-5)
    running = engine.run(inputs * 5)
    next(running)
    running.close()
    assert len(list(engine.run(inputs))) == 3
