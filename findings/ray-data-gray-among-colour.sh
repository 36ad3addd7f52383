#!/usr/bin/env bash
# Ray Data gives a gray picture another shape according to which pictures share its block.
#
# Guess before running: `read_images` gives each picture the shape that Pillow gives it, gray as (h, w), whoever is
# read beside it; or it refuses a folder of both kinds.
# What it does: alone in its block a gray picture is (h, w); with colour pictures in the block it is (1, h, w), so the
# new axis is not where colours are, (h, w, 3). How many blocks there are follows from sizes of files and CPUs, so the
# same folder can give both on two machines. Blood smears are scanned in colour, but masks and older archives are gray.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check "ray[data]==2.60.0" numpy==2.4.6 pillow==12.3.0
RAY_USAGE_STATS_ENABLED=0 "$box/venv/bin/python" - "$box/pictures" <<'E' 2>/dev/null
import logging, os, sys
import numpy as np, ray
from PIL import Image

folder = sys.argv[1]
os.mkdir(folder)
for number in range(4):
    shape = (8, 10) if number == 2 else (8, 10, 3)
    Image.fromarray(np.full(shape, 50 * number, np.uint8)).save(f"{folder}/{number}.png")
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
ray.data.DataContext.get_current().enable_progress_bars = False

def shapes(blocks):
    rows = ray.data.read_images(folder, include_paths=True, override_num_blocks=blocks).take_all()
    return {os.path.basename(row["path"]): row["image"].shape for row in rows}

together, apart = shapes(1), shapes(4)
print(f"ray {ray.__version__}: gray picture in one block with colour ones {together['2.png']}, alone {apart['2.png']}; "
      f"colour ones {together['1.png']}")
assert together["2.png"] == (1, 8, 10) and apart["2.png"] == (8, 10) and together["1.png"] == (8, 10, 3), "changed"
E
