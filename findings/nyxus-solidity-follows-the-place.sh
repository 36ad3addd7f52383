#!/usr/bin/env bash
# Nyxus: the same round cell has solidity 0.96 at the top left of a picture and 0.12 at the bottom right.
#
# Guess before running: the solidity of a disc of radius 15 is near 1, and DIAMETER_EQUAL_AREA, the diameter of a circle of the
# same area, about 30. That a hull is the same wherever a shape lies went without saying.
# What it does: the area of the hull grows with the distance from the origin, 735 pixels at (20, 20), 6015 at (900, 900), and
# solidity is divided by it; so who sorts cells by solidity sorts them by place, and a crop of one cell is measured well where
# the slide is not. The diameter lacks the square root, 902.7 for a disc 30 across. Area and axes are right. By the documents
# the hull is the area of the polygon; in the repository that is repaired by now, in no release on PyPI.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check nyxus==0.11.0 numpy==2.3.5 pandas==3.0.6
cd "$box" && "$box/venv/bin/python" - <<'E'
from importlib.metadata import version

import numpy as np
from nyxus import Nyxus

PLACES = [(20, 20), (100, 100), (500, 100), (900, 20), (900, 900)]  # row and column of the centre
NAMES = ["AREA_PIXELS_COUNT", "MAJOR_AXIS_LENGTH", "CONVEX_HULL_AREA", "SOLIDITY", "DIAMETER_EQUAL_AREA"]
row, column = np.mgrid[:1000, :1000]
labels = np.zeros((1000, 1000), np.uint32)
for number, (y, x) in enumerate(PLACES, 1):
    labels[(row - y) ** 2 + (column - x) ** 2 <= 15**2] = number
table = Nyxus(NAMES).featurize((labels > 0).astype(np.uint32) * 100, labels)
area, axis, hull, solidity, diameter = (table[name].round(2).tolist() for name in NAMES)
print(f"nyxus {version('nyxus')}: five discs of radius 15 at {PLACES}: area {area}, long axis {axis}, hull {hull}, "
      f"solidity {solidity}, diameter of equal area {diameter}")
assert set(area) == {709} and max(axis) < 31, "changed"
assert hull[0] == 735 and hull[-1] == 6015 and solidity == [0.96, 0.58, 0.44, 0.44, 0.12], "changed"
assert set(diameter) == {902.73}, "changed"
E
