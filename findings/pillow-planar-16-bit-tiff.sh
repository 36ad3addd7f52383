#!/usr/bin/env bash
# Pillow reads an uncompressed TIFF of planar 16-bit colours into a scrambled picture, and does not say so.
#
# Guess before running: the picture, scaled to 8 bits, as it is with any compression; or an error, as for
# other layouts that Pillow does not know.
# What it does: it takes the two bytes of each 16-bit sample for two 8-bit samples of a plane. With LZW or
# deflate, which libtiff unpacks, the same picture is right. A planar 8-bit gray picture with alpha is the
# reverse: an error uncompressed, a wrong picture compressed.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy
"$box/venv/bin/python" - <<'E'
import io
import numpy as np, PIL, tifffile
from PIL import Image

y, x = np.mgrid[:48, :80]
picture = np.stack([x * 3, y * 5, x + y], 2).astype(np.uint8)

def mean_error(samples, truth, **how):
    file = io.BytesIO()
    tifffile.imwrite(file, samples, metadata=None, **how)
    read = np.asarray(Image.open(io.BytesIO(file.getvalue())))
    return float(np.abs(read.astype(int) - truth).mean())

planes = np.moveaxis(picture.astype(np.uint16) * 257, 2, 0)
how = {"photometric": "rgb", "planarconfig": "separate"}
raw, packed = mean_error(planes, picture, **how), mean_error(planes, picture, compression="lzw", **how)
pair = np.stack([picture[..., 0], 255 - picture[..., 0]])
alpha = mean_error(pair, np.moveaxis(pair, 0, 2), photometric="minisblack", planarconfig="separate",
                   extrasamples=["unassalpha"], compression="lzw")
print(f"Pillow {PIL.__version__}: mean error of 255, planar 16-bit RGB: uncompressed {raw:.0f}, LZW {packed:.1f}; "
      f"planar 8-bit gray and alpha, LZW: {alpha:.0f}")
assert raw > 30 and packed < 1 and alpha > 30, "changed"
E
