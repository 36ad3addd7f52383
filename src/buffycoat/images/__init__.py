"""Safe decoding, the working image that every stage shares, and atomic writing.

The room's names are gathered here, as every other room uses some of them.
"""

from buffycoat.images.decode import (
    CONTACT_SHEET,
    FIGURE_SUFFIX,
    FORMATS,
    MAX_PIXELS,
    MIN_SIDE_PX,
    SUFFIXES,
    decode,
    list_images,
    read,
    read_bytes,
)
from buffycoat.images.work import BadCell, WorkImages, load_work, to_work
from buffycoat.images.write import write_atomic, write_png, writing

__all__ = [
    "CONTACT_SHEET",
    "FIGURE_SUFFIX",
    "FORMATS",
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "SUFFIXES",
    "BadCell",
    "WorkImages",
    "decode",
    "list_images",
    "load_work",
    "read",
    "read_bytes",
    "to_work",
    "write_atomic",
    "write_png",
    "writing",
]
