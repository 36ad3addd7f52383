#!/usr/bin/env bash
# pylabel writes YOLO labels with COCO's category ids, beside a list of names that counts from 0: all classes move.
#
# Guess before running: a COCO file with the usual ids, from 1 on and with gaps, becomes YOLO labels numbered from 0 in
# the order of the names in `dataset.yaml`, since YOLO has no other way to name a class.
# What it does: unless `cat_id_index` is given, the ids are written as they are. Of neutrophil 1, eosinophil 2 and
# basophil 5 the labels say 1, 2 and 5, the list has three names from 0: who reads it sees each neutrophil as an
# eosinophil, each eosinophil as a basophil, and the basophils as a class that does not exist.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check pylabel==0.1.55 pandas==2.3.3 numpy==2.4.6
cd "$box" && "$box/venv/bin/python" - <<'E' 2>/dev/null
import json
from importlib.metadata import version
from pathlib import Path

import yaml
from pylabel import importer

names = {1: "neutrophil", 2: "eosinophil", 5: "basophil"}
cells = [{"id": n, "image_id": 1, "category_id": key, "bbox": [40 * n, 20, 30, 30], "area": 900, "iscrowd": 0, "segmentation": []}
         for n, key in enumerate(names, start=1)]
Path("cells.json").write_text(json.dumps({
    "images": [{"id": 1, "file_name": "field.png", "width": 200, "height": 100}],
    "categories": [{"id": key, "name": name, "supercategory": "white cell"} for key, name in names.items()],
    "annotations": cells,
}))


def exported(**choice):
    data = importer.ImportCoco("cells.json")
    data.export.ExportToYoloV5(output_path=f"out{len(choice)}/labels", yaml_file="dataset.yaml", **choice)
    listed = yaml.safe_load(Path(f"out{len(choice)}/dataset.yaml").read_text())["names"]
    lines = Path(f"out{len(choice)}/labels/field.txt").read_text().splitlines()
    return listed, [int(line.split()[0]) for line in lines]


listed, numbers = exported()
_, asked = exported(cat_id_index=0)
print(f"pylabel {version('pylabel')}: dataset.yaml names {dict(enumerate(listed))}; labels of neutrophil, eosinophil, "
      f"basophil: {numbers}; with cat_id_index=0: {asked}")
assert listed == list(names.values()) and numbers == [1, 2, 5] and asked == [0, 1, 2], "changed"
E
