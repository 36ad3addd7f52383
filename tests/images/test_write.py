from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from buffycoat import images
from buffycoat.errors import OutputError, ShapeError


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_writing_replaces_whole_files_and_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.json"
    images.write_atomic(path, b"one")
    images.write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert _names(path.parent) == ["file.json"]


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_who_may_read_a_file_follows_the_umask_whatever_writes_it(
    tmp_path: Path, umask: int, mode: int
) -> None:
    before = os.umask(umask)
    try:
        images.write_atomic(tmp_path / "plain", b"bytes")
        with images.writing(tmp_path / "weights") as part:
            save_file({"a": np.zeros(1)}, part)
    finally:
        os.umask(before)
    for name in ("plain", "weights"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == mode
    assert _names(tmp_path) == ["plain", "weights"]


def _write_half(path: Path, error: BaseException) -> None:
    with images.writing(path) as part:
        part.write_bytes(b"half")
        raise error


def test_a_failed_block_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    images.write_atomic(path, b"old")
    with pytest.raises(KeyboardInterrupt):
        _write_half(path, KeyboardInterrupt())
    assert path.read_bytes() == b"old"
    assert _names(tmp_path) == ["file.bin"]


def test_a_full_disk_is_explained_and_leaves_nothing(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OutputError, match=r"file.bin.*No space left.*Free some disk"):
        _write_half(tmp_path / "file.bin", full)
    assert _names(tmp_path) == []


def test_an_impossible_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        images.write_atomic(tmp_path / "file" / "under.txt", b"x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        images.write_atomic(tmp_path / "folder", b"x")
    assert _names(tmp_path) == ["file", "folder"]


def test_other_errors_in_the_block_pass_through(tmp_path: Path) -> None:
    path = tmp_path / "out" / "file.bin"
    with pytest.raises(ShapeError), images.writing(path):
        raise ShapeError("shape")
    with pytest.raises(FileNotFoundError, match="input"), images.writing(path):
        (tmp_path / "elsewhere" / "input.bin").read_bytes()


def test_a_mask_can_be_written(tmp_path: Path) -> None:
    mask = np.eye(20, dtype=bool)
    images.write_png(tmp_path / "mask.png", mask)
    np.testing.assert_array_equal(images.read(tmp_path / "mask.png")[..., 0] > 0, mask)
