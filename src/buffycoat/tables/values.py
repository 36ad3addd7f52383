"""Names of patients and numbers as tables have them, and words that stand for none."""

from __future__ import annotations

import math
import re

UNKNOWN = frozenset({"", "nan", "nat", "none", "null", "na", "n/a", "<na>", "unknown", "?", "-"})
"""In any case. Programs write these where a patient or slide is missing; taken for a name, all such
cells would be of one patient."""
_WHOLE = re.compile(r"(\d+)\.0+")


def is_unknown(text: str) -> bool:
    """Whether a patient, slide or other name is not known."""
    return text.strip().casefold() in UNKNOWN


def known_name(text: str) -> str | None:
    """The name of a patient or slide; None where it is not known.

    Gaps in a column of numbers make floats of them: "3.0" is patient 3, as in the next table.
    """
    if is_unknown(text):
        return None
    whole = _WHOLE.fullmatch(text)
    return whole[1] if whole else text


def to_number(text: str) -> float:
    """A number, also with the decimal comma that some locales write; NaN for what is none."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return math.nan
