#!/usr/bin/env bash
# fcswrite multiplies shares by 100 and turns the sign of negative channels, by default, and little-endian files hold nonsense.
#
# Guess before running: a reader of FCS gets from the file the numbers that were written, as float32, in either byte order.
# What it does: a channel whose values all lie in 0..1 is written times 100, so that of two tubes the one with a single event at
# 1.02 is on another scale than its neighbour; a channel whose mean is below zero, as of a compensated negative control, is
# written with the sign turned. Nothing in the file tells it, and the caller's list of names is changed in place. With
# endianness="little" the header says little and the numbers are big. The docstring of the function tells the first two, the
# page of the package does not; of NaN it warns. compat_percent=False and compat_negative=False keep the numbers.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --no-compile --disable-pip-version-check fcswrite==0.6.4 flowio==1.4.0 numpy==2.3.5
cd "$box" && "$box/venv/bin/python" - <<'E'
from importlib.metadata import version

import fcswrite
import flowio
import numpy as np


def there_and_back(events, **options):
    names = ["CD45 A", "blast_score"]
    fcswrite.write_fcs("tube.fcs", names, np.array(events, float), **options)
    return names, flowio.FlowData("tube.fcs").as_array().round(2).tolist()


SHARES, OTHER, NEGATIVE = [[500, 0.25], [800, 0.5]], [[500, 0.25], [800, 1.02]], [[-30, 2], [6, 3]]
names, shares = there_and_back(SHARES)
_, other = there_and_back(OTHER)
_, negative = there_and_back(NEGATIVE)
_, kept = there_and_back(SHARES, compat_percent=False)
_, little = there_and_back(OTHER, endianness="little")
print(f"fcswrite {version('fcswrite')}, read by FlowIO {version('flowio')}: {SHARES} is {shares}, {OTHER} is {other}, "
      f"{NEGATIVE} is {negative}; little-endian {little}; names {names}")
assert shares == [[500, 25], [800, 50]] and kept == SHARES and np.allclose(other, OTHER), "changed"
assert negative == [[30, 2], [-6, 3]] and names == ["CD45A", "blastscore"], "changed"
assert not np.isclose(little, OTHER).any(), "changed"
E
