"""Windows and macOS by simulation: what only Linux has is taken away, and all goes on."""

from __future__ import annotations

import ctypes.util
import ntpath
import os
import socket
import subprocess
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from tests.opened import forbid_on_open_files
from typer.testing import CliRunner

from buffycoat.backbones import choice, control_groups, memory, threads
from buffycoat.cells import CellRef, Manifest
from buffycoat.cli.main import app
from buffycoat.config import ImagesConfig
from buffycoat.embed import cache
from buffycoat.errors import ManifestError
from buffycoat.exchange import boxes
from buffycoat.images import load_work, work, write_png
from buffycoat.predict import restore_plan
from buffycoat.serve import places, run
from buffycoat.sources import table

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes Linux's own calls away")

IMPORT_ALL = """
import importlib, os, pkgutil, sys
# Other packages may use what only Linux has; ours are imported after that.
import cv2, fastapi, lightning.fabric, pandas, PIL.Image, pyarrow.parquet, scipy.stats
import skimage.measure, sklearn.covariance, sqlalchemy, tifffile, timm, torch, torchvision, uvicorn
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None  # as on Windows: the import fails
for name in ("sched_getaffinity", "posix_fallocate", "uname", "getuid", "geteuid"):
    delattr(os, name)
import buffycoat
for module in pkgutil.walk_packages(buffycoat.__path__, "buffycoat."):
    if ".migrations." not in module.name:
        importlib.import_module(module.name)
"""


@pytest.mark.slow
def test_every_module_is_imported_without_what_only_unix_has() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    for number in range(3):
        pixels = np.full((40, 40, 3), 60 * number, np.uint8)
        write_png(folder / f"{number}.png", pixels)
    return folder


def _manifest(folder: Path) -> Manifest:
    names = sorted(path.name for path in folder.iterdir())
    rows = {"cell_id": names, "path": [str(folder / name) for name in names]}
    return Manifest.from_frame(pd.DataFrame(rows), "test")


@pytest.mark.parametrize("has_torn", [False, True])
def test_working_images_are_cached_without_fallocate_and_with_no_open_file_replaced(
    cells: Path, tmp_path: Path, has_torn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_on_open_files(monkeypatch, tmp_path)
    monkeypatch.delattr(os, "posix_fallocate")
    monkeypatch.setattr(work, "_BLOCK_BYTES", 1000)
    if has_torn:
        (cells / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    found = load_work(_manifest(cells), ImagesConfig(work_px=32), cache=tmp_path / "cache")
    assert found.images[:, 0, 0, 0].tolist() == ([0, 120] if has_torn else [0, 60, 120])
    written = next((tmp_path / "cache").glob("*.npy"))
    assert np.load(written).shape == found.images.shape
    assert written.stat().st_blocks * 512 >= found.images.nbytes  # no hole that could fail later


def test_the_guard_sees_maps_and_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_on_open_files(monkeypatch, tmp_path)
    np.save(tmp_path / "a.npy", np.arange(3))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    with pytest.raises(PermissionError, match="WinError 32"):
        (tmp_path / "a.npy").unlink()
    del mapped
    with (tmp_path / "a.npy").open("rb"), pytest.raises(PermissionError):
        os.replace(tmp_path / "a.npy", tmp_path / "b.npy")
    (tmp_path / "a.npy").unlink()


@pytest.mark.slow
def test_predict_and_its_parts_replace_no_open_file(
    cells: Path, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_on_open_files(monkeypatch, tmp_path)
    for name in ("a.csv", "b.parquet"):
        done = CliRunner().invoke(
            app, ["predict", str(tiny_bundle), str(cells), "--out", str(tmp_path / name)]
        )
        assert done.exit_code == 0, done.output
        assert {path.name for path in tmp_path.glob(f"{name}*")} == {name}


@pytest.mark.slow
def test_a_training_replaces_no_open_file(
    rendered_cells: Path,
    tiny_overrides: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forbid_on_open_files(monkeypatch, tmp_path)
    changes = [part for change in tiny_overrides for part in ("--set", change)]
    words = ["train", str(rendered_cells), "--preset", "demo", "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, [*words, *changes])
    assert done.exit_code == 0, done.output


def test_processors_and_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 96)
    monkeypatch.setattr(control_groups, "OWN_CGROUP", Path("/nowhere"))
    assert threads.cpus() == 96
    assert threads.at_most(96) == 96
    monkeypatch.setattr(sys, "platform", "win32")
    assert threads.at_most(96) == 61  # ProcessPoolExecutor refuses more


def test_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    on_linux = memory.peak_mb()
    assert on_linux is not None
    monkeypatch.setattr(sys, "platform", "darwin")
    on_macos = memory.peak_mb()  # the same number, taken for bytes
    assert on_macos is not None
    assert on_macos == pytest.approx(on_linux / 1024, abs=1)
    monkeypatch.setitem(sys.modules, "resource", None)
    assert memory.peak_mb() is None
    memory.keep_freed_memory.cache_clear()
    memory.keep_freed_memory()  # touches no library on this platform
    memory.keep_freed_memory.cache_clear()


def test_pages_of_a_map_are_kept_where_they_cannot_be_given_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    monkeypatch.delattr(cache.mmap, "MADV_DONTNEED")
    cache._forget_pages(np.load(tmp_path / "a.npy", mmap_mode="r"))


@pytest.mark.parametrize("library", [None, "nvcuda.dll"])
def test_a_gpu_on_windows_shows_by_its_library(
    library: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: library)
    assert choice._has_driver() == (library is not None)


def test_a_port_is_one_server_s_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_KEEPALIVE, raising=False)
    with run.bind("127.0.0.1", 0) as found:
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 0
        assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


@pytest.fixture
def windows_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules that make names out of paths see Windows' paths."""
    for module in (places, restore_plan, table):
        monkeypatch.setattr(module, "Path", PureWindowsPath)
    monkeypatch.setattr(places, "os", SimpleNamespace(path=ntpath))


@pytest.mark.usefixtures("windows_paths")
def test_names_of_cells_have_slashes_on_windows() -> None:
    folder = PureWindowsPath(r"C:\data\set")
    assert table._name(r"C:\data\set\a\1.png", folder) == "a/1.png"  # type: ignore[arg-type]
    assert table._name(r"D:\other\1.png", folder) == "D:/other/1.png"  # type: ignore[arg-type]
    picture = restore_plan._picture
    assert picture("x", r"C:\data\set\a\1.jpg", folder) == "a/1.png"  # type: ignore[arg-type]
    assert picture("x", r"D:\other\1.jpg", folder) == "1.png"  # type: ignore[arg-type]
    assert boxes.relative_name(PureWindowsPath(r"a\1.png")) == "a/1.png"  # type: ignore[arg-type]


@pytest.mark.usefixtures("windows_paths")
def test_pictures_of_a_review_lie_in_its_folder_on_windows() -> None:
    folder = PureWindowsPath(r"C:\data\set")
    found = places._place(CellRef(r"c:\Data\set\a\1.png"), folder)  # type: ignore[arg-type]
    assert found.path == "a/1.png"
    for outside in (r"C:\data\1.png", r"D:\data\set\1.png", r"C:\data\set\..\1.png"):
        with pytest.raises(ManifestError, match="lies outside"):
            places._place(CellRef(outside), folder)  # type: ignore[arg-type]
