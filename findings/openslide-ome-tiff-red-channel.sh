#!/usr/bin/env bash
# OpenSlide opens an OME-TIFF whose colours are separate channels, and shows the red channel as a gray slide.
#
# Guess before running: OpenSlide has no reader of OME-TIFF, so it refuses a file with red, green and blue in a page
# each (as raw2ometiff writes without --rgb); or, taking it for a plain TIFF, it shows the three in colour.
# What it does: it opens the file as "generic-tiff" with one level, takes the first page, which is red, for the whole
# picture, and repeats it in all three samples. Nothing says that two thirds of the picture are missing. Eosin and the
# purple of a nucleus are both bright in red, so that cells fade and what tells an eosinophil is gone.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check openslide-python==1.4.7 openslide-bin==4.0.1.2 tifffile==2026.3.3 numpy==2.4.6
cd "$box" && "$box/venv/bin/python" - <<'E'
import numpy as np
import openslide
import tifffile

stain = (200, 60, 130)
planes = np.stack([np.full((512, 512), sample, np.uint8) for sample in stain])
names = {"axes": "CYX", "Channel": {"Name": ["Red", "Green", "Blue"]}}
tifffile.imwrite("slide.ome.tif", planes, tile=(256, 256), photometric="minisblack", metadata=names)
with tifffile.TiffFile("slide.ome.tif") as file:
    series = file.series[0]
    stored = series.asarray()[:, 10, 10].tolist()
    kind = f"{series.kind} {series.axes} {series.shape}"
slide = openslide.OpenSlide("slide.ome.tif")
vendor, levels = slide.properties["openslide.vendor"], slide.level_count
shown = slide.read_region((10, 10), 0, (1, 1)).getpixel((0, 0))
print(f"tifffile {tifffile.__version__}: {kind}, a pixel {stored}; OpenSlide {openslide.__library_version__}: "
      f"{vendor}, {levels} level, the same pixel {shown}")
assert stored == [200, 60, 130] and vendor == "generic-tiff" and shown == (200, 200, 200, 255), "changed"
E
