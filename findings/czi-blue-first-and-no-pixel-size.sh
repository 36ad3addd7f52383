#!/usr/bin/env bash
# CZI: colours come blue first from both readers, a missing pixel size is 0.0, and beside the image all is black.
#
# Guess before running: a reader that stacks the three samples of a colour picture for analysis (bioio-czi; its
# other readers give red first) gives red first; a pixel size that the file does not state is None; what lies outside
# the scanned area is white, or refused.
# What it does: the pixel type is Bgr24, and both pylibCZIrw and bioio-czi hand the samples on in that order, blue
# first; bioio-czi reports physical pixel sizes of 0.0 where the file has none (a division by it gives cells of
# infinite size); pylibCZIrw fills a region that leaves the image with black, which looks like stain.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check pylibCZIrw==6.1.0 bioio==3.6.0 bioio-base==3.5.0 bioio-czi==3.0.1 numpy==2.4.6 
cd "$box" && "$box/venv/bin/python" - <<'E'
import warnings

import numpy as np

warnings.simplefilter("ignore")
from bioio import BioImage
from pylibCZIrw import czi

blue = np.zeros((64, 80, 3), np.uint8)
blue[...] = (250, 20, 5)  # as Bgr24 has it
with czi.create_czi("a.czi") as file:
    file.write(blue, plane={"C": 0})
with czi.open_czi("a.czi") as file:
    kind = file.get_channel_pixel_type(0)
    first, outside = file.read()[0, 0].tolist(), file.read(roi=(-10, -10, 20, 20))[0, 0].tolist()
image = BioImage("a.czi")
samples, sizes = image.get_image_data("YXS")[0, 0].tolist(), tuple(image.physical_pixel_sizes)
print(f"{kind}: pylibCZIrw reads {first}, outside the image {outside}; bioio-czi reads {samples}, dimension "
      f"{image.dims.order}, pixel size {sizes}")
assert (kind, first, outside, samples) == ("Bgr24", [250, 20, 5], [0, 0, 0], [250, 20, 5]), "changed"
assert sizes[1:] == (0.0, 0.0), "changed"
E
