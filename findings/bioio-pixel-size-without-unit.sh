#!/usr/bin/env bash
# bioio: a pixel of 250 nm in an OME-TIFF is reported as 250.0, one of 0.00025 mm as 0.00025, and no unit beside it.
#
# Guess before running: `physical_pixel_sizes` is in micrometres, whatever unit the file has (OME writes it beside each
# number, and its default is the micrometre), or the unit is in `dimension_properties`.
# What it does: it hands on the number and drops the unit; in `dimension_properties` the unit is None too. The same slide
# has pixels of 250.0, 0.25 or 0.00025 by which program wrote it, and a nucleus of 1600 pixels an area from 0.0001 to a
# hundred million of what the caller takes for square micrometres.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check bioio==3.6.0 bioio-base==3.5.0 bioio-ome-tiff==1.4.0 tifffile==2026.3.3 numpy==2.4.6
cd "$box" && "$box/venv/bin/python" - <<'E' 2>/dev/null
from importlib.metadata import version

import numpy as np
import tifffile
from bioio import BioImage

smear = np.full((64, 80, 3), 200, np.uint8)
read, units = {}, set()
for size, unit in ((250.0, "nm"), (0.25, "µm"), (0.00025, "mm")):
    sides = {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": unit for axis in "XY"}
    tifffile.imwrite("smear.ome.tif", smear, photometric="rgb", metadata={"axes": "YXS"} | sides)
    image = BioImage("smear.ome.tif")
    read[f"{size} {unit}"] = image.physical_pixel_sizes.X
    units.add(image.dimension_properties.X.unit)
print(f"bioio {version('bioio')}, bioio-ome-tiff {version('bioio-ome-tiff')}: one pixel size in three units is read as {read}, unit {units}")
assert list(read.values()) == [250.0, 0.25, 0.00025] and units == {None}, "changed"
E
