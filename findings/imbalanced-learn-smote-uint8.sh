#!/usr/bin/env bash
# imbalanced-learn: SMOTE on bytes (uint8: pixels, histograms) makes cells of the rare class that lie far outside of it.
#
# Guess before running: a new sample lies between two neighbours of its class whatever the type of the columns, at most
# rounded to it.
# What it does: the difference of two neighbours is taken in the type of the data, so in uint8 110 - 120 is 246, and the
# new sample is 120 plus a part of 246, wrapped once more. Of a class whose values all lie in 100..120 the new samples
# reach from 1 to 255. int16 and float64 are right. No warning; the result has the shape and type that one expects.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check imbalanced-learn==0.14.2 scikit-learn==1.9.1 numpy==2.4.6
"$box/venv/bin/python" - <<'E'
import imblearn
import numpy as np
from imblearn.over_sampling import SMOTE

draw = np.random.default_rng(0)
common, rare = draw.integers(0, 256, (60, 4)), draw.integers(100, 121, (12, 4))
cells, labels = np.concatenate([common, rare]), ["neutrophil"] * 60 + ["basophil"] * 12
made = {}
for kind in ("uint8", "int16", "float64"):
    more, _ = SMOTE(random_state=0).fit_resample(cells.astype(kind), labels)
    new = more[len(cells):]
    made[kind] = (float(new.min()), float(new.max()), float(np.mean((new < 100) | (new > 120))))
print(f"imbalanced-learn {imblearn.__version__}, lowest and highest new value of a class in 100..120, and share outside: "
      + "; ".join(f"{kind} {low:g}..{high:g}, {share:.2f}" for kind, (low, high, share) in made.items()))
assert made["uint8"][2] > 0.3 and made["int16"][2] == made["float64"][2] == 0, "changed"
E
