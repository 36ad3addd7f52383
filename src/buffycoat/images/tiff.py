"""TIFFs that Pillow decodes into another picture than was stored, or not at all.

The format leaves much to each file: depth, order of samples, what zero means. Pillow (13.0) reads
most of it right, refuses some as unknown, and of a few kinds gives a scrambled or inverted picture
without a word; `tests/images/test_tiff.py` writes them all. What it gets wrong is read by tifffile,
or refused.
"""

from __future__ import annotations

import io
import logging
import re
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps

from buffycoat.errors import ImageError
from buffycoat.images.limits import check_opacity, check_size

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _YCBCR = 0, 1, 2, 5, 6
_UNCOMPRESSED = 1
_PILLOW_COMPRESSIONS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 32773, 32946, 34925})
"""None, CCITT, LZW, JPEG, deflate, PackBits, LZMA: what its wheels unpack since 11.3."""
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}
"""What tifffile's samples are taken for, and how many of them are colours."""
_PREMULTIPLIED, _ALPHA = 1, 2
_IMAGEJ_STACK = re.compile(r"^images=([2-9]|\d\d)", re.MULTILINE)
_TAG_SUB_IFDS, _TAG_IMAGE_DEPTH, _TAG_ORIENTATION = 330, 32997, 274
logging.getLogger("tifffile").addHandler(logging.NullHandler())
# It logs each fault of a damaged file, which would else land among our own messages.
_SAVE = "Save it as 8-bit RGB or gray"


def read_odd_tiff(data: bytes, name: str) -> np.ndarray | None:
    """A TIFF that must not be left to Pillow.

    Args:
        data: The file.
        name: What to call it in messages.

    Returns:
        Shape (h, w, 3), uint8, RGB, on white where it is transparent; None for a file that Pillow
        reads right.

    Raises:
        ImageError: Not one picture, or of a kind that neither reads.
        ValueError: Damaged.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages.first
            check_size(page.imagewidth, page.imagelength, name)
            _check_one_picture(file, page, name)
            _check_extent(page, len(data))
            if _is_pillows(page) and _opens(file, data):
                return None
            _check_kind(page, name)
            return _turned(_to_rgb(_samples(page, name), page, name), page)
    except (tifffile.TiffFileError, RuntimeError, ArithmeticError, MemoryError) as error:
        raise ValueError(str(error)) from error  # damaged: of tifffile, imagecodecs and numpy


def describe_unopened_tiff(data: bytes) -> tuple[int, int, str] | None:
    """What is known of a TIFF that Pillow cannot open though `read_odd_tiff` can read it.

    Returns:
        Width and height in pixels, and the kind such as "TIFF, 2 x 16 bits, minisblack"; None if
        Pillow can open it.
    """
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page = file.pages.first
        kind = page.imagewidth, page.imagelength, _describe(page)
        return None if _opens(file, data) else kind


def _check_one_picture(file: TiffFile, page: TiffPage, name: str) -> None:
    depth = page.tags.valueof(_TAG_IMAGE_DEPTH, 1)
    is_stack = depth > 1 or _IMAGEJ_STACK.search(page.description if file.is_imagej else "")
    if len(file.pages) > 1 or is_stack:
        raise ImageError(
            f"{name}: {_kind(file)} of several pages or planes. Save each cell as a file of its own"
        )
    if page.is_reduced and _TAG_SUB_IFDS in page.tags:
        raise ImageError(
            f"{name}: {_kind(file)} that shows a preview only, as camera raw files do. Develop it "
            "and save it as PNG or TIFF"
        )


def _kind(file: TiffFile) -> str:
    """The format, and of a slide scanner's or microscope's file also whose."""
    makers = file.flags & {"svs", "ndpi", "scn", "bif", "philips", "lsm", "ome", "qpi", "imagej"}
    return f"TIFF ({', '.join(sorted(makers))})" if makers else "TIFF"


def _is_pillows(page: TiffPage) -> bool:
    """Whether Pillow's picture is the one that was stored, if it gives any."""
    bits, photometric = _bits(page), int(page.photometric)
    is_raw = int(page.compression) == _UNCOMPRESSED
    if int(page.compression) not in _PILLOW_COMPRESSIONS:
        return False
    if int(page.sampleformat) == 2 and bits < 32:
        return False  # taken for unsigned
    if page.extrasamples and int(page.extrasamples[0]) in (1, 2) and len(page.extrasamples) > 1:
        return False
    if photometric == _YCBCR and is_raw:
        stored = sum(page.databytecounts)
        return page.planarconfig == 1 and stored >= 3 * page.imagewidth * page.imagelength
    if page.planarconfig == 1 or page.samplesperpixel == 1:
        return bits <= 8 or photometric != _WHITE_IS_ZERO
    has_unknown = bool(page.extrasamples) and int(page.extrasamples[0]) == 0
    return photometric in (_RGB, _CMYK, _YCBCR) and not is_raw and not has_unknown


def _check_extent(page: TiffPage, size: int) -> None:
    offsets, counts = page.dataoffsets, page.databytecounts
    if not offsets or len(offsets) != len(counts):
        raise ValueError("it does not say where its pixels are")
    if int(page.compression) == _UNCOMPRESSED:
        counts = (1,) * len(counts)  # some writers count more than there is, and decoders know
    end = max(offset + count for offset, count in zip(offsets, counts, strict=True))
    if end > size:
        raise ValueError(f"its pixels go on to byte {end} of {size}")


def _opens(file: TiffFile, data: bytes) -> bool:
    if file.is_bigtiff and file.byteorder == ">":
        return False  # Pillow 13 misreads the header and warns of it
    try:
        Image.open(io.BytesIO(data), formats=("TIFF",)).close()
    except Image.UnidentifiedImageError:
        return False
    return True


def _check_kind(page: TiffPage, name: str) -> None:
    colours = _CHANNELS.get(int(page.photometric), 0)
    n_extra = page.samplesperpixel - colours
    is_known = colours > 0 and 0 <= n_extra <= 1 and _bits(page) in (8, 16)
    if not is_known or int(page.sampleformat) != 1:
        raise ImageError(f"{name}: {_describe(page)}: a kind that is not read. {_SAVE}")


def _samples(page: TiffPage, name: str) -> np.ndarray:
    """Shape (h, w, n), uint8 or uint16, as stored."""
    try:
        samples = page.asarray()
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
        raise ImageError(
            f"{name}: {_describe(page)}: unpacking it needs pip install 'buffycoat[formats]'. "
            f"Or {_SAVE[0].lower()}{_SAVE[1:]}"
        ) from error
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        samples = np.moveaxis(samples, 0, -1)
    return samples.reshape(page.imagelength, page.imagewidth, -1)


def _to_rgb(samples: np.ndarray, page: TiffPage, name: str) -> np.ndarray:
    """Samples of shape (h, w, n), uint8 or uint16, on white."""
    photometric = int(page.photometric)
    n = _CHANNELS[photometric]
    if samples.dtype == np.uint16:
        peak = samples[..., :n].max()
        if peak < 4096:
            raise ImageError(
                f"{name}: {_describe(page)}: values of at most {peak} do not fill a 16-bit range. "
                "Rescale it to 8 bits a channel"
            )
        samples = ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)
    colours = samples[..., :n].astype(np.float32)
    if photometric == _WHITE_IS_ZERO:
        colours = 255 - colours
    if photometric == _CMYK:
        colours = (255 - colours[..., :3]) * (255 - colours[..., 3:]) / 255
    kind = int(page.extrasamples[0]) if page.extrasamples else 0
    if kind in (_PREMULTIPLIED, _ALPHA):
        opacity = samples[..., n : n + 1].astype(np.float32) / 255
        check_opacity(opacity.max(), name)
        colours = colours * (opacity if kind == _ALPHA else 1) + 255 * (1 - opacity)
    colours = np.rint(np.clip(colours, 0, 255)).astype(np.uint8)
    return np.repeat(colours, 3, axis=2) if n == 1 else colours


def _describe(page: TiffPage) -> str:
    words = [f"TIFF, {page.samplesperpixel} x {_bits(page)} bits"]
    words += [str(getattr(page.photometric, "name", page.photometric)).lower()]
    words += ["planar"] if page.planarconfig == 2 and page.samplesperpixel > 1 else []
    words += {2: ["signed"], 3: ["floating point"]}.get(int(page.sampleformat), [])
    words += [str(getattr(page.compression, "name", page.compression)).lower().replace("_", " ")]
    return ", ".join(words)


def _turned(pixels: np.ndarray, page: TiffPage) -> np.ndarray:
    image = Image.fromarray(pixels)
    image.getexif()[_TAG_ORIENTATION] = page.tags.valueof(_TAG_ORIENTATION, 1)
    return np.asarray(ImageOps.exif_transpose(image))


def _bits(page: TiffPage) -> int:
    bits = page.bitspersample
    return max(bits) if isinstance(bits, tuple) else int(bits)
