#!/usr/bin/env bash
# OpenCV shears a tiled 16-bit gray TIFF when it reads it as 8 bits, which is what imread does by default.
#
# Guess before running: the picture, scaled to 8 bits, however the file is laid out.
# What it does: where the width is no multiple of the tile's, the last tile of each row comes out sheared; of a
# picture smaller than its tile, nearly every pixel is wrong. Strips, and IMREAD_UNCHANGED, are right.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check opencv-python-headless==5.0.0.93 tifffile==2026.3.3 numpy
"$box/venv/bin/python" - <<'E'
import io
import cv2, numpy as np, tifffile

picture = (np.mgrid[:200, :200].sum(0) * 65535 // 400).astype(np.uint16)

def share_wrong(flag, **layout):
    file = io.BytesIO()
    tifffile.imwrite(file, picture, photometric="minisblack", metadata=None, **layout)
    read = cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), flag)
    truth = picture if read.dtype == np.uint16 else picture / 257
    read = read[..., 0] if read.ndim == 3 else read
    return float((np.abs(read.astype(float) - truth) > 2).mean())

tiled = share_wrong(cv2.IMREAD_COLOR, tile=(256, 256))
tiled_gray = share_wrong(cv2.IMREAD_GRAYSCALE, tile=(256, 256))
strips = share_wrong(cv2.IMREAD_COLOR, rowsperstrip=16)
unchanged = share_wrong(cv2.IMREAD_UNCHANGED, tile=(256, 256))
print(f"OpenCV {cv2.__version__}: share of wrong pixels: tiled {tiled:.2f} (IMREAD_COLOR), {tiled_gray:.2f} "
      f"(IMREAD_GRAYSCALE), {unchanged:.2f} (IMREAD_UNCHANGED); strips {strips:.2f}")
assert tiled > 0.9 and tiled_gray > 0.9 and strips == unchanged == 0, "changed"
E
