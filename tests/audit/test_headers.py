from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from buffycoat.audit.headers import NONE, read_header


def _encode(kind: str, **options: object) -> bytes:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
def test_the_quality_is_read_from_the_tables(quality: int) -> None:
    header = read_header(_encode("JPEG", quality=quality, subsampling=0))
    assert header["JPEG quantisation"].startswith(f"about quality {quality},")
    assert header["JPEG subsampling"] == "4:4:4"
    assert header["JPEG scans"] == "baseline"
    assert (header["width"], header["height"]) == (60, 40)


def test_what_a_file_says_of_its_making() -> None:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Maker", "Camera 1"
    header = read_header(_encode("JPEG", exif=exif, dpi=(72, 72), progressive=True))
    assert header["EXIF camera maker"] == "Maker"
    assert header["EXIF camera"] == "Camera 1"
    assert header["EXIF software"] == NONE
    assert header["resolution"] == "72 x 72 dpi"
    assert header["JPEG scans"] == "progressive"


def test_words_in_a_file_are_read() -> None:
    words = PngImagePlugin.PngInfo()
    words.add_text("Label", "LY")
    words.add_text("Author", "A. B.")
    assert read_header(_encode("PNG", pnginfo=words))["PNG text"] == "Author: A. B.; Label: LY"
    exif = Image.Exif()
    exif[0x010E] = "lymphocyte"
    assert read_header(_encode("JPEG", exif=exif))["EXIF description"] == "lymphocyte"
    assert read_header(_encode("JPEG", comment=b"LY"))["PNG text"] == NONE


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_every_format_has_every_attribute(kind: str) -> None:
    header = read_header(_encode(kind))
    assert header.keys() == read_header(_encode("JPEG")).keys()
    assert header["file format"] == kind
    assert header["JPEG quantisation"] == NONE
