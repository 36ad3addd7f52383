#!/usr/bin/env bash
# bioio: a colour picture asked for as "CYX" is its red sample alone, under the shape of a picture of one channel.
#
# Guess before running: `get_image_data("CYX")` of an RGB picture has the three colours along C, as other readers give
# them; or it is an error, since the picture has an axis S that was not asked for.
# What it does: colours are on an axis S of their own, C has the length 1, and of an axis that is not asked for the first
# place is taken, so the answer is (1, h, w), red only. "YX" gives the same. Code that works on fluorescence, where colours
# are along C, runs on a stained smear in colour and sees it through a red filter, where eosin is next to invisible.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check bioio==3.6.0 bioio-base==3.5.0 bioio-ome-tiff==1.4.0 tifffile==2026.3.3 numpy==2.4.6
cd "$box" && "$box/venv/bin/python" - <<'E' 2>/dev/null
from importlib.metadata import version

import numpy as np
import tifffile
from bioio import BioImage

stain = np.empty((64, 80, 3), np.uint8)
stain[...] = (200, 60, 130)
tifffile.imwrite("smear.ome.tif", stain, photometric="rgb", metadata={"axes": "YXS"})
image = BioImage("smear.ome.tif")
found = {axes: image.get_image_data(axes) for axes in ("CYX", "YX", "YXS")}
said = {axes: (pixels.shape, np.unique(pixels).tolist()) for axes, pixels in found.items()}
print(f"bioio {version('bioio')}, bioio-ome-tiff {version('bioio-ome-tiff')}: a picture of colour (200, 60, 130), {image.dims.order}: {said}")
assert said["CYX"] == ((1, 64, 80), [200]) and said["YX"] == ((64, 80), [200]), "changed"
assert said["YXS"] == ((64, 80, 3), [60, 130, 200]), "changed"
E
