#!/usr/bin/env bash
# albumentations: numbers carried along with boxes come back as float32, so from 16777217 on a cell gets another cell's id.
#
# Guess before running: what is named in `label_fields` is carried along and comes back as it was handed in, for those boxes
# that are left; it is not part of the geometry.
# What it does: numbers are laid beside the coordinates in an array of float32. A small one comes back as 7.0; of the ids
# 16777216 and 16777217 both are 16777216.0 after a flip, 20000003 is 20000004.0. An array of integers comes back as one, with
# the same wrong numbers. Ids of an archive, or of twelve digits as COCO has, then point at another cell's label, and two
# cells become one. As text they come back right, unless the same pipeline has seen numbers before: its first picture
# decides, and text of digits is float32 from then on. The head of the module that does it speaks of preserved types.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check albumentations==2.0.8 albucore==0.0.24 numpy==2.3.5 \
  opencv-python-headless==5.0.0.93 scipy==1.17.1 stringzilla==5.3.2 simsimd==6.5.16
cd "$box" && NO_ALBUMENTATIONS_UPDATE=1 "$box/venv/bin/python" - <<'E'
import albumentations
import numpy as np

IDS = [16777216, 16777217, 20000003]
BOXES = [[10, 10, 20, 20], [40, 10, 20, 20], [70, 10, 20, 20]]
picture = np.zeros((100, 100, 3), np.uint8)
boxes = albumentations.BboxParams(format="coco", label_fields=["ids"])


def flipped(*ids_of_pictures):
    flip = albumentations.Compose([albumentations.HorizontalFlip(p=1)], bbox_params=boxes)
    return np.array([flip(image=picture, bboxes=BOXES, ids=ids)["ids"] for ids in ids_of_pictures][-1]).tolist()


kinds = {"list": IDS, "array": np.array(IDS), "text": [str(number) for number in IDS]}
found = {kind: flipped(ids) for kind, ids in kinds.items()} | {"text after numbers": flipped(IDS, kinds["text"])}
points = albumentations.KeypointParams(format="xy", label_fields=["ids"])
flip = albumentations.Compose([albumentations.HorizontalFlip(p=1)], keypoint_params=points)
found["points"] = [*flip(image=picture, keypoints=[box[:2] for box in BOXES], ids=IDS)["ids"]]
print(f"albumentations {albumentations.__version__}: ids {IDS} after a flip: {found}")
WRONG = [16777216, 16777216, 20000004]
assert all(found[kind] == WRONG for kind in ("list", "array", "points", "text after numbers")), "changed"
assert isinstance(found["list"][0], float) and isinstance(found["array"][0], int), "changed"
assert found["text"] == kinds["text"], "changed"
E
