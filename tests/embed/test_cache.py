from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from buffycoat.embed.cache import encode_cached
from buffycoat.embed.encoders import BackboneEncoder


@pytest.fixture
def encoder() -> BackboneEncoder:
    return BackboneEncoder("test_resnet", "random", 32, 1.0)


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)


def _count(encoder: BackboneEncoder, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    encode = encoder.encode

    def counted(images: np.ndarray, on_progress: object = None) -> np.ndarray:
        counts.append(len(images))
        return encode(images, on_progress)  # type: ignore[arg-type]

    monkeypatch.setattr(encoder, "encode", counted)
    return counts


def test_only_what_is_new_is_computed(
    encoder: BackboneEncoder,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = encoder.encode(images)
    counts = _count(encoder, monkeypatch)
    assert np.array_equal(encode_cached(encoder, images[:3], tmp_path), expected[:3])
    steps: list[tuple[int, int]] = []
    again = encode_cached(encoder, images, tmp_path, lambda d, t: steps.append((d, t)))
    assert np.array_equal(again, expected)
    assert np.array_equal(encode_cached(encoder, images[::-1], tmp_path), expected[::-1])
    assert counts == [3, 1]
    assert steps == [(4, 4)]


def test_a_changed_pixel_or_encoder_is_never_stale(
    encoder: BackboneEncoder,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encode_cached(encoder, images, tmp_path)
    changed = images.copy()
    changed[2, 5, 5, 0] ^= 255
    assert np.array_equal(encode_cached(encoder, changed, tmp_path), encoder.encode(changed))
    other = BackboneEncoder("test_resnet", "random", 32, 0.5)
    counts = _count(other, monkeypatch)
    encode_cached(other, images, tmp_path)
    assert counts == [4]


def test_equal_images_are_computed_once(
    encoder: BackboneEncoder,
    images: np.ndarray,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = _count(encoder, monkeypatch)
    rows = encode_cached(encoder, images[[0, 0, 1]], tmp_path)
    assert np.array_equal(rows[0], rows[1])
    assert counts == [2]


def test_a_broken_cache_is_computed_again(
    encoder: BackboneEncoder, images: np.ndarray, tmp_path: Path
) -> None:
    encode_cached(encoder, images, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    assert np.array_equal(encode_cached(encoder, images, tmp_path), encoder.encode(images))


def test_no_images_leave_no_file(encoder: BackboneEncoder, tmp_path: Path) -> None:
    assert encode_cached(encoder, np.zeros((0, 32, 32, 3), np.uint8), tmp_path).shape[0] == 0
    assert not list(tmp_path.iterdir())
