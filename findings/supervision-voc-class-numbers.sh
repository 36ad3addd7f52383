#!/usr/bin/env bash
# supervision numbers the classes of Pascal VOC by the file that names them first, so two folders have other numbers.
#
# Guess before running: VOC has names and no numbers, so a reader sorts the names, and the folders of training and of
# test, with the same three classes in each, have the same numbers; its YOLO and COCO readers follow the file's list.
# What it does: names are sorted within each XML file, and those that are new are put behind the others. Which cells the
# first field happens to hold decides the numbers: of one data set, class 0 is the basophil in one folder and the
# neutrophil in the other. A model trained on the one and scored on the other is wrong in every class, without a word.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check supervision==0.31.2 numpy==2.4.6 pillow==13.0.0
cd "$box" && "$box/venv/bin/python" - <<'E' 2>/dev/null
from pathlib import Path

import supervision
from PIL import Image

CELL = "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>11</ymin><xmax>{}</xmax><ymax>40</ymax></bndbox></object>"


def read(folder, fields):
    Path(folder).mkdir()
    for number, cells in enumerate(fields):
        Image.new("RGB", (200, 100), "white").save(f"{folder}/{number}.png")
        objects = "".join(CELL.format(name, 50 * place + 1, 50 * place + 40) for place, name in enumerate(cells))
        size = "<size><width>200</width><height>100</height><depth>3</depth></size>"
        Path(f"{folder}/{number}.xml").write_text(f"<annotation><filename>{number}.png</filename>{size}{objects}</annotation>")
    found = supervision.DetectionDataset.from_pascal_voc(folder, folder)
    return found.classes


train = read("train", [["neutrophil", "basophil"], ["eosinophil"]])
test = read("test", [["neutrophil"], ["eosinophil", "basophil"]])
print(f"supervision {supervision.__version__}: classes of the two folders, in the order of their numbers: {train}, {test}")
assert train == ["basophil", "neutrophil", "eosinophil"] and test == ["neutrophil", "basophil", "eosinophil"], "changed"
E
