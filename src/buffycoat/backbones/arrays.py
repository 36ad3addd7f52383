"""Arrays in safetensors files: each with its elements in the order of its shape, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save, save_file

from buffycoat.images import writing


def save_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write arrays, whatever the order of their elements in memory.

    safetensors 0.8.0 writes memory as it lies (up to 0.7.0 it followed the shape; its issue 825),
    so that an array whose axes were swapped, as those of torch's `channels_last` weights are, comes
    back scrambled: right shape, right values, wrong places, no error.

    Args:
        arrays: Name -> array.
        path: Written whole or not at all; who may read it follows the umask.

    Raises:
        OutputError: The disk is full, or the folder cannot be written.
    """
    with writing(path) as part:  # safetensors would write it for the owner alone
        save_file(_in_order(arrays), part)


def to_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """The content of such a file."""
    return save(_in_order(arrays))


def _in_order(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    # not ascontiguousarray, which makes a row of a single number
    return {name: np.array(array, order="C") for name, array in arrays.items()}
