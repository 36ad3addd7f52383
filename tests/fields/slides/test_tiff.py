"""TIFFs written by libvips and by hand, read in parts by tifffile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from buffycoat.errors import ImageError
from buffycoat.fields.slides.opening import open_slide
from buffycoat.fields.slides.slide import Slide
from buffycoat.fields.slides.tiff import TiffSlide

pyvips = pytest.importorskip("pyvips")

MOST_OFF = 6
"""Gray levels that JPEG of quality 95 may change a pixel by, on a smooth picture."""


def _save(pixels: np.ndarray, path: Path, **options: object) -> None:
    height, width, bands = pixels.shape
    kind = "uchar" if pixels.dtype == np.uint8 else "ushort"
    image = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, bands, kind)
    space = {("uchar", 3): "srgb", ("ushort", 3): "rgb16"}.get((kind, bands))
    image = image.copy(interpretation=space) if space else image
    image.tiffsave(str(path), **options)


def _open(path: Path) -> Slide:
    slide = open_slide([path], path.name)
    assert isinstance(slide, TiffSlide)
    return slide


def _worst(slide: Slide, picture: np.ndarray) -> int:
    """Of the difference between a picture and the slide, read whole and in a part."""
    height, width = picture.shape[:2]
    whole = slide.read(0, 0, width, height).astype(int)
    part = slide.read(37, 61, 201, 150).astype(int)
    assert np.array_equal(part, whole[61:211, 37:238])
    return int(np.abs(whole - picture).max())


@pytest.mark.parametrize(
    ("options", "most_off"),
    [
        ({"tile": True, "tile_width": 128, "tile_height": 128, "pyramid": True}, 0),
        ({"tile": True, "pyramid": True, "compression": "jpeg", "Q": 95}, MOST_OFF),
        ({"tile": True, "pyramid": True, "subifd": True, "compression": "lzw"}, 0),
        ({"tile": True, "pyramid": True, "bigtiff": True, "compression": "deflate"}, 0),
        ({"tile": True, "pyramid": True, "compression": "lzw", "predictor": "horizontal"}, 0),
    ],
)
def test_pyramids_of_libvips_have_their_colours(
    picture: np.ndarray, tmp_path: Path, options: dict[str, object], most_off: int
) -> None:
    _save(picture, tmp_path / "a.tif", **options)
    with _open(tmp_path / "a.tif") as slide:
        assert (slide.width, slide.height) == (448, 320)
        assert _worst(slide, picture) <= most_off


@pytest.mark.parametrize("compression", ["none", "deflate", "jpeg"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (64, 32)])
def test_every_layout_of_a_tiff_is_read(
    picture: np.ndarray, tmp_path: Path, compression: str, planar: str, tile: tuple[int, int] | None
) -> None:
    path = tmp_path / "a.tif"
    samples = picture if planar == "contig" else np.moveaxis(picture, 2, 0)
    tifffile.imwrite(
        path, samples, photometric="rgb", planarconfig=planar, tile=tile, compression=compression,
        rowsperstrip=None if tile else 32,
        compressionargs={"level": 95} if compression == "jpeg" else None,
    )  # fmt: skip
    with TiffSlide(path, "a") as slide:
        assert _worst(slide, picture) <= (0 if compression != "jpeg" else 2 * MOST_OFF)


def test_16_bits_fill_8_and_planar_ones_keep_their_channels(
    picture: np.ndarray, tmp_path: Path
) -> None:
    deep = np.moveaxis(picture.astype(np.uint16) * 257, 2, 0)
    for order in "<>":
        path = tmp_path / f"{order == '<'}.tif"
        tifffile.imwrite(
            path, deep, photometric="rgb", planarconfig="separate", tile=(64, 64), byteorder=order
        )
        with TiffSlide(path, "a") as slide:
            assert _worst(slide, picture) == 0
    _save(picture.astype(np.uint16) * 257, tmp_path / "vips.tif", tile=True, pyramid=True)
    with _open(tmp_path / "vips.tif") as slide:
        assert _worst(slide, picture) == 0


def test_12_of_16_bits_are_scaled_where_stated_and_refused_else(
    picture: np.ndarray, tmp_path: Path
) -> None:
    camera = np.rint(picture * (4095 / 255)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "bare.tif", camera, photometric="rgb", tile=(64, 64))
    with pytest.raises(ImageError, match=r"bare.*do not fill their range"):
        TiffSlide(tmp_path / "bare.tif", "bare")
    tifffile.imwrite(
        tmp_path / "a.ome.tif", camera, photometric="rgb", tile=(64, 64),
        metadata={"axes": "YXS", "SignificantBits": 12},
    )  # fmt: skip
    with _open(tmp_path / "a.ome.tif") as slide:
        assert _worst(slide, picture) <= 1


def test_transparent_and_never_written_parts_are_white(picture: np.ndarray, tmp_path: Path) -> None:
    opacity = np.full((320, 448, 1), 255, np.uint8)
    opacity[:, :100] = 0
    rgba = np.concatenate([picture * (opacity > 0), opacity], axis=2)
    _save(rgba, tmp_path / "a.tif", tile=True, pyramid=True)
    with _open(tmp_path / "a.tif") as slide:
        pixels = slide.read(0, 0, 448, 320)
    assert (pixels[:, :100] == 255).all()
    assert np.array_equal(pixels[:, 100:], picture[:, 100:])
    tiles = (
        picture[y : y + 64, x : x + 64] if (y, x) != (64, 128) else None
        for y in range(0, 256, 64)
        for x in range(0, 384, 64)
    )
    tifffile.imwrite(
        tmp_path / "sparse.tif", tiles, shape=(256, 384, 3), dtype=np.uint8, photometric="rgb",
        tile=(64, 64), compression="deflate",
    )  # fmt: skip
    with TiffSlide(tmp_path / "sparse.tif", "a") as slide:
        assert (slide.read(128, 64, 64, 64) == 255).all()
        assert np.array_equal(slide.read(0, 0, 128, 256), picture[:256, :128])


def test_beside_the_slide_is_white(picture: np.ndarray, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    with TiffSlide(tmp_path / "a.tif", "a") as slide:
        pixels = slide.read(-10, 310, 30, 20)
        assert (slide.read(1000, 1000, 5, 5) == 255).all()
    assert np.array_equal(pixels[:10, 10:], picture[310:, :20])
    assert (pixels[10:] == 255).all()
    assert (pixels[:, :10] == 255).all()


@pytest.mark.parametrize(
    ("metadata", "um"),
    [
        ({"PhysicalSizeX": 0.11, "PhysicalSizeY": 0.11}, 0.11),
        ({"PhysicalSizeX": 110, "PhysicalSizeY": 110, "PhysicalSizeXUnit": "nm",
          "PhysicalSizeYUnit": "nm"}, 0.11),
        ({"PhysicalSizeX": 1.1e-4, "PhysicalSizeY": 1.1e-4, "PhysicalSizeXUnit": "mm",
          "PhysicalSizeYUnit": "mm"}, 0.11),
        ({"PhysicalSizeX": 1.0, "PhysicalSizeY": 1.0}, None),  # written where it is unknown
        ({"PhysicalSizeX": 0.11, "PhysicalSizeY": 0.22}, None),
        ({"PhysicalSizeX": 3, "PhysicalSizeXUnit": "pixel"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_pixel_size_of_ome_is_in_its_unit_and_missing_is_missing(
    picture: np.ndarray, tmp_path: Path, metadata: dict[str, object], um: float | None
) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, picture, photometric="rgb", metadata={"axes": "YXS", **metadata})
    with _open(path) as slide:
        assert slide.um_per_px == (um and pytest.approx(um))
        assert _worst(slide, picture) == 0


@pytest.mark.parametrize(
    ("pixels_a_mm", "um"), [(4000.0, 0.25), (72 / 25.4, None), (96 / 25.4, None), (1.0, None)]
)
def test_dots_an_inch_of_a_screen_are_no_scale(
    picture: np.ndarray, tmp_path: Path, pixels_a_mm: float, um: float | None
) -> None:
    _save(picture, tmp_path / "a.tif", tile=True, pyramid=True, xres=pixels_a_mm, yres=pixels_a_mm)
    with _open(tmp_path / "a.tif") as slide:
        assert slide.um_per_px == (um and pytest.approx(um, rel=1e-3))


def test_the_micron_of_imagej_is_a_scale(picture: np.ndarray, tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", picture, imagej=True, resolution=(8.0, 8.0), metadata={"unit": "micron"}
    )
    with TiffSlide(tmp_path / "a.tif", "a") as slide:
        assert slide.um_per_px == pytest.approx(0.125)


def test_a_plain_picture_is_left_to_the_ordinary_reader(
    picture: np.ndarray, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", picture, photometric="rgb")
    assert open_slide([tmp_path / "a.tif"], "a") is None


@pytest.mark.parametrize(
    ("axes", "shape", "words"),
    [
        ("ZYX", (5, 64, 64), "5 along Z"),
        ("TYXS", (3, 64, 64, 3), "3 along T"),
        ("CYX", (4, 64, 64), "4 channels"),
    ],
)
def test_planes_and_channels_are_refused(
    tmp_path: Path, axes: str, shape: tuple[int, ...], words: str
) -> None:
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros(shape, np.uint8), metadata={"axes": axes})
    with pytest.raises(ImageError, match=rf"a\.ome\.tif.*{words}"):
        _open(path)


def test_three_channels_of_ome_are_colours(picture: np.ndarray, tmp_path: Path) -> None:
    planes = np.moveaxis(picture, 2, 0)
    for names, is_read in ((("Red", "Green", "Blue"), True), (("DAPI", "FITC", "Cy3"), False)):
        path = tmp_path / f"{names[0]}.ome.tif"
        metadata = {"axes": "CYX", "Channel": {"Name": list(names)}}
        tifffile.imwrite(path, planes, photometric="minisblack", metadata=metadata)
        if is_read:
            with _open(path) as slide:
                assert _worst(slide, picture) == 0
        else:
            with pytest.raises(ImageError, match="not red, green and blue"):
                _open(path)


def test_several_pictures_are_refused(picture: np.ndarray, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(picture, photometric="rgb", metadata=None)
        file.write(picture[:200], photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="2 pictures of about the same size"):
        _open(tmp_path / "a.tif")


def test_a_label_beside_the_slide_is_left_out(picture: np.ndarray, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(picture[:100, :100], photometric="rgb", metadata=None)
        file.write(picture, photometric="rgb", metadata=None)
    with _open(tmp_path / "a.tif") as slide:
        assert _worst(slide, picture) == 0


def test_a_large_picture_in_one_piece_is_refused(tmp_path: Path) -> None:
    picture = np.zeros((9_200, 9_200, 3), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", picture, photometric="rgb", compression="deflate", rowsperstrip=9_200
    )
    with pytest.raises(ImageError, match=r"a\.tif.*Save it as a tiled TIFF"):
        _open(tmp_path / "a.tif")


def test_the_overview_comes_from_the_pyramid(picture: np.ndarray, tmp_path: Path) -> None:
    large = np.tile(picture, (4, 4, 1))
    _save(large, tmp_path / "a.tif", tile=True, pyramid=True)
    with _open(tmp_path / "a.tif") as slide:
        small = slide.overview(448)
        assert small.shape == (320, 448, 3)
        strips = super(TiffSlide, slide).overview(448)
    assert np.abs(small.astype(int) - strips).mean() < 3
