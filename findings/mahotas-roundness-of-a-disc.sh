#!/usr/bin/env bash
# mahotas: the roundness of a disc is 0.80, of an ellipse twice as long as wide 0.98, and of a square 1.22 or 0.62.
#
# Guess before running: `features.roundness` is about 1 for a disc. That it falls as a cell grows longer and stays as it is when
# the cell is turned went without saying.
# What it does: it is the square of the perimeter over 4 pi times the area, so it grows as a cell grows longer; and the
# perimeter is the number of pixels at the edge, of which a slanting edge has fewer than its length, so that a square on its
# corner has half the roundness of one that lies flat. "Rounder than 0.9" throws round cells out and keeps elliptocytes. The
# documents give the name and no formula; eccentricity beside it is right.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check mahotas==1.4.19 numpy==2.3.5
cd "$box" && "$box/venv/bin/python" - <<'E'
from importlib.metadata import version

import numpy as np
from mahotas.features import eccentricity, roundness

y, x = (axis - 100 for axis in np.mgrid[:201, :201])
SHAPES = {
    "disc": x**2 + y**2 <= 30**2,
    "ellipse 2:1": (x / 40) ** 2 + (y / 20) ** 2 <= 1,
    "ellipse 3:1": (x / 60) ** 2 + (y / 20) ** 2 <= 1,
    "square": (abs(x) < 25) & (abs(y) < 25),
    "square on its corner": abs(x) + abs(y) < 40,
}
found = {name: (round(float(roundness(shape)), 2), round(float(eccentricity(shape)), 2)) for name, shape in SHAPES.items()}
print(f"mahotas {version('mahotas')}: roundness and eccentricity: {found}")
assert [r for r, _ in found.values()] == [0.8, 0.98, 1.35, 1.22, 0.62], "changed"
assert [e for _, e in found.values()] == [0, 0.87, 0.94, 0, 0], "changed"
E
