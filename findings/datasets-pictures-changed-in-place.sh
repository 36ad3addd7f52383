#!/usr/bin/env bash
# datasets drops what was drawn into a picture, and writes paths for pictures.
#
# Guess before running: a dataset made of Pillow images holds those images; `map` keeps what its function did to
# a picture; `to_parquet` writes the pictures.
# What it does: of an image that Pillow opened from a file it keeps the file's path and nothing else, so that
# anything pasted, painted over or drawn in place is lost, in `from_dict` and in `map`, without a word; after an
# operation that returns a new image (crop, convert) it is kept. `to_parquet` then writes the path, with bytes
# None, and the table is empty of pictures on any other machine; `push_to_hub` embeds them.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check datasets==5.2.0 pillow==13.0.0 pyarrow==26.0.1
cd "$box"
HF_HOME="$box/hf" HF_HUB_OFFLINE=1 "$box/venv/bin/python" - <<'E' 2>/dev/null
import datasets, pyarrow.parquet
from datasets import Dataset, Features
from PIL import Image

datasets.disable_progress_bars()
Image.new("RGB", (20, 20), "white").save("cell.png")
features = Features({"image": datasets.Image()})

def blacken(row):
    row["image"].paste("black", (0, 0, 20, 20))
    return row

row = blacken({"image": Image.open("cell.png")})
made = Dataset.from_dict({"image": [row["image"]]}, features=features)[0]["image"].getpixel((0, 0))
mapped = Dataset.from_dict({"image": ["cell.png"]}, features=features).map(blacken)
after_map = mapped[0]["image"].getpixel((0, 0))
copied = Dataset.from_dict({"image": [row["image"].copy()]}, features=features)[0]["image"].getpixel((0, 0))
mapped.to_parquet("cells.parquet")
cell = pyarrow.parquet.read_table("cells.parquet")["image"][0].as_py()
print(f"datasets {datasets.__version__}: painted black, then from_dict: {made}; map: {after_map}; a copy of it: {copied}; "
      f"to_parquet wrote {cell}")
white, black = (255, 255, 255), (0, 0, 0)
assert (made, after_map, copied, cell["bytes"]) == (white, white, black, None), "changed"
E
