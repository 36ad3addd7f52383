"""Slides by OpenSlide, of an SVS that libvips and tifffile write.

NDPI, MRXS, SCN and BIF cannot be made here: nothing free writes them, and OpenSlide tells them by
private tags. They come through the same reader.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from buffycoat.errors import ImageError
from buffycoat.fields.slides.opening import open_slide
from buffycoat.fields.slides.openslide import OpenSlideSlide
from buffycoat.fields.slides.slide import on_white

pytest.importorskip("openslide")


def _write_svs(path: Path, picture: np.ndarray, description: str) -> None:
    """As a scanner of Aperio does: JPEG in tiles, a thumbnail in strips, a smaller level."""
    tiled = {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 95}}
    with tifffile.TiffWriter(path) as file:
        file.write(picture, tile=(64, 64), description=description, metadata=None, **tiled)
        file.write(picture[::4, ::4], rowsperstrip=16, metadata=None, **tiled)
        file.write(
            picture[::2, ::2], tile=(64, 64), description=description, metadata=None, **tiled
        )


APERIO = "Aperio Image Library v11.2.1\r\n448x320 [0,0 448x320] (64x64) JPEG/RGB Q=95|AppMag = 40"


@pytest.mark.parametrize(
    ("mpp", "um"), [("|MPP = 0.2521", 0.2521), ("", None), ("|MPP = 0", None), ("|MPP = 1", None)]
)
def test_an_svs_has_its_colours_and_its_pixel_size(
    picture: np.ndarray, tmp_path: Path, mpp: str, um: float | None
) -> None:
    path = tmp_path / "a.svs"
    _write_svs(path, picture, APERIO + mpp)
    slide = open_slide([path], "a.svs")
    assert isinstance(slide, OpenSlideSlide)
    with slide:
        assert (slide.width, slide.height) == (448, 320)
        assert slide.um_per_px == (um and pytest.approx(um))
        whole = slide.read(0, 0, 448, 320)
        assert np.abs(whole.astype(int) - picture).max() <= 8
        assert np.array_equal(slide.read(33, 44, 120, 90), whole[44:134, 33:153])
        beside = slide.read(428, 300, 40, 40)
        assert slide.overview(112).shape == (80, 112, 3)
    assert (beside[20:] == 255).all()
    assert np.array_equal(beside[:20, :20], whole[300:, 428:])


def test_transparent_is_white_and_half_transparent_half() -> None:
    rgba = np.zeros((1, 3, 4), np.uint8)
    rgba[0, :, 3] = (0, 255, 51)
    assert on_white(rgba)[0, :, 0].tolist() == [255, 0, 204]


@pytest.mark.parametrize("suffix", [".svs", ".ndpi", ".mrxs", ".scn", ".bif"])
@pytest.mark.parametrize("content", ["cut", "text"])
def test_what_only_claims_to_be_a_slide_is_refused_with_the_remedy(
    picture: np.ndarray, tmp_path: Path, suffix: str, content: str
) -> None:
    path = tmp_path / f"a{suffix}"
    if content == "text":
        path.write_text("from Tuesday")
    else:
        _write_svs(path, picture, APERIO)
        path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ImageError, match=rf"a{suffix}.*Copy it again"):
        open_slide([path], path.name)
