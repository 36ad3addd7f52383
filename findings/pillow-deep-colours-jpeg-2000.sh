#!/usr/bin/env bash
# Pillow turns white into black in JPEG 2000 colours of more than 8 bits.
#
# Guess before running: colours of 10, 12 or 16 bits are scaled to 8 bits, off by one at most.
# What it does: it rounds to the nearest of 256 steps, and what rounds up past 255 becomes 0. In a picture on a
# white ground, as of a microscope, the ground turns black. Gray is read with its 16 bits and is right.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check pillow==13.0.0 imagecodecs==2026.3.6 numpy
"$box/venv/bin/python" - <<'E'
import io
import imagecodecs, numpy as np, PIL
from PIL import Image

def read(value, bits, shape):
    samples = np.full(shape, value, np.uint16)
    data = imagecodecs.jpeg2k_encode(samples, level=0, reversible=True, bitspersample=bits, codecformat="jp2")
    assert (imagecodecs.jpeg2k_decode(data) == samples).all()  # the file is good
    return int(np.asarray(Image.open(io.BytesIO(data))).flat[0])

colour = {bits: [read(2**bits - 1, bits, (32, 32, 3)), read(int(0.99 * 2**bits), bits, (32, 32, 3))] for bits in (10, 12, 16)}
gray = read(65535, 16, (32, 32))
print(f"Pillow {PIL.__version__}: white and 99 % of white in colour are read as {colour} of 255; white in 16-bit gray as {gray}")
assert all(white == 0 and near > 250 for white, near in colour.values()) and gray == 65535, "changed"
E
