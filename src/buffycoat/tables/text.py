"""Bytes of a file as text: what is no text is named, and the encoding is found."""

from __future__ import annotations

import codecs
import io
import zipfile
from pathlib import Path

from buffycoat.errors import ManifestError

_SAVE_AS = (
    'Save the sheet as "CSV UTF-8" (File, Save As or Export; in Python: '
    "pandas.read_excel(...).to_csv(..., index=False)) and give that file"
)
_NOT_TEXT = (
    (b"\xd0\xcf\x11\xe0", f"an Excel workbook (.xls), not CSV. {_SAVE_AS}"),
    (b"\x1f\x8b", "packed by gzip. Unpack it first: gunzip FILE"),
    (b"%PDF", "a PDF. Give the table as CSV"),
    (b"\x89PNG", "a PNG image, no table"),
    (b"\xff\xd8\xff", "a JPEG image, no table"),
    (b"SQLite format 3", "an SQLite database. Export the table as CSV"),
)
"""How a file begins -> what it is."""
_ZIPPED = {
    "xl/": f"an Excel workbook (.xlsx), not CSV. {_SAVE_AS}",
    "content.xml": f"an OpenDocument sheet (.ods), not CSV. {_SAVE_AS}",
    "Index/": f"a Numbers sheet, not CSV. {_SAVE_AS}",
}
"""How the name of a member of a ZIP file begins -> what the file is."""
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark its own begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UTF16_SHARE = 0.4
"""Share of zeros at odd or even places from which bytes are UTF-16; of Latin text it is near 1."""


def read_text(path: Path) -> tuple[str, str]:
    """A text file and its encoding, by Python's name.

    UTF-8 with or without a mark, UTF-16 and UTF-32; what is none of them is taken as Windows-1252.

    Raises:
        ManifestError: Not readable, or no text: the message names what it is, and the remedy.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ManifestError(f"{path}: cannot be read ({error.strerror or error})") from error
    what = _not_text(data)
    if what:
        raise ManifestError(f"{path}: is {what}")
    text, encoding = _decode(data)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise ManifestError(f"{path} line {line}: holds a NUL character, so it is no text file")
    begin = text[:200].lstrip().lower()
    if begin.startswith(("<!doctype", "<html", "<?xml", "<table")):
        raise ManifestError(f"{path}: is HTML or XML, not CSV. {_SAVE_AS}")
    if begin.startswith(("{", "[{", "[[")):
        raise ManifestError(
            f"{path}: is JSON, not CSV. In Python: pandas.read_json(...).to_csv(..., index=False)"
        )
    return text, encoding


def _not_text(data: bytes) -> str | None:
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data)
    return next((what for start, what in _NOT_TEXT if data.startswith(start)), None)


def _zipped(data: bytes) -> str:
    try:
        names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    except zipfile.BadZipFile:
        return f"an Excel workbook or another ZIP file, and damaged. {_SAVE_AS}"
    found = (what for start, what in _ZIPPED.items() for n in names if n.startswith(start))
    return next(found, "a ZIP file. Unpack it first")


def _decode(data: bytes) -> tuple[str, str]:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, errors="replace"), encoding
    head = data[:4096]
    for first, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if len(head) > 3 and head[first::2].count(0) > _UTF16_SHARE * len(head) / 2:
            return data.decode(encoding, errors="replace"), encoding
    for encoding in ("utf-8", "cp1252"):
        try:
            return data.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"
