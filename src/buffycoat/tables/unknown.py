"""Words by which tables say that something is not known."""

from __future__ import annotations

UNKNOWN = frozenset({"", "nan", "nat", "none", "null", "na", "n/a", "<na>", "unknown", "?", "-"})
"""In any case. Programs write these where a patient or slide is missing; taken for a name, all such
cells would be of one patient."""


def is_unknown(text: str) -> bool:
    """Whether a patient, slide or other name is not known."""
    return text.strip().casefold() in UNKNOWN
