#!/usr/bin/env bash
# Pillow gives the negative of a 16-bit gray TIFF whose zero is white, but not of one with 8 bits.
#
# Guess before running: as with 1 to 8 bits, the values are inverted, so that white is white.
# What it does: 8 bits are inverted, 16 bits are not, in both cases without a word; the same in the other byte
# order is "cannot identify image file".
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check pillow==13.0.0 tifffile==2026.3.3 numpy
"$box/venv/bin/python" - <<'E'
import io
import numpy as np, PIL, tifffile
from PIL import Image

def white_is_read_as(dtype, byteorder="<"):
    file = io.BytesIO()  # zero is white here
    tifffile.imwrite(file, np.zeros((32, 32), dtype), photometric="miniswhite", metadata=None, byteorder=byteorder)
    try:
        return int(np.asarray(Image.open(io.BytesIO(file.getvalue())))[0, 0])
    except Image.UnidentifiedImageError:
        return "cannot identify image file"

found = [white_is_read_as(np.uint8), white_is_read_as(np.uint16), white_is_read_as(np.uint16, ">")]
print(f"Pillow {PIL.__version__}: white, stored as zero, is read as: 8 bits {found[0]} of 255, 16 bits {found[1]} of 65535, "
      f"16 bits big-endian: {found[2]}")
assert found == [255, 0, "cannot identify image file"], "changed"
E
