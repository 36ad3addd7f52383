from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from buffycoat import images
from buffycoat.cells import CellRef, Manifest
from buffycoat.config import ImagesConfig
from buffycoat.errors import OutputError
from buffycoat.images.work import decode_work, frame_of

CONFIG = ImagesConfig(work_px=32, frame_fraction=0.5)


def _manifest(folder: Path, n_cells: int = 5) -> Manifest:
    for row in range(n_cells):
        images.write_png(folder / f"{row}.png", np.full((64, 80, 3), 20 + row, np.uint8))
    names = [f"{row}.png" for row in range(n_cells)]
    paths = [str(folder / name) for name in names]
    return Manifest.from_frame(pd.DataFrame({"cell_id": names, "path": paths}), "test")


def test_to_work_keeps_the_centre() -> None:
    image = np.zeros((100, 140, 3), np.uint8)
    image[25:75, 45:95] = 200
    assert (images.to_work(image, 50, 0.5) == 200).all()
    assert (images.to_work(image, 25, 0.5) == 200).all()
    assert (images.to_work(image, 90, 0.5) == 200).all()
    assert images.to_work(image, 64, 1.0).shape == (64, 64, 3)


def test_work_images_come_in_order_with_bad_ones_left_out(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    (tmp_path / "2.png").write_bytes(b"")
    seen: list[tuple[int, int]] = []
    work = images.load_work(manifest, CONFIG, on_progress=lambda *done: seen.append(done))
    assert work.images.shape == (4, 32, 32, 3)
    assert work.images[:, 0, 0, 0].tolist() == [20, 21, 23, 24]
    assert work.is_good.tolist() == [True, True, False, True, True]
    assert [(cell.cell_id, cell.path) for cell in work.bad] == [("2.png", str(tmp_path / "2.png"))]
    assert "empty" in work.bad[0].reason
    assert work.bad[0].path not in work.bad[0].reason
    assert work.digests[2] == ""
    assert len(set(work.digests)) == 5
    assert seen[-1] == (5, 5)


@pytest.mark.parametrize("is_one_bad", [False, True])
def test_the_cache_gives_the_same_without_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_one_bad: bool
) -> None:
    manifest, cache = _manifest(tmp_path), tmp_path / "cache"
    if is_one_bad:
        (tmp_path / "0.png").write_bytes(b"not a picture")
    first = images.load_work(manifest, CONFIG, cache)
    monkeypatch.setattr("buffycoat.images.work.decode_work", None)
    again = images.load_work(manifest, CONFIG, cache)
    np.testing.assert_array_equal(again.images, first.images)
    assert isinstance(again.images, np.memmap)
    assert (again.bad, again.digests) == (first.bad, first.digests)
    assert len(again.bad) == int(is_one_bad)
    assert sorted(path.suffix for path in cache.iterdir()) == [".json", ".npy"]


def test_a_changed_image_is_never_served_stale(tmp_path: Path) -> None:
    manifest, cache = _manifest(tmp_path), tmp_path / "cache"
    before = images.load_work(manifest, CONFIG, cache)
    old = os.stat(tmp_path / "3.png")
    images.write_png(tmp_path / "3.png", np.full((64, 80, 3), 99, np.uint8))
    os.utime(tmp_path / "3.png", ns=(old.st_atime_ns, old.st_mtime_ns + 1))
    after = images.load_work(manifest, CONFIG, cache)
    assert after.images[3, 0, 0, 0] == 99
    assert before.images[3, 0, 0, 0] == 23
    assert after.digests[3] != before.digests[3]


def test_order_and_settings_are_part_of_the_key(tmp_path: Path) -> None:
    manifest, cache = _manifest(tmp_path), tmp_path / "cache"
    images.load_work(manifest, CONFIG, cache)
    turned = images.load_work(manifest.subset(np.array([4, 0])), CONFIG, cache)
    assert turned.images[:, 0, 0, 0].tolist() == [24, 20]
    larger = images.load_work(manifest, ImagesConfig(work_px=48, frame_fraction=0.5), cache)
    assert larger.images.shape == (5, 48, 48, 3)


@pytest.mark.parametrize("suffix", [".npy", ".json"])
def test_a_torn_cache_is_made_anew(tmp_path: Path, suffix: str) -> None:
    manifest, cache = _manifest(tmp_path), tmp_path / "cache"
    first = np.array(images.load_work(manifest, CONFIG, cache).images)
    (torn,) = cache.glob(f"*{suffix}")
    torn.write_bytes(torn.read_bytes()[:100])
    np.testing.assert_array_equal(images.load_work(manifest, CONFIG, cache).images, first)


@pytest.mark.parametrize("has_cache", [False, True])
def test_no_readable_cell_gives_no_rows(tmp_path: Path, has_cache: bool) -> None:
    manifest = _manifest(tmp_path, 2)
    for path in tmp_path.glob("*.png"):
        path.write_bytes(b"")
    work = images.load_work(manifest, CONFIG, tmp_path / "cache" if has_cache else None)
    assert work.images.shape == (0, 32, 32, 3)
    assert len(work.bad) == 2


def test_a_full_disk_is_found_before_any_image_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", refuse)
    seen: list[tuple[int, int]] = []
    with pytest.raises(OutputError, match="No space left on device"):
        images.load_work(
            _manifest(tmp_path), CONFIG, tmp_path / "cache", on_progress=lambda *d: seen.append(d)
        )
    assert not seen
    assert not list((tmp_path / "cache").iterdir())


def test_a_stated_scale_frames_pictures_of_any_size_alike(tmp_path: Path) -> None:
    """A disc of 10 micrometres, photographed at two magnifications."""
    seen = {}
    for name, side, um_per_px in (("home", 360, 0.1), ("far", 500, 0.1), ("near", 360, 0.05)):
        picture = np.full((side, side, 3), 255, np.uint8)
        cv2.circle(picture, (side // 2, side // 2), round(5 / um_per_px), (0, 0, 0), -1)
        images.write_png(tmp_path / f"{name}.png", picture)
        ref = CellRef(str(tmp_path / f"{name}.png"), um_per_px=um_per_px)
        for settings in (ImagesConfig(), ImagesConfig(photograph_um=36)):
            _, work, _ = decode_work(ref, settings)
            assert work is not None
            key = name, settings.photograph_um
            seen[key] = float((work < 128).mean()) ** 0.5
    assert seen["far", 36] == pytest.approx(seen["home", 36], rel=0.02)
    assert seen["home", 36] == seen["home", None]
    assert seen["far", None] < 0.8 * seen["home", None]
    assert seen["near", 36] == pytest.approx(1.5 * seen["home", 36], rel=0.02)  # taken whole


def test_without_a_stated_scale_the_settings_hold() -> None:
    picture = np.zeros((500, 500, 3), np.uint8)
    assert frame_of(picture, None, ImagesConfig(photograph_um=36)) == 0.75
    assert frame_of(picture, 0.1, ImagesConfig()) == 0.75
