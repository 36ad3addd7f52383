from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from buffycoat import images
from buffycoat.errors import ImageError

PINK = (230, 180, 200)


def _photo(height: int = 40, width: int = 60) -> np.ndarray:
    """A smooth ramp: survives JPEG, and shows a rotation."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 3, y * 5, np.full_like(x, 90)], axis=2).astype(np.uint8)


def _encode(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing: what a bomb looks like."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data)
        )  # fmt: skip

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0"))
        + chunk(b"IEND", b"")
    )


def test_a_jpeg_reads_as_rgb(tmp_path: Path) -> None:
    path = tmp_path / "cell.jpg"
    path.write_bytes(_encode(Image.fromarray(_photo()), "JPEG", quality=95))
    read = images.read(path)
    assert read.shape == (40, 60, 3)
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - _photo()).mean() < 4


def test_png_is_lossless_and_a_string_path_works(tmp_path: Path) -> None:
    images.write_png(tmp_path / "cell.png", _photo())
    np.testing.assert_array_equal(images.read(str(tmp_path / "cell.png")), _photo())


TRUNCATED = _encode(Image.fromarray(_photo(200, 200)), "JPEG")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"this is a letter, not a cell\n" * 20, "not an image"),
        (TRUNCATED[: len(TRUNCATED) // 2], "truncated"),
        (TRUNCATED[:300], "truncated|not an image"),
        (_encode(Image.fromarray(_photo()), "PNG")[:-40], "truncated"),
        (_png_header(30_000, 30_000), "limit of 50 megapixels"),
        (_png_header(12_000, 9_000), "limit of 50 megapixels"),
        (_png_header(8_000, 7_000), "8000 x 7000 px"),
        (_png_header(40, 40), "truncated or damaged"),
        (_encode(Image.fromarray(_photo(8, 60)), "PNG"), "60 x 8 px, expected at least 16"),
        (_encode(Image.fromarray(_photo()), "PPM"), "Portable Anymap, a format that is not read"),
        (b"\0" * 128 + b"DICM" + b"\0" * 100, "DICOM, a format that is not read. Export"),
    ],
)
def test_bad_bytes_name_the_file_and_the_fault(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(data)
    with pytest.raises(ImageError, match=message) as caught:
        images.read(path)
    assert str(path) in str(caught.value)


def test_every_truncation_is_an_error_or_the_whole_image() -> None:
    whole = images.decode(TRUNCATED, "whole")
    for length in range(100, len(TRUNCATED) - 2, 97):
        try:
            part = images.decode(TRUNCATED[:length], "part")
        except ImageError:
            continue
        np.testing.assert_array_equal(part, whole)


def test_a_missing_file_and_a_folder_are_image_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="No such file"):
        images.read(tmp_path / "gone.jpg")
    with pytest.raises(ImageError, match="directory"):
        images.read(tmp_path)


def test_cmyk_is_converted() -> None:
    data = _encode(Image.new("RGB", (32, 32), PINK).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(images.decode(data, "cmyk").astype(int) - PINK).max() < 8


def test_grayscale_and_palette_become_rgb() -> None:
    gray = images.decode(_encode(Image.new("L", (32, 32), 77), "PNG"), "gray")
    assert gray.shape == (32, 32, 3)
    assert (gray == 77).all()
    palette = Image.new("RGB", (32, 32), PINK).quantize(4)
    assert (images.decode(_encode(palette, "PNG"), "palette") == PINK).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_turn_white_not_black(mode: str) -> None:
    image = Image.new(mode, (32, 32), (0, 0, 0, 0) if mode == "RGBA" else (0, 0))
    image.paste((10, 10, 10, 255) if mode == "RGBA" else (10, 255), (0, 0, 16, 32))
    read = images.decode(_encode(image, "PNG"), "alpha")
    assert (read[:, :16] == 10).all()
    assert (read[:, 16:] == 255).all()


@pytest.mark.parametrize(("form", "mode"), [("PNG", "RGBA"), ("PNG", "LA"), ("WEBP", "RGBA")])
def test_a_picture_that_is_transparent_throughout_is_refused(form: str, mode: str) -> None:
    data = _encode(Image.new(mode, (32, 32)), form, **({"exact": True} if form == "WEBP" else {}))
    with pytest.raises(ImageError, match=r"every pixel is transparent. Save it without its alpha"):
        images.decode(data, "gone")


def test_16_bit_keeps_its_range() -> None:
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32).astype(np.uint16)
    read = images.decode(_encode(Image.fromarray(ramp), "PNG"), "deep")
    assert read.shape == (32, 32, 3)
    assert (read.min(), read.max()) == (0, 255)
    assert np.abs(read[..., 0] - ramp / 257).max() <= 0.51


def test_12_bits_in_16_are_refused_rather_than_read_as_black() -> None:
    dim = np.linspace(0, 4095, 32 * 32).reshape(32, 32).astype(np.uint16)
    with pytest.raises(ImageError, match="do not fill a 16-bit range"):
        images.decode(_encode(Image.fromarray(dim), "PNG"), "dim")


@pytest.mark.parametrize("form", [".png", ".tiff"])
@pytest.mark.parametrize("channels", [3, 4])
def test_12_bit_colours_in_16_are_refused_too(form: str, channels: int) -> None:
    ramp = np.linspace(0, 4095, 32 * 32).reshape(32, 32, 1).astype(np.uint16)
    dim = np.repeat(ramp, channels, axis=2)
    with pytest.raises(ImageError, match="do not fill their range"):
        images.decode(cv2.imencode(form, dim)[1].tobytes(), "dim")
    full = images.decode(cv2.imencode(form, np.repeat(ramp * 16, 3, axis=2))[1].tobytes(), "full")
    assert full.max() > 250
    black = np.zeros((116, 160, channels), np.uint8)
    black[..., 3:] = 255
    assert not images.decode(cv2.imencode(form, black)[1].tobytes(), "8 bits").any()


def test_exif_rotation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it a quarter turn clockwise
    data = _encode(Image.fromarray(_photo()), "PNG", exif=exif)
    np.testing.assert_array_equal(images.decode(data, "turned"), np.rot90(_photo(), -1))


def test_a_tiff_of_several_pages_is_refused() -> None:
    pages = [Image.fromarray(_photo()), Image.fromarray(_photo())]
    data = _encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(ImageError, match="TIFF of several pages or planes"):
        images.decode(data, "stack.tif")


@pytest.mark.parametrize("is_struct", [True, False])
def test_a_parquet_row_is_an_image(tmp_path: Path, is_struct: bool) -> None:
    photos = [np.full((20, 20, 3), 40 * row, np.uint8) for row in range(5)]
    encoded = [_encode(Image.fromarray(photo), "PNG") for photo in photos]
    cells = [{"bytes": data, "path": None} for data in encoded] if is_struct else encoded
    path = tmp_path / "cells.parquet"
    pq.write_table(pa.table({"image": cells}), path, row_group_size=2)
    for row in (4, 0, 3, 1, 2):
        np.testing.assert_array_equal(images.read(f"{path}#{row}"), photos[row])
    with pytest.raises(ImageError, match=r"has 5 rows"):
        images.read(f"{path}#5")


def test_parquet_without_images_is_an_image_error(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"picture": [b"x"]}), path)
    with pytest.raises(ImageError, match="column 'image'"):
        images.read(f"{path}#0")
    path = tmp_path / "torn.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(ImageError, match=r"torn.parquet"):
        images.read(f"{path}#0")
