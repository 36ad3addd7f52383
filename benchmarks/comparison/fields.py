"""Finding white cells: `find` beside scikit-image's pipeline and Cellpose.

Cellpose's weights cannot be downloaded here. With random weights its network takes the same time,
so its speed is measured and what it finds is not.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Any

from benchmarks.comparison.masks import CHANNELS
from benchmarks.comparison.rows import Place, Row, better_of, once, run
from benchmarks.finding import SITES, search, search_by_skimage

from buffycoat.evaluate import finding

MARGIN = 0.02
"""Of F1."""
TASK = "find cells"
FIELDS = 100
"""Of each site at most, the first by name; `benchmarks.finding` has all of them."""


def rows(place: Place) -> list[Row]:
    """F1 and time of each site."""
    made = []
    for site in SITES:
        found = once(place.work / f"fields-{site}.json", lambda site=site: compare(place, site))
        a = found["ours"]
        best = max(CHANNELS, key=lambda name, found=found: found[name]["f1"][0])
        b = found[best]
        made.append(
            Row(
                TASK,
                f"F1 of centres and processor time a field, `{site}`, {found['fields']} fields",
                f"scikit-image {version('scikit-image')}, Otsu and watershed of {best}, the best "
                f"of {len(CHANNELS)} channels there, told the cells' size",
                _words(a),
                _words(b),
                better_of(a["f1"][0], b["f1"][0], MARGIN, is_higher_better=True),
                "run",
                f"in time: {better_of(a['s'], b['s'], 0.005, is_higher_better=False)}. Values of "
                "our rules were set with these fields in sight; reading and scale are in our time",
            )
        )
    return [*made, *_cellpose(place)]


def compare(place: Place, site: str) -> dict[str, Any]:
    """Scores and seconds a field of both on one site."""
    fields, seconds = search(place.shared, site, FIELDS)
    searched = {"ours": (fields, seconds)}
    searched |= {name: search_by_skimage(fields, of) for name, of in CHANNELS.items()}
    found: dict[str, Any] = {"fields": len(fields)}
    for name, (own, took) in searched.items():
        scores = finding.score([finding.match(one.found, one.true, 0.0) for one in own])
        found[name] = {"f1": list(scores.f1), "s": took}
    return found


def _words(of: dict[str, Any]) -> str:
    estimate, low, high = of["f1"]
    return f"{estimate:.3f} ({low:.3f} to {high:.3f}); {of['s']:.3f} s"


def _cellpose(place: Place) -> list[Row]:
    name = f"Cellpose {version('cellpose')}, CPSAM"
    script = [sys.executable, "-m", "benchmarks.comparison.cellpose_speed", place.shared]
    seconds = once(place.work / "cellpose.json", lambda: float(run(script)[0].split()[-1]))
    ours = once(place.work / "fields-aslan.json", dict)["ours"]["s"]
    left = "what Cellpose finds: its weights cannot be downloaded here, and need no tuning"
    return [
        Row(
            TASK,
            "processor time a field of 256 x 256 px, `aslan`",
            f"{name}, random weights",
            f"{ours:.3f} s",
            f"{seconds:.1f} s",
            "buffycoat",
            "run",
            left,
        ),
        Row(
            TASK,
            "time a field of 1440 x 900 px, `chula`, two idle cores",
            f"{name}, random weights",
            "0.096 s",
            "73.7 s",
            "buffycoat",
            "benchmarks/results/fields/README.md",
            f"{left}; a GPU",
        ),
    ]
