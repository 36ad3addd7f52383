#!/usr/bin/env bash
# pycocotools: with equal scores AP depends on the order of the detections, and a true cell with id 0 cannot be found.
#
# Guess before running: detections of one score are one step of the curve, as in scikit-learn, so their order does not
# matter; an annotation's id is a name, and 0 is as good as 1.
# What it does: ties are kept in the order in which they were handed in (or by image id) and stepped through one by one:
# of 20 right and 20 wrong detections with score 1.00, as exported with two digits, AP is 1.0 or 0.5 by which come first.
# COCOeval marks a matched detection by the id of its cell and takes 0 for "none": the field's only cell, found exactly,
# gives AP 0.0 if the file counts its annotations from 0.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check pycocotools==2.0.11 numpy==2.4.6
"$box/venv/bin/python" - <<'E'
import contextlib
import io
from importlib.metadata import version

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(found, n_cells, first_id=1):
    """Of boxes (left, top), each 10 pixels wide; the cells lie along the upper edge."""
    cells = [{"id": first_id + n, "image_id": 1, "category_id": 1, "bbox": [20 * n, 0, 10, 10], "area": 100, "iscrowd": 0}
             for n in range(n_cells)]
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"info": {}, "images": [{"id": 1, "width": 500, "height": 100}], "categories": [{"id": 1, "name": "cell"}],
                         "annotations": cells}
        truth.createIndex()
        rows = [{"image_id": 1, "category_id": 1, "bbox": [*place, 10, 10], "score": 1.0} for place in found]
        score = COCOeval(truth, truth.loadRes(rows), "bbox")
        score.evaluate()
        score.accumulate()
        score.summarize()
    return round(float(score.stats[0]), 2)


right, wrong = [(20 * n, 0) for n in range(20)], [(20 * n, 50) for n in range(20)]
ties = average_precision(right + wrong, 20), average_precision(wrong + right, 20)
by_id = {first: average_precision([(0, 0)], 1, first) for first in (1, 0)}
print(f"pycocotools {version('pycocotools')}: AP of 20 right and 20 wrong detections of one score, right first {ties[0]}, wrong "
      f"first {ties[1]}; AP of one cell that is found, by its id: {by_id}")
assert ties[0] == 1.0 and ties[1] < 0.6 and by_id == {1: 1.0, 0: 0.0}, "changed"
E
