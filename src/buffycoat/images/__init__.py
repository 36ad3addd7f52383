"""Safe decoding, the working image that every stage shares, and atomic writing.

The room's names are gathered here, as every other room uses some of them.
"""

from buffycoat.images.decode import MAX_PIXELS, MIN_SIDE_PX, decode, read, read_bytes
from buffycoat.images.formats import READABLE, SUFFIXES
from buffycoat.images.survey import (
    CONTACT_SHEET,
    FIGURE_SUFFIX,
    OtherFile,
    Survey,
    is_image,
    list_images,
    survey,
)
from buffycoat.images.work import BadCell, WorkImages, load_work, to_work
from buffycoat.images.write import write_atomic, write_png, writing

__all__ = [
    "CONTACT_SHEET",
    "FIGURE_SUFFIX",
    "MAX_PIXELS",
    "MIN_SIDE_PX",
    "READABLE",
    "SUFFIXES",
    "BadCell",
    "OtherFile",
    "Survey",
    "WorkImages",
    "decode",
    "is_image",
    "list_images",
    "load_work",
    "read",
    "read_bytes",
    "survey",
    "to_work",
    "write_atomic",
    "write_png",
    "writing",
]
