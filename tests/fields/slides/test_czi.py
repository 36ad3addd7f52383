"""CZI: nothing but pylibCZIrw writes it, so a third program (czifile) says which colours it has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from buffycoat.errors import ImageError
from buffycoat.fields.slides.czi import CziSlide
from buffycoat.fields.slides.opening import open_slide

czi = pytest.importorskip("pylibCZIrw.czi")


def _write(
    path: Path, tiles: dict[tuple[int, int], np.ndarray], um_per_px: float | None = None
) -> None:
    with czi.create_czi(str(path)) as file:
        for place, pixels in tiles.items():
            file.write(np.ascontiguousarray(pixels[..., ::-1]), location=place, plane={"C": 0})
        if um_per_px:
            file.write_metadata(scale_x=um_per_px * 1e-6, scale_y=um_per_px * 1e-6)


def test_blue_does_not_come_out_as_red(picture: np.ndarray, tmp_path: Path) -> None:
    czifile = pytest.importorskip("czifile")
    path = tmp_path / "a.czi"
    _write(path, {(0, 0): picture})
    stored = np.squeeze(czifile.imread(str(path)))
    slide = open_slide([path], "a.czi")
    assert isinstance(slide, CziSlide)
    with slide:
        assert np.array_equal(slide.read(0, 0, 448, 320), picture)
        assert np.array_equal(slide.read(50, 60, 100, 90), picture[60:150, 50:150])
    assert np.array_equal(stored, picture)  # czifile turns Bgr24 into RGB itself


def test_a_mosaic_is_one_picture_and_white_where_nothing_was_scanned(
    picture: np.ndarray, tmp_path: Path
) -> None:
    _write(tmp_path / "a.czi", {(-40, 20): picture, (500, 100): picture})
    with CziSlide(tmp_path / "a.czi", "a") as slide:
        assert (slide.width, slide.height) == (500 + 448 + 40, 320 + 80)
        pixels = slide.read(0, 0, slide.width, slide.height)
        small = slide.overview(494)
    assert np.array_equal(pixels[:320, :448], picture)
    assert np.array_equal(pixels[80:, 540:], picture)
    assert (pixels[:, 448:540] == 255).all()
    assert small.shape == (200, 494, 3)
    assert (small[100, 228:265] == 255).all()


@pytest.mark.parametrize("um", [0.0645, None])
def test_the_pixel_size_is_in_micrometres_and_missing_is_missing(
    picture: np.ndarray, tmp_path: Path, um: float | None
) -> None:
    _write(tmp_path / "a.czi", {(0, 0): picture}, um)
    with CziSlide(tmp_path / "a.czi", "a") as slide:
        assert slide.um_per_px == (um and pytest.approx(um))


def test_16_bits_and_gray_are_read(picture: np.ndarray, tmp_path: Path) -> None:
    _write(tmp_path / "deep.czi", {(0, 0): picture.astype(np.uint16) * 257})
    with CziSlide(tmp_path / "deep.czi", "deep") as slide:
        assert np.array_equal(slide.read(0, 0, 448, 320), picture)
    _write(tmp_path / "gray.czi", {(0, 0): picture[..., :1]})
    with CziSlide(tmp_path / "gray.czi", "gray") as slide:
        assert np.array_equal(slide.read(0, 0, 448, 320), np.repeat(picture[..., :1], 3, axis=2))


def test_planes_are_refused(picture: np.ndarray, tmp_path: Path) -> None:
    with czi.create_czi(str(tmp_path / "a.czi")) as file:
        for z in range(3):
            file.write(picture, plane={"C": 0, "Z": z})
    with pytest.raises(ImageError, match=r"stack.*3 along Z"):
        CziSlide(tmp_path / "a.czi", "stack")
