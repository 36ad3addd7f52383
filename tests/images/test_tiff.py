"""Every kind of TIFF that people write: the picture that was stored, or a refusal that says why."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from buffycoat import images
from buffycoat.audit.headers import read_header
from buffycoat.errors import ImageError

HEIGHT, WIDTH = 40, 48
Y, X = np.mgrid[:HEIGHT, :WIDTH]
RGB = np.stack([X * 5, Y * 6, (X * 2 + Y) % 256], axis=2).astype(np.uint8)
RGB[:6] = 255  # white is where decoders err
GRAY = RGB[..., 0]
ALPHA = np.where(X < 20, 255, np.where(X < 30, 128, 0)).astype(np.uint8)
OPACITY = ALPHA[..., None] / 255


@dataclass(frozen=True)
class Kind:
    """Samples as they are stored, (h, w) or (h, w, n), and the picture that they stand for."""

    samples: np.ndarray
    photometric: str
    picture: np.ndarray
    extra: str | None = None


KINDS = {
    "gray": Kind(GRAY, "minisblack", GRAY[..., None]),
    "gray, white is zero": Kind(255 - GRAY, "miniswhite", GRAY[..., None]),
    "gray and alpha": Kind(
        np.dstack([GRAY, ALPHA]), "minisblack",
        GRAY[..., None] * OPACITY + 255 * (1 - OPACITY), "unassalpha",
    ),
    "RGB": Kind(RGB, "rgb", RGB),
    "RGB and alpha": Kind(
        np.dstack([RGB, ALPHA]), "rgb", RGB * OPACITY + 255 * (1 - OPACITY), "unassalpha"
    ),
    "RGB times alpha": Kind(
        np.dstack([np.rint(RGB * OPACITY).astype(np.uint8), ALPHA]), "rgb",
        RGB * OPACITY + 255 * (1 - OPACITY), "assocalpha",
    ),
    "RGB and something": Kind(np.dstack([RGB, ALPHA]), "rgb", RGB, "unspecified"),
    "CMYK": Kind(np.dstack([255 - RGB, np.zeros_like(GRAY)]), "separated", RGB),
}  # fmt: skip


def _write(samples: np.ndarray, byteorder: str = "<", bigtiff: bool = False, **how: object):
    if how.get("planarconfig") == "separate":
        samples = np.moveaxis(samples, 2, 0)
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, byteorder=byteorder, bigtiff=bigtiff) as file:
        file.write(np.ascontiguousarray(samples), metadata=None, **how)
    return buffer.getvalue()


def _variants(kind: Kind) -> Iterator[dict[str, object]]:
    planars = ("contig", "separate") if kind.samples.ndim == 3 else (None,)
    packings = [(None, None), ("packbits", None)]
    packings += list(itertools.product(("lzw", "deflate", "zstd"), (None, 2)))
    layouts = ({"rowsperstrip": 9}, {"rowsperstrip": HEIGHT}, {"tile": (16, 32)})
    for planar, (packing, predictor), layout, order, is_big in itertools.product(
        planars, packings, layouts, "<>", (False, True)
    ):
        yield {
            "photometric": kind.photometric, "extrasamples": kind.extra and [kind.extra],
            "planarconfig": planar, "compression": packing, "predictor": predictor,
            "byteorder": order, "bigtiff": is_big, **layout,
        }  # fmt: skip


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", KINDS)
def test_the_picture_is_the_one_that_was_stored(name: str, bits: int) -> None:
    pytest.importorskip("imagecodecs")
    kind = KINDS[name]
    samples = kind.samples if bits == 8 else kind.samples.astype(np.uint16) * 257
    wrong = {}
    for how in _variants(kind):
        data = _write(samples, **how)
        error = np.abs(images.decode(data, "cell.tif") - kind.picture).max()
        if error > 2:
            wrong[str(how)] = error
        header = read_header(data)
        assert (header["width"], header["height"]) == (WIDTH, HEIGHT)
    assert wrong == {}


@pytest.mark.parametrize("name", ["gray, white is zero", "RGB"])
def test_12_bits_in_16_are_refused_whichever_library_reads_them(name: str) -> None:
    kind = KINDS[name]
    dim = kind.samples.astype(np.uint16) * 16
    for planar, order in itertools.product(("contig", "separate"), "<>"):
        how = {"planarconfig": planar} if dim.ndim == 3 else {}
        data = _write(dim, photometric=kind.photometric, byteorder=order, **how)
        with pytest.raises(ImageError, match=r"do not fill (their|a 16-bit) range"):
            images.decode(data, "dim.tif")


def test_a_turned_planar_picture_is_turned() -> None:
    how = {"photometric": "rgb", "planarconfig": "separate"}
    tags = [(274, "H", 1, 6, True)]
    read = images.decode(_write(RGB.astype(np.uint16) * 257, extratags=tags, **how), "turned.tif")
    np.testing.assert_array_equal(read, np.rot90(RGB, -1))


@pytest.mark.parametrize("is_white", [True, False])
@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_fill_the_range(bits: int, is_white: bool) -> None:
    values = GRAY >> (8 - bits)
    shown = values * (255 // (2**bits - 1))
    how = {"photometric": "miniswhite" if is_white else "minisblack"}
    how |= {"bitspersample": bits} if bits > 1 else {}
    read = images.decode(_write(values.astype(bool) if bits == 1 else values, **how), "few.tif")
    np.testing.assert_array_equal(read[..., 0], 255 - shown if is_white else shown)


def test_jpeg_and_ycbcr_inside_are_read() -> None:
    pytest.importorskip("imagecodecs")
    smooth = np.stack([X * 4, Y * 5, np.full_like(X, 90)], axis=2).astype(np.uint8)
    luminance = np.asarray(Image.fromarray(smooth).convert("YCbCr"))
    for samples, how in (
        (smooth, {"photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 97}}),
        (luminance, {"photometric": "ycbcr", "compression": "deflate", "subsampling": (1, 1)}),
        (luminance, {"photometric": "ycbcr", "subsampling": (1, 1)}),
    ):
        read = images.decode(_write(samples, **how), "smooth.tif").astype(int)
        assert np.abs(read - smooth).mean() < 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (_write(GRAY.view(np.int8), photometric="minisblack"), "1 x 8 bits, .* signed"),
        (_write(GRAY.astype(np.int16), photometric="minisblack"), "1 x 16 bits, .* signed"),
        (_write(RGB.astype(np.float32), photometric="rgb"), "3 x 32 bits, rgb, floating point"),
        (_write(RGB.astype(np.uint32), photometric="rgb"), "3 x 32 bits, rgb"),
        (_write(RGB, photometric="minisblack", planarconfig="separate"), "3 x 8 bits, minisblack"),
        (_write(RGB, photometric="cielab", planarconfig="separate"), "3 x 8 bits, cielab, planar"),
    ],
)
def test_a_kind_that_is_not_read_is_described(data: bytes, message: str) -> None:
    with pytest.raises(ImageError, match=f"odd.tif: TIFF, {message}.*Save it as 8-bit RGB or gray"):
        images.decode(data, "odd.tif")


def test_subsampled_ycbcr_without_compression_is_refused() -> None:
    data = _write(RGB, photometric="ycbcr", subsampling=(1, 1))
    count = data.index((279).to_bytes(2, "little") + (4).to_bytes(2, "little")) + 8
    half = (HEIGHT * WIDTH * 3 // 2).to_bytes(4, "little")
    with pytest.raises(ImageError, match="ycbcr"):
        images.decode(data[:count] + half + data[count + 4 :], "odd.tif")


def test_a_volume_an_imagej_stack_and_pages_are_refused() -> None:
    volume = io.BytesIO()
    tifffile.imwrite(volume, np.stack([GRAY] * 2), volumetric=True, tile=(2, 16, 16))
    stack = io.BytesIO()
    text = "ImageJ=1.54f\nimages=3\nslices=3\n"
    tifffile.imwrite(stack, GRAY, description=text, metadata=None)
    pages = io.BytesIO()
    tifffile.imwrite(pages, np.stack([GRAY] * 3), photometric="minisblack")
    ome = io.BytesIO()
    tifffile.imwrite(ome, np.stack([GRAY] * 3), photometric="minisblack", ome=True)
    for buffer, kind in (
        (volume, "TIFF"), (stack, r"TIFF \(imagej\)"), (pages, "TIFF"), (ome, r"TIFF \(ome\)"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=f"{kind} of several pages or planes"):
            images.decode(buffer.getvalue(), "many.tif")


def test_the_preview_of_a_camera_raw_file_is_not_the_picture() -> None:
    data = io.BytesIO()
    with tifffile.TiffWriter(data) as file:
        file.write(RGB, photometric="rgb", subfiletype=1, subifds=1, metadata=None)
        file.write(np.repeat(RGB, 2, axis=0), photometric="rgb", metadata=None)
    with pytest.raises(ImageError, match="preview only, as camera raw"):
        images.decode(data.getvalue(), "cell.tif")


def test_a_whole_slide_image_is_refused_by_its_size_and_never_decoded() -> None:
    buffer = io.BytesIO()
    tiles = (np.zeros((256, 256, 3), np.uint8) for _ in range(32 * 32))
    tifffile.imwrite(
        buffer, tiles, shape=(8192, 8192, 3), dtype=np.uint8, tile=(256, 256), photometric="rgb",
        compression="zlib", planarconfig="contig",
    )  # fmt: skip
    with pytest.raises(ImageError, match="8192 x 8192 px, over the limit of 50 megapixels"):
        images.decode(buffer.getvalue(), "slide.tif")


def test_without_imagecodecs_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("imagecodecs")
    samples = (255 - GRAY).astype(np.uint16) * 257
    data = _write(samples, photometric="miniswhite", compression="lzw")
    monkeypatch.setattr(tifffile.tifffile, "imagecodecs", None)
    tifffile.TIFF.DECOMPRESSORS._codecs.clear()
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with pytest.raises(ImageError, match=r"pip install 'buffycoat\[formats\]'"):
        images.decode(data, "packed.tif")


@pytest.mark.parametrize("name", KINDS)
def test_every_truncation_is_an_error_or_the_whole_picture(name: str) -> None:
    kind = KINDS[name]
    samples = kind.samples.astype(np.uint16) * 257
    planar = {"planarconfig": "separate"} if samples.ndim == 3 else {}
    extra = {"extrasamples": [kind.extra]} if kind.extra else {}
    for packing in (None, "deflate"):
        data = _write(samples, photometric=kind.photometric, compression=packing, **planar, **extra)
        whole = images.decode(data, "whole.tif")
        for length in range(20, len(data) - 1, max(len(data) // 25, 1)):
            try:
                part = images.decode(data[:length], "part.tif")
            except ImageError:
                continue
            np.testing.assert_array_equal(part, whole)


def test_a_file_on_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    with pytest.raises(ImageError, match=r"a.tif: TIFF, truncated or damaged"):
        images.read(tmp_path / "a.tif")
