"""Safe decoding, the working image that every stage shares, and atomic writing.

The room's names are gathered here, as every other room uses some of them.
"""

from buffycoat.images.decode import decode, read, read_bytes
from buffycoat.images.formats import READABLE, SUFFIXES
from buffycoat.images.limits import MAX_PIXELS, MIN_SIDE_PX
from buffycoat.images.lock import only_writer
from buffycoat.images.parquet_cells import check_pictures
from buffycoat.images.survey import (
    CONTACT_SHEET,
    FIGURE_SUFFIX,
    OtherFile,
    Survey,
    is_image,
    list_images,
    survey,
)
from buffycoat.images.tiff import describe_unopened_tiff
from buffycoat.images.work import (
    BadCell,
    WorkImages,
    check_framing,
    check_scale,
    decode_work,
    decoder_versions,
    framed,
    load_work,
    to_work,
)
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
    "check_framing",
    "check_pictures",
    "check_scale",
    "decode",
    "decode_work",
    "decoder_versions",
    "describe_unopened_tiff",
    "framed",
    "is_image",
    "list_images",
    "load_work",
    "only_writer",
    "read",
    "read_bytes",
    "survey",
    "to_work",
    "write_atomic",
    "write_png",
    "writing",
]
