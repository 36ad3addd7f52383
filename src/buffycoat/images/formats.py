"""Formats of picture files, known by their first bytes: those that are read, and those refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePath

HEAD_BYTES = 132
"""Enough of a file to know its format: DICOM's mark is the farthest, at 128."""


@dataclass(frozen=True)
class Format:
    """One format of picture files.

    Attributes:
        name: As users know it.
        suffixes: How names of such files end, lower case.
        head: Matches the first bytes; None where only the suffix tells.
        plugin: Pillow's name of the decoder; "" if the format is not read.
        remedy: What to do with a file of a format that is not read.
        is_by_suffix: Whether the suffix counts for more than the content, since such a file begins
            with a picture of another format that is a thumbnail.
    """

    name: str
    suffixes: tuple[str, ...]
    head: re.Pattern[bytes] | None = None
    plugin: str = ""
    remedy: str = ""
    is_by_suffix: bool = False


def _read(name: str, suffixes: str, head: bytes, plugin: str) -> Format:
    return Format(name, tuple(suffixes.split()), re.compile(head, re.DOTALL), plugin)


def _refused(name: str, suffixes: str, head: bytes | None, remedy: str, *, lead: bool = False):
    pattern = None if head is None else re.compile(head, re.DOTALL)
    return Format(name, tuple(suffixes.split()), pattern, remedy=remedy, is_by_suffix=lead)


_SAVE = "Save it as PNG"
_DEVELOP = "Develop it in the camera's software and save it as PNG or TIFF"
_FIND = "Cut its cells out with `buffycoat find`, or export single cells as PNG or TIFF"
_SLIDE = (
    "Export it as OME-TIFF for `buffycoat find`, or single cells as PNG or TIFF, from the "
    "microscope's program or QuPath"
)
_DICOM = (
    "Export the picture as PNG or TIFF from the viewer; cut the cells of a whole-slide image out "
    "with `buffycoat find`"
)
_BRAND = rb".{4}ftyp(?:%s|.{4}.{4}(?:.{4})*?(?:%s))"
"""ISO media files name their kind as the main brand, or among the compatible ones."""

_FORMATS = (
    _read("JPEG", ".jpg .jpeg .jpe .jfif .jif .jfi .mpo", rb"\xff\xd8\xff", "JPEG"),
    _read("PNG", ".png .apng", rb"\x89PNG\r\n\x1a\n", "PNG"),
    _read("TIFF", ".tif .tiff .btf .tf8", rb"II[*+]\0|MM\0[*+]", "TIFF"),
    _read("BMP", ".bmp .dib", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"),
    _read("WebP", ".webp", rb"RIFF.{4}WEBP", "WEBP"),
    _read("GIF", ".gif", rb"GIF8[79]a", "GIF"),
    _read(
        "JPEG 2000",
        ".jp2 .j2k .j2c .jpc .jpf .jpx",
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        "JPEG2000",
    ),
    _read(
        "HEIC",
        ".heic .heif .hif .heics",
        _BRAND % (rb"he[iv][cxms]|mif1|msf1", b"heic"),
        "HEIF",
    ),
    _read("AVIF", ".avif .avifs", _BRAND % (rb"avi[fs]", rb"avi[fs]"), "AVIF"),
    _refused("DICOM", ".dcm .dicom .dic", rb".{128}DICM", _DICOM),
    _refused("Zeiss CZI", ".czi", rb"ZISRAWFILE", _FIND),
    _refused("Nikon ND2", ".nd2", rb"\xda\xce\xbe\x0a", _SLIDE, lead=True),
    _refused("Leica LIF", ".lif", rb"\x70\0\0\0.{4}\x2a", _SLIDE),
    _refused("Aperio slide", ".svs", None, _FIND, lead=True),
    _refused("Hamamatsu slide", ".ndpi .vms .vmu", None, _FIND, lead=True),
    _refused("Olympus slide", ".vsi .ets .oib .oif .oir", None, _SLIDE, lead=True),
    _refused("Leica slide", ".scn", None, _FIND, lead=True),
    _refused("3DHistech slide", ".mrxs", None, _FIND, lead=True),
    _refused("Ventana slide", ".bif", None, _FIND, lead=True),
    _refused("Akoya slide", ".qptiff", None, _FIND, lead=True),
    _refused("Zeiss LSM", ".lsm", None, _FIND, lead=True),
    _refused(
        "camera raw",
        ".dng .nef .nrw .cr2 .cr3 .crw .arw .srf .sr2 .orf .rw2 .pef .raf",
        rb"II\x2a\0.{4}CR|FUJIFILMCCD-RAW|II(?:RO|RS|U\0)|.{4}ftypcrx ",
        _DEVELOP,
        lead=True,
    ),
    _refused("JPEG XL", ".jxl", rb"\0\0\0\x0cJXL \r\n\x87\n", _SAVE),
    _refused("JPEG XR", ".jxr .wdp .hdp", rb"II\xbc[\0\x01]", _SAVE),
    _refused("Portable Anymap", ".ppm .pgm .pbm .pnm .pam .pfm", rb"P[1-7Ff]\s+[\d#W]", _SAVE),
    _refused("Photoshop", ".psd .psb", rb"8BPS\0[\x01\x02]", _SAVE),
    _refused("GIMP", ".xcf", rb"gimp xcf", _SAVE),
    _refused("OpenEXR", ".exr", rb"\x76\x2f\x31\x01", _SAVE),
    _refused("Radiance HDR", ".rgbe", rb"#\?RADIANCE", _SAVE),
    _refused("PCX", ".pcx", rb"\x0a[\0-\x05]\x01[\x01\x02\x04\x08]", _SAVE),
    _refused("SGI", ".sgi", rb"\x01\xda[\0\x01][\x01\x02]", _SAVE),
    _refused("FITS", ".fits .fit .fts", rb"SIMPLE  = ", _SAVE),
    _refused("QOI", ".qoi", rb"qoif", _SAVE),
    _refused("TGA", ".tga", None, _SAVE),
    _refused("raw pixels", ".raw", None, _SAVE),
)  # fmt: skip
"""Of two that begin alike, the later one is the more special."""
READABLE = ", ".join(f.name for f in _FORMATS if f.plugin)
SUFFIXES = frozenset(suffix for f in _FORMATS for suffix in f.suffixes)
"""How names end by which a file claims to be a picture, also of a format that is not read."""

_BY_SUFFIX = {suffix: f for f in _FORMATS for suffix in f.suffixes}


def identify(head: bytes, name: str = "") -> Format | None:
    """The format of a file by its first bytes.

    Args:
        head: At least `HEAD_BYTES` of it, if it has so many.
        name: Its name, for the slides and camera files that begin like another format.

    Returns:
        None if it begins like no picture.
    """
    named = format_of_suffix(name)
    if named is not None and named.is_by_suffix:
        return named
    heads = (f for f in reversed(_FORMATS) if f.head is not None and f.head.match(head))
    return next(heads, None)


def format_of_suffix(name: str) -> Format | None:
    """The format that the end of a name claims, or None."""
    return _BY_SUFFIX.get(PurePath(name).suffix.lower().rstrip())
