"""Finding white cells: `find` beside scikit-image's pipeline and Cellpose.

Cellpose's weights cannot be downloaded here. With random weights its network takes the same time,
so its speed was measured and what it finds was not.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from benchmarks.comparison.masks import CHANNELS
from benchmarks.comparison.rows import WORDS, Place, Row, better_of, once
from benchmarks.finding import search, search_by_skimage

from buffycoat.evaluate import finding

MARGIN = 0.02
"""Of F1."""
TASK = "find cells"
FIELDS = 100
"""Of each site at most, the first by name; `benchmarks.finding` has all of them."""


def rows(site: str, place: Place) -> list[Row]:
    """F1 and time of one site."""
    found = once(place.work / f"fields-{site}.json", lambda: compare(place, site))
    a = found["ours"]
    best = max(CHANNELS, key=lambda name: found[name]["f1"][0])
    b = found[best]
    faster = better_of(a["s"], b["s"], 0.005, is_higher_better=False)
    return [
        Row(
            TASK,
            f"F1 of centres and processor time a field, `{site}`, {found['fields']} fields",
            f"scikit-image {version('scikit-image')}, Otsu and watershed of {best}, the best of "
            f"{len(CHANNELS)} channels there, told the cells' size",
            _words(a),
            _words(b),
            better_of(a["f1"][0], b["f1"][0], MARGIN, is_higher_better=True),
            "run",
            f"faster: {WORDS.get(faster, faster)}. Our rules were set with these fields in sight; "
            "our time has reading and scale in it",
        )
    ]


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


def cellpose_rows(place: Place) -> list[Row]:
    """Its time, as stored."""
    return [
        Row(
            TASK,
            "time of a field of 1440 x 900 px, `chula`, idle machine, one thread against two",
            "Cellpose 4.2.1, CPSAM, random weights",
            "0.073 s",
            "73.7 s",
            "buffycoat",
            "benchmarks/results/fields/README.md",
            "what Cellpose finds: its weights cannot be downloaded here; a GPU",
        )
    ]
