#!/usr/bin/env bash
# globox leaves out cells that were drawn as circles or ellipses, and reads a turned box as if it stood upright.
#
# Guess before running: LabelMe's circle (centre and a point of the rim) and CVAT's ellipse, the shapes made for round
# cells, become boxes around them, as polygons do on demand (`include_poly`), or are refused by name.
# What it does: `from_labelme` and `from_cvat` take rectangles and pass over the rest without a word, `include_poly` or
# not; of a CVAT box with a rotation the rotation is passed over. A field of three cells, two of them round, has one, and
# one whose cells are all round is an empty field: a detector is trained that nothing is there.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check globox==2.9.0
cd "$box" && "$box/venv/bin/python" - <<'E'
import json
from importlib.metadata import version
from pathlib import Path

from globox import AnnotationSet

shapes = {
    "neutrophil": ("circle", [[50, 50], [80, 50]]),
    "lymphocyte": ("circle", [[150, 50], [165, 65]]),
    "monocyte": ("rectangle", [[10, 10], [20, 30]]),
}
Path("labelme").mkdir()
Path("labelme/field.json").write_text(json.dumps({
    "version": "5.5.0", "flags": {}, "imagePath": "field.png", "imageData": None, "imageHeight": 100, "imageWidth": 200,
    "shapes": [{"label": name, "points": points, "shape_type": kind, "group_id": None, "flags": {}}
               for name, (kind, points) in shapes.items()],
}))
Path("cvat.xml").write_text("""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><image id="0" name="field.png" width="200" height="100">
<ellipse label="lymphocyte" source="manual" occluded="0" cx="100" cy="50" rx="20" ry="15" z_order="0"></ellipse>
<box label="band" source="manual" occluded="0" xtl="10" ytl="40" xbr="50" ybr="50" rotation="90" z_order="0"></box>
</image></annotations>""")


def boxes(found):
    return [(box.label, *map(int, box.ltrb)) for field in found for box in field.boxes]


plain, poly = (boxes(AnnotationSet.from_labelme("labelme", include_poly=choice)) for choice in (False, True))
cvat = boxes(AnnotationSet.from_cvat("cvat.xml"))
print(f"globox {version('globox')}: of LabelMe's two circles and a rectangle: {plain}, with include_poly {poly}; of CVAT's "
      f"ellipse and a box turned by 90 degrees: {cvat}")
assert plain == poly == [("monocyte", 10, 10, 20, 30)] and cvat == [("band", 10, 40, 50, 50)], "changed"
E
