"""Cells of two laboratories that neither classifier has seen."""

from __future__ import annotations

from typing import Any

import pandas as pd
from benchmarks.comparison.classify import TIMM
from benchmarks.comparison.models import first_starter, manifest, plain_probs
from benchmarks.comparison.rows import RESULTS, Place, Row, apart, in_words, once

from buffycoat.bundle.files import checksum
from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.metrics import balanced_accuracy
from buffycoat.learn.experiments.site_scores import SiteTypes
from buffycoat.learn.site_labels import with_known_groups
from buffycoat.taxonomy import PBC

ABROAD_RUN = RESULTS / "sites" / "generation-1.csv"
"""Of `buffycoat bench sites` with the same bundle and cells."""
STEPS = ("as it is", "adapted without labels")


def rows(place: Place) -> list[Row]:
    """Balanced accuracy of both, ours also after `adapt`."""
    made = []
    for name in ("chula", "seg-wbc"):
        found = once(place.work / f"abroad-{name}.json", lambda name=name: abroad(place, name))
        for step in STEPS:
            a, b = found[step], found["plain"]
            left = "ours is stored, the script's is of this run"
            if (name, step) == ("chula", STEPS[1]):
                left += "; `chula` was looked at when the steps of `adapt` were chosen"
            made.append(
                Row(
                    "another laboratory",
                    f"balanced accuracy forced to its types, `{name}`, n = {found['n']}; ours "
                    f"{step}",
                    TIMM,
                    in_words(a),
                    in_words(b),
                    apart(a, b),
                    str(ABROAD_RUN.relative_to(RESULTS.parents[1])),
                    left,
                )
            )
    return made


def abroad(place: Place, name: str) -> dict[str, Any]:
    """Balanced accuracy forced to a site's types: the script's, and ours as stored."""
    cells = manifest(place, name)
    taxonomy = with_known_groups(PBC)
    spelling = taxonomy.spelling
    labels = [spelling.find(str(label)) or str(label) for label in cells.column("label")]
    types = SiteTypes.of(labels, taxonomy)
    forced = (plain_probs(place, name, cells) @ types.members.T).argmax(axis=1)
    drawn = resample(types.of_labels(labels, taxonomy), forced, len(types.codes))
    plain = drawn.interval(lambda c: balanced_accuracy(c, "truth")).to_dict()
    bundle = checksum(first_starter(place))[:12]
    stored = pd.read_csv(ABROAD_RUN, dtype={"bundle": str})
    own = stored[(stored["bundle"] == bundle) & (stored["site"] == name)].set_index("step")
    ends = {"estimate": "", "low": "_low", "high": "_high"}
    ours = {
        step: {end: float(own.loc[step, f"balanced_accuracy{what}"]) for end, what in ends.items()}
        for step in STEPS
    }
    if own.loc[STEPS[0], "n"] != len(cells):
        raise SystemExit(f"{ABROAD_RUN}: {name} had other cells than the {len(cells)} here")
    return {**ours, "plain": plain, "n": len(cells)}
