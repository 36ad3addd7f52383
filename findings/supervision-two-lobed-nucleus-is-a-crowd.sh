#!/usr/bin/env bash
# supervision writes a mask of two parts, or with a hole, to COCO as a crowd, and pycocotools then does not count it.
#
# Guess before running: the mask of one nucleus with two lobes becomes two polygons of one annotation, or run lengths,
# with `iscrowd` 0, since it is one object; whoever does not find it loses recall.
# What it does: `as_coco` sets `iscrowd` 1 on each mask of several parts or with a hole, a crowd being to COCO an area of
# uncounted objects. COCOeval takes crowds out of the truth: a model that finds none of the lobed nuclei has recall 1.0
# and AP 1.0. The segmented neutrophils, the commonest white cells, drop out of the score, and band cells stay.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check supervision==0.31.2 pycocotools==2.0.11 numpy==2.4.6 pillow==13.0.0
cd "$box" && "$box/venv/bin/python" - <<'E' 2>/dev/null
import contextlib
import io
import json

import numpy as np
import supervision
from PIL import Image
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

Image.new("RGB", (200, 100), "white").save("field.png")
masks = np.zeros((3, 100, 200), bool)
masks[0, 10:30, 10:30] = masks[0, 10:30, 40:60] = True  # two lobes
masks[1, 10:50, 100:140] = True
masks[1, 25:30, 115:120] = False  # a ring
masks[2, 60:80, 10:60] = True  # a band
corners = np.array([[10, 10, 60, 30], [100, 10, 140, 50], [10, 60, 60, 80]], float)
nuclei = supervision.Detections(xyxy=corners, mask=masks, class_id=np.zeros(3, int))
field = supervision.DetectionDataset(classes=["neutrophil"], images=["field.png"], annotations={"field.png": nuclei})
field.as_coco(annotations_path="nuclei.json")
written = json.load(open("nuclei.json"))
crowds = [annotation["iscrowd"] for annotation in written["annotations"]]
band = {"image_id": written["images"][0]["id"], "category_id": written["categories"][0]["id"],
        "bbox": written["annotations"][2]["bbox"], "score": 0.9}
with contextlib.redirect_stdout(io.StringIO()):
    truth = COCO("nuclei.json")
    score = COCOeval(truth, truth.loadRes([band]), "bbox")
    score.evaluate()
    score.accumulate()
    score.summarize()
precision, recall = round(float(score.stats[0]), 3), round(float(score.stats[8]), 3)
print(f"supervision {supervision.__version__}: iscrowd of two lobes, a ring and a band: {crowds}; "
      f"of three nuclei the band alone found: AP {precision}, recall {recall}")
assert crowds == [1, 1, 0] and (precision, recall) == (1.0, 1.0), "changed"
E
