"""Arrays in files: what is read is what was written, wherever its elements lay in memory."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load, load_file

from buffycoat.backbones.arrays import save_arrays, to_bytes

PACKAGE = Path(__file__).resolve().parents[2] / "src" / "buffycoat"
WHOLE = np.arange(96, dtype=np.float32).reshape(2, 3, 4, 4)


@pytest.mark.parametrize(
    "array",
    [
        torch.from_numpy(WHOLE).to(memory_format=torch.channels_last).numpy(),
        np.asfortranarray(WHOLE),
        WHOLE.transpose(3, 1, 0, 2),
        WHOLE[:, 1:, ::-1],
        np.array(7.0),
        WHOLE.astype(np.float16, order="F"),
    ],
    ids=["channels last", "columns first", "transposed", "part", "one number", "half"],
)
def test_they_come_back_in_place(array: np.ndarray, tmp_path: Path) -> None:
    save_arrays({"a": array}, tmp_path / "a.safetensors")
    found = load_file(tmp_path / "a.safetensors")["a"]
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert np.array_equal(found, array)
    assert np.array_equal(load(to_bytes({"a": array}))["a"], array)


def test_colleagues_may_read_them(tmp_path: Path) -> None:
    save_arrays({"a": WHOLE}, tmp_path / "a.safetensors")
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o044 == 0o044


def test_no_other_code_writes_arrays() -> None:
    writer = re.compile(r"from safetensors\.numpy import .*save|safetensors\.numpy\.save")
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if writer.search(path.read_text())
    }
    assert found == {"backbones/arrays.py"}
