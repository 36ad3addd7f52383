"""What must hold on a GPU; each also runs on a CPU, so that the tests themselves stay right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from buffycoat.backbones.build import build
from buffycoat.backbones.devices import device
from buffycoat.backbones.torch_engine import TorchEngine
from buffycoat.classify.train import fit_fold
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import ClassifyConfig, RestoreConfig
from buffycoat.restore.train import fit_restorer

PX = 32
DEVICES = ("cpu", pytest.param("cuda", marks=pytest.mark.gpu))


@pytest.fixture(params=DEVICES)
def used(request: pytest.FixtureRequest) -> str:
    if device().type != request.param:
        pytest.skip(f"{device().type} is what is used here")
    return request.param


def _pixels(n: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, PX, PX, 3), dtype=np.uint8)


@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 1e-2), ("bf16", 0.1)])
def test_an_engine_gives_what_the_network_gives_on_a_cpu(
    used: str, precision: str, tolerance: float
) -> None:
    torch.manual_seed(0)
    network = build("tf_efficientnet_lite0", "random", 3, PX).model
    inputs = _pixels().transpose(0, 3, 1, 2).astype(np.float32) / 255
    with torch.inference_mode():
        expected = network(torch.from_numpy(inputs)).numpy()
    engine = TorchEngine(network, precision)
    (found,) = engine.run([inputs])
    assert np.abs(found - expected).max() <= tolerance * np.abs(expected).max()
    assert next(network.parameters()).device.type == "cpu"  # it left the device again


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_classifier_trains_and_resumes(used: str, precision: str, tmp_path: Path) -> None:
    cells = TrainingCells(_pixels(8), np.arange(8), np.repeat([0, 1], 4), 2)
    recipe = ClassifyConfig(
        weights="random", input_px=PX, batch_size=4, epochs=2, precision=precision, micro_batch=2
    )
    checkpoint = tmp_path / "checkpoint.safetensors"
    first, history = fit_fold(cells, recipe, 0, checkpoint)
    assert len(history) == 2
    assert all(np.isfinite(epoch["loss"]) for epoch in history)
    again, _ = fit_fold(cells, recipe, 0, checkpoint)
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name]), name


def test_a_restorer_trains_and_applies(used: str) -> None:
    recipe = RestoreConfig(
        method="pix2pix", base_channels=4, depth=3, gan_weight=1.0, ssim_weight=0.0,
        discriminator_channels=4, train_px=PX, steps=2, batch_size=2,
    )  # fmt: skip
    restored = fit_restorer(_pixels(), recipe, 0).restore(_pixels())
    assert restored.shape == (6, PX, PX, 3)
    assert restored.dtype == np.uint8
