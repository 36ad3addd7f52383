#!/usr/bin/env bash
# crepes: the prediction set of the same cell, by the same model, is another one at each call.
#
# Guess before running: a fitted and calibrated classifier is a function; a class of which 4 cells were kept for
# calibration cannot have a p-value under 1/5, so at 90 % (Mondrian, by class) it is in every set.
# What it does: p-values are smoothed, by a random share of the ties that is drawn anew at each call without a seed. With
# 4 cells the p-value is anything from 0 to 1/5: the rare class is in about half of the sets of the cell that is least like it,
# and the others are empty. With smoothing=False it is in all of them. So the set that a reader was shown cannot be made again.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check crepes==0.9.1 scikit-learn==1.9.1 numpy==2.4.6
"$box/venv/bin/python" - <<'E'
import crepes
import numpy as np
from crepes import WrapClassifier
from sklearn.linear_model import LogisticRegression

draw = np.random.default_rng(0)
cells = draw.normal(size=(300, 2))
model = WrapClassifier(LogisticRegression().fit(cells, np.where(cells[:, 0] > 1, "basophil", "neutrophil")))
kept, labels = draw.normal(size=(200, 2)), np.array(["basophil"] * 4 + ["neutrophil"] * 196)
kept[:, 0] = [1.2, 2, 2.5, 3, *-abs(kept[4:, 0])]
model.calibrate(kept, labels, class_cond=True)
cell = np.array([[0.8, 0.0]])
sets = {smoothing: [model.predict_set(cell, confidence=0.9, smoothing=smoothing)[0] for _ in range(200)] for smoothing in (True, False)}
shares = {smoothing: sum("basophil" in found for found in many) / 200 for smoothing, many in sets.items()}
default = {tuple(model.predict_set(cell, confidence=0.9)[0]) for _ in range(200)}
print(f"crepes {crepes.__version__}: sets of one cell in 200 calls {sorted(default)}; basophil is in {shares[True]:.0%} of them, "
      f"with smoothing=False in {shares[False]:.0%}")
assert default == {(), ("basophil",)} and 0.2 < shares[True] < 0.8 and shares[False] == 1, "changed"
E
