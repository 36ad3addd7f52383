"""Cellpose behind the interface of the stain segmentation: a tiny network of its own kind."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.segment.test_stain import dice, draw

from buffycoat.config import SegmentConfig
from buffycoat.errors import MissingExtraError, WeightsNotFoundError
from buffycoat.segment.segmenters import build_segmenter


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Random weights of a Cellpose-SAM one block deep, written by Cellpose itself."""
    vit = pytest.importorskip("cellpose.vit")
    build_sam = pytest.importorskip("segment_anything.build_sam")

    def tiny(checkpoint: None) -> object:
        return build_sam._build_sam(32, 1, 2, [0], checkpoint)

    monkeypatch.setitem(vit.sam_model_registry, "vit_l", tiny)
    path = tmp_path / "tiny"
    vit.CPSAM().save_model(path)
    return str(path)


def test_the_networks_own_code_runs_from_a_file(weights: str) -> None:
    image, _, _ = draw(side=200)
    segment = build_segmenter(SegmentConfig(method="cellpose", weights=weights))
    for found in segment(np.stack([image, image])):
        assert found.cell.shape == found.nucleus.shape == (200, 200)
        assert found.cell.dtype == found.nucleus.dtype == np.bool_
        assert not (found.nucleus & ~found.cell).any()
        assert 0 <= found.quality <= 1


@pytest.mark.parametrize("side", [120, 224, 360])
def test_the_cell_in_the_centre_is_taken_with_its_nucleus(weights: str, side: int) -> None:
    from buffycoat.segment.cellpose import CellposeSegmenter

    image, cell, nucleus = draw(side=side)
    segment = CellposeSegmenter(weights)

    class Network:
        """Finds the white cell, a red cell, and a large thing at the border."""

        def eval(self, pixels: np.ndarray, max_size_fraction: float) -> tuple[np.ndarray]:
            assert pixels.shape == (160, 160, 3)
            assert max_size_fraction > 0.9
            own = cv2.resize(cell.astype(np.uint8), (160, 160), interpolation=cv2.INTER_AREA) > 0
            labels = np.zeros((160, 160), np.uint16)
            labels[:, 130:] = 1
            labels[own] = 2
            labels[10:40, 10:40] = 3
            return (labels,)

    segment._model = Network()
    (found,) = segment(image[None])
    assert dice(found.cell, cell) > 0.95
    assert dice(found.nucleus, nucleus) > 0.9
    assert found.quality > 0.5


def test_without_a_mask_or_a_stained_nucleus_there_is_no_cell(weights: str) -> None:
    from buffycoat.segment.cellpose import CellposeSegmenter

    image, _, _ = draw(side=160)
    segment = CellposeSegmenter(weights)

    class Network:
        labels = np.zeros((160, 160), np.uint16)

        def eval(self, *_: object, **__: object) -> tuple[np.ndarray]:
            return (self.labels,)

    segment._model = network = Network()
    assert segment(image[None])[0].quality == 0
    network.labels[:20, :20] = 1  # background only
    (found,) = segment(image[None])
    assert found.quality == 0
    assert not found.cell.any()


def test_unknown_weights_are_refused_and_not_replaced(tmp_path: Path) -> None:
    pytest.importorskip("cellpose")
    with pytest.raises(WeightsNotFoundError, match="neither a file nor one of Cellpose's"):
        build_segmenter(SegmentConfig(method="cellpose", weights="no-such-model"))
    other = tmp_path / "other.pth"
    other.write_bytes(b"not weights")
    with pytest.raises(WeightsNotFoundError, match="cannot load it"):
        build_segmenter(SegmentConfig(method="cellpose", weights=str(other)))


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cellpose.models", None)
    with pytest.raises(MissingExtraError, match=r"buffycoat\[cellpose\]"):
        build_segmenter(SegmentConfig(method="cellpose", weights="of-no-machine"))
