"""Floors of F1 on a few fields of each site; `benchmarks.finding` measures all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.finding import MATCHINGS, search

from buffycoat.evaluate import finding

FLOORS = {"chula": 0.80, "bccd": 0.90, "aslan": 0.90, "pig": 0.75}
"""Under the scores of these fields by about two cells."""
FIELDS = 16


@pytest.mark.real
@pytest.mark.parametrize("site", sorted(FLOORS))
def test_cells_of_real_fields_are_found(fields_of_sites: Path, site: str) -> None:
    fields, _ = search(fields_of_sites.parent, site, FIELDS)
    for least_iou in MATCHINGS.values():
        scores = finding.score([finding.match(f.found, f.true, least_iou) for f in fields])
        assert scores.f1[0] >= FLOORS[site]
