"""The arms of the embedding benchmark embed the same files in the same order."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from benchmarks import embedding_speed
from buffycoat.config import EmbedConfig
from buffycoat.embed.encoders import build_encoder
from buffycoat.images import list_images

TINY = EmbedConfig(encoder="test_resnet", weights="random", input_px=32)


@pytest.fixture(scope="module")
def paths(rendered_cells: Path) -> list[Path]:
    return list_images(rendered_cells)[: embedding_speed.CHUNK + 3]


def test_decoding_ahead_changes_nothing(paths: list[Path]) -> None:
    encoder = build_encoder(TINY)
    one, other = embedding_speed.plain(encoder)(paths), embedding_speed.ahead(encoder)(paths)
    np.testing.assert_allclose(one, other, atol=1e-4)
    assert len(one) == len(paths)


@pytest.mark.skipif(importlib.util.find_spec("openvino") is None, reason="needs the extra 'fast'")
def test_every_arm_has_a_rate_in_every_round(paths: list[Path]) -> None:
    found = embedding_speed.measure(paths, TINY, rounds=2)
    assert {name: len(rates) for name, rates in found["cells_per_second"].items()} == {
        name: 2 for name in ("plain", "torch", "openvino")
    }
    assert found["ratio_to_plain"] > 0
    assert found["cosine_least"] > 0.95
