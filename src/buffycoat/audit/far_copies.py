"""Copies that were changed further than the search reaches: said in so many words, not passed."""

from __future__ import annotations

from buffycoat.audit.findings import Looked

NAME = "far_copies"
LIMITS = (
    "not searched for, or often missed: crops to under 60 % of a side; copies brightened by more "
    "than 1.8, or turned or cropped and brightened until the surroundings are white; turned or "
    "tightly cropped copies that are also heavily degraded or under 128 px; cells cut out, painted "
    "around or pasted elsewhere; warped, stretched or generated images"
)
"""What was measured and where recall falls under 0.95: docs/adr/0014."""


def check() -> Looked:
    """Nothing can be looked at; the limits of the search."""
    return Looked(not_checked=LIMITS)
