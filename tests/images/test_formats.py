"""Each format by its content: the true picture, or a refusal that names the format and a remedy."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from buffycoat import images
from buffycoat.errors import ImageError
from buffycoat.images.decode import _has_decoder


def _photo(height: int = 40, width: int = 60) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 4, y * 6, np.full_like(x, 90)], axis=2).astype(np.uint8)


def _encode(image: Image.Image, form: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("form", "options", "tolerance"),
    [
        ("MPO", {"quality": 95}, 8),
        ("GIF", {}, 20),
        ("WEBP", {"lossless": True}, 0),
        ("JPEG2000", {}, 0),
        ("JPEG2000", {"no_jp2": True}, 0),
        ("AVIF", {"quality": 95, "subsampling": "4:4:4"}, 8),
    ],
)
@pytest.mark.parametrize("name", ["cell", "cell.png"])
def test_the_content_decides_not_the_name(
    form: str, options: dict, tolerance: int, name: str
) -> None:
    data = _encode(Image.fromarray(_photo()), form, **options)
    assert np.abs(images.decode(data, name).astype(int) - _photo()).max() <= tolerance


def test_of_an_mpo_the_first_picture_is_the_photograph() -> None:
    first, second = Image.fromarray(_photo()), Image.fromarray(255 - _photo())
    data = _encode(first, "MPO", save_all=True, append_images=[second], quality=95)
    assert np.abs(images.decode(data, "a.mpo").astype(int) - _photo()).max() < 8


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "AVIF"])
def test_several_pictures_in_one_file_are_refused(form: str) -> None:
    first, second = Image.fromarray(_photo()), Image.fromarray(255 - _photo())
    data = _encode(first, form, save_all=True, append_images=[second])
    with pytest.raises(ImageError, match=rf"{form} of several pictures \(2\). Save each cell"):
        images.decode(data, "many")


@pytest.mark.parametrize("form", ["JPEG2000", "WEBP", "AVIF", "GIF"])
def test_transparent_pixels_turn_white(form: str) -> None:
    image = Image.new("RGBA", (32, 32), (0, 0, 0, 0))
    image.paste((10, 10, 10, 255), (0, 0, 16, 32))
    read = images.decode(_encode(image, form, quality=100), "alpha").astype(int)
    assert np.abs(read[:, :14] - 10).max() <= 3
    assert (read[:, 18:] >= 252).all()


@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_gray_jpeg_2000_keeps_black_and_white(depth: int, dtype: type) -> None:
    import cv2

    ramp = np.linspace(0, 2**depth - 1, 40 * 40).reshape(40, 40).astype(dtype)
    data = cv2.imencode(".jp2", ramp, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1].tobytes()
    read = images.decode(data, "gray.jp2")
    assert np.abs(read[..., 0] - ramp / (2**depth - 1) * 255).max() <= 1


def test_deep_colours_in_jpeg_2000_are_refused_since_white_would_be_black() -> None:
    import cv2

    white = np.full((40, 40, 3), 65535, np.uint16)
    with pytest.raises(ImageError, match=r"JPEG 2000, 16 bits a channel, .* PNG or TIFF with 8"):
        images.decode(cv2.imencode(".jp2", white)[1].tobytes(), "white.jp2")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.dcm", b"\0" * 128 + b"DICM" + b"\0" * 60, "DICOM, .* not read. Export the picture"),
        ("a", b"\0" * 128 + b"DICM" + b"\0" * 60, "DICOM"),
        ("a.dcm", b"\x08\0\x05\0CS\x0a\0", "DICOM"),
        ("a.czi", b"ZISRAWFILE" + b"\0" * 90, "Zeiss CZI, .* `buffycoat find`"),
        ("a.nd2", b"\xda\xce\xbe\x0a" + b"\0" * 90, "Nikon ND2"),
        ("a.vsi", _encode(Image.fromarray(_photo()), "TIFF"), "Olympus slide"),
        ("a.mrxs", _encode(Image.fromarray(_photo()), "JPEG"), "3DHistech slide"),
        ("a.NEF", _encode(Image.fromarray(_photo()), "TIFF"), "camera raw, .* Develop it"),
        ("a.psd", b"8BPS\0\x01" + b"\0" * 90, "Photoshop, .* Save it as PNG"),
        ("a.jxl", b"\xff\x0a" + b"\x01" * 90, "JPEG XL"),
        ("a.png", b"%PDF-1.4 and so on", "not an image in a known format"),
    ],
)
def test_a_format_that_is_not_read_is_named_with_its_remedy(
    name: str, data: bytes, message: str
) -> None:
    with pytest.raises(ImageError, match=f"{name}: {message}"):
        images.decode(data, name)


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def test_heic_without_its_plug_in_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    _has_decoder.cache_clear()
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(ImageError, match=r"a.HEIC: HEIC; .*pip install 'buffycoat\[formats\]'"):
        images.decode(HEIC, "a.HEIC")
    _has_decoder.cache_clear()


def _heic(pixels: np.ndarray, **options: object) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    mode = {"|u1": "RGB", "<u2": "RGB;16"}[pixels.dtype.str]
    image = pillow_heif.from_bytes(mode, pixels.shape[1::-1], pixels.tobytes())
    image.save(buffer, quality=-1, chroma=444, **options)
    return buffer.getvalue()


def test_heic_is_read_with_it(tmp_path: Path) -> None:
    (tmp_path / "IMG_1").write_bytes(_heic(_photo()))
    read = images.read(tmp_path / "IMG_1")
    assert np.abs(read.astype(int) - _photo()).max() <= 2


def test_a_heic_that_was_renamed_on_its_way_is_read() -> None:
    read = images.decode(_heic(_photo()), "IMG_1.JPG")
    assert np.abs(read.astype(int) - _photo()).max() <= 2


def test_a_turned_heic_is_turned_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    read = images.decode(_heic(_photo(), exif=exif.tobytes()), "turned")
    assert np.abs(read.astype(int) - np.rot90(_photo(), -1)).max() <= 2


def test_deep_heic_keeps_white_and_refuses_what_would_be_black() -> None:
    white = np.full((40, 40, 3), 65535, np.uint16)
    assert (images.decode(_heic(white), "white") >= 254).all()
    with pytest.raises(ImageError, match="do not fill their range"):
        images.decode(_heic(white // 32), "dim")


@pytest.mark.parametrize("length", [24, 100, 700, -20])
def test_a_damaged_heic_is_called_damaged(length: int) -> None:
    with pytest.raises(ImageError, match="HEIC, truncated or damaged") as caught:
        images.decode(_heic(_photo())[:length], "a.heic")
    assert "\n" not in str(caught.value)
