"""Embeddings that were computed before, found by the bytes of the image and of the encoder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from buffycoat.embed.encoder import Encoder
from buffycoat.images import write_atomic
from buffycoat.training.loop import Progress


def digests_of(images: np.ndarray) -> list[bytes]:
    """SHA-256 of each image's size and pixels.

    Args:
        images: Shape (n, h, w, 3), uint8; may be memory-mapped.

    Returns:
        n digests of 32 bytes.
    """
    shape = repr(images.shape[1:]).encode()
    return [hashlib.sha256(shape + np.ascontiguousarray(i).tobytes()).digest() for i in images]


def encode_cached(
    encoder: Encoder, images: np.ndarray, folder: Path, on_progress: Progress | None = None
) -> np.ndarray:
    """Embed cells, computing only what is not in the cache.

    One file for each encoder, found by its fingerprint; rows in it by the digest of the image.
    So neither a changed image nor a changed encoder ever gets an old embedding. The file is
    replaced whole: a kill leaves the old one. One that cannot be read is computed again.

    Args:
        encoder: A frozen encoder.
        images: Working images, shape (n, w, w, 3), uint8; may be memory-mapped.
        folder: Where the cache lives.
        on_progress: Called with (cells done, cells in all), those from the cache included.

    Returns:
        Shape (n, d), float32, rows of length 1.
    """
    path = folder / f"{encoder.fingerprint}.safetensors"
    known = _read(path)
    keys = digests_of(images)
    first = {key: row for row, key in reversed(list(enumerate(keys)))}
    missing = sorted(row for key, row in first.items() if key not in known)
    found = len(images) - len(missing)
    if missing:

        def report(done: int, total: int) -> None:
            if on_progress is not None:
                on_progress(found + done, len(images))

        fresh = encoder.encode(np.stack([images[row] for row in missing]), report)
        known |= {keys[row]: embedding for row, embedding in zip(missing, fresh, strict=True)}
        _write(path, known)
    elif on_progress is not None:
        on_progress(len(images), len(images))
    if not keys:
        return encoder.encode(images)
    return np.stack([known[key] for key in keys])


def _read(path: Path) -> dict[bytes, np.ndarray]:
    if not path.is_file():
        return {}
    try:
        tensors = load_file(path)
        return {
            d.tobytes(): e for d, e in zip(tensors["digests"], tensors["embeddings"], strict=True)
        }
    except (SafetensorError, KeyError, ValueError):
        return {}


def _write(path: Path, known: dict[bytes, np.ndarray]) -> None:
    digests = np.stack([np.frombuffer(key, np.uint8) for key in known])
    write_atomic(path, save({"digests": digests, "embeddings": np.stack(list(known.values()))}))
