"""The contract that every restorer keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from buffycoat.errors import BundleError, ConfigError, ShapeError
from buffycoat.restore.apply import (
    RESTORERS,
    Restorer,
    Trained,
    from_tensors,
)
from buffycoat.restore.network import to_network, to_pixels
from buffycoat.restore.residual import ResidualUNet
from buffycoat.restore.unet import UNet


def _pix2pix() -> Trained:
    settings = {"base_channels": 4, "depth": 3, "dropout": 0.5, "norm": "batch"}
    torch.manual_seed(0)
    generator = UNet(**settings)
    with torch.no_grad():
        for _ in range(3):
            generator(torch.rand(4, 3, 32, 32) * 2 - 1)  # moves the running statistics
    return Trained.by_torch("pix2pix", settings, generator.state_dict())


def _residual() -> Trained:
    settings = {"base_channels": 4, "depth": 2, "blocks": 1}
    torch.manual_seed(0)
    generator = ResidualUNet(**settings)
    with torch.no_grad():
        generator.leave.weight.normal_(0, 0.02)  # away from its start, which changes nothing
        generator.light.trust.weight.normal_(0, 0.1)
    return Trained.by_torch("residual", settings, generator.state_dict())


TRAINED = {"pix2pix": _pix2pix, "residual": _residual}


@pytest.fixture(scope="module", params=sorted(RESTORERS))
def restorer(request: pytest.FixtureRequest) -> Restorer:
    make = TRAINED.get(request.param, lambda: from_tensors({"name": request.param}, {}))
    return make()


def test_shape_type_and_repetition(restorer: Restorer, drawn_cells: np.ndarray) -> None:
    images = drawn_cells[:3, :50, :41]
    untouched = images.copy()
    restored = restorer.restore(images)
    assert restored.shape == images.shape
    assert restored.dtype == np.uint8
    assert np.array_equal(restored, restorer.restore(images))
    assert np.array_equal(images, untouched)
    assert not np.shares_memory(restored, images)
    assert restorer.restore(images[:0]).shape == (0, 50, 41, 3)


def test_a_batch_of_one_equals_a_batch_of_eight(
    restorer: Restorer, drawn_cells: np.ndarray
) -> None:
    together = restorer.restore(drawn_cells[:8])
    alone = np.concatenate([restorer.restore(drawn_cells[row : row + 1]) for row in range(8)])
    assert np.array_equal(together, alone)


def test_loaded_equals_trained(restorer: Restorer, drawn_cells: np.ndarray, tmp_path: Path) -> None:
    save_file(restorer.to_tensors(), tmp_path / "restorer.safetensors")
    loaded = from_tensors(restorer.to_dict(), load_file(tmp_path / "restorer.safetensors"))
    assert loaded.to_dict() == restorer.to_dict()
    assert np.array_equal(loaded.restore(drawn_cells[:2]), restorer.restore(drawn_cells[:2]))


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_half_precision_weights_load_as_full(name: str, drawn_cells: np.ndarray) -> None:
    trained = TRAINED[name]()
    halves = {
        key: value.astype(np.float16) if value.dtype == np.float32 else value
        for key, value in trained.to_tensors().items()
    }
    loaded = from_tensors(trained.to_dict(), halves)
    assert {t.dtype for t in loaded.to_tensors().values()} <= {np.dtype(np.float16), np.dtype(int)}
    off = loaded.restore(drawn_cells[:2]).astype(int) - trained.restore(drawn_cells[:2])
    assert np.abs(off).max() <= 2


def test_progress_counts_images(restorer: Restorer, drawn_cells: np.ndarray) -> None:
    calls: list[tuple[int, int]] = []
    restorer.restore(drawn_cells[:3], lambda done, total: calls.append((done, total)))
    assert calls[-1] == (3, 3)


@pytest.mark.parametrize("shape", [(64, 64, 3), (1, 64, 64, 4)])
def test_wrong_shapes_are_refused(restorer: Restorer, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected"):
        restorer.restore(np.zeros(shape, np.uint8))
    with pytest.raises(ShapeError, match="float64"):
        restorer.restore(np.zeros((1, 8, 8, 3)))


def test_pixels_survive_the_way_to_the_network_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, axis=-1)
    assert np.array_equal(to_pixels(to_network(torch.from_numpy(levels))).numpy(), levels)


@pytest.mark.parametrize("name", sorted(TRAINED))
def test_foreign_weights_are_refused(name: str) -> None:
    trained = TRAINED[name]()
    tensors = trained.to_tensors()
    first = sorted(tensors)[0]
    with pytest.raises(BundleError, match=first):
        from_tensors(trained.to_dict(), {k: v for k, v in tensors.items() if k != first})
    with pytest.raises(BundleError, match=first):
        from_tensors(trained.to_dict(), tensors | {first: tensors[first][..., :1]})


def test_a_foreign_name_is_refused() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'pix2pix'"):
        from_tensors({"name": "pix2pics"}, {})
