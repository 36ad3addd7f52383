"""Why a slide should be looked at, in words: alike on the review page and in what is sent."""

from __future__ import annotations

from buffycoat.evaluate.differential import BLAST, IMMATURE
from buffycoat.evaluate.doubtful_cells import FLAGGED, ONLY_DOUBTFUL
from buffycoat.evaluate.limits import DOUBTFUL_SHARE
from buffycoat.exchange.differential_report import one_decimal
from buffycoat.exchange.remarks import Flag

_CODES = {IMMATURE: "left_shift", BLAST: "blasts"}
_WORDS = {BLAST: "blasts"}
UNDECIDED = "doubtful cells that no reader decided"


def class_flag(
    name: str,
    said: str,
    percent: float,
    adjusted: float | None = None,
    limit: float | None = None,
    kept: float | None = None,
) -> Flag | None:
    """That a class reaches its limit; None where it does not.

    >>> class_flag("BL", FLAGGED, 3.125, limit=1.0).text
    'blasts 3.1 %, flagged from 1 % on'
    >>> class_flag("BL", FLAGGED, 0.97, limit=1.0, kept=1.02).text
    'blasts 0.97 % (without doubtful cells 1.0 %), flagged from 1 % on'
    >>> class_flag("BL", ONLY_DOUBTFUL, 3.125, limit=1.0).text
    'blasts 3.1 %, only with doubtful cells that no reader decided'

    Args:
        name: Code of the class, or `IMMATURE`.
        said: From `doubtful_cells.flag`.
        percent: Of the leukocytes, as counted.
        adjusted: The same, corrected for misclassification, if it is known.
        limit: Percent from which it is flagged, if it is known.
        kept: Percent without the doubtful cells, if it is known; told where it alone reaches the
            limit.
    """
    if said == FLAGGED:
        why = "flagged" if limit is None else f"flagged from {limit:g} % on"
    elif said == ONLY_DOUBTFUL:
        why = f"only with {UNDECIDED}"
    else:
        return None
    more = []
    if adjusted is not None:
        more.append(f"adjusted {one_decimal(adjusted, limit)} %")
    if limit is not None and kept is not None and max(percent, adjusted or 0) < limit <= kept:
        more.append(f"without doubtful cells {one_decimal(kept, limit)} %")
    better = f" ({', '.join(more)})" if more else ""
    figure = f"{_WORDS.get(name, name)} {one_decimal(percent, limit)} %{better}"
    return Flag(_CODES.get(name, name), f"{figure}, {why}")


def doubt_flag(n_doubtful: int, n_cells: int) -> Flag | None:
    """That many cells are doubtful; None where they are fewer than `DOUBTFUL_SHARE`.

    >>> doubt_flag(1, 4).text, doubt_flag(0, 4)
    ('doubtful cells that no reader decided: 1 of 4', None)

    Args:
        n_doubtful: Cells that a person should look at, and nobody has decided.
        n_cells: Cells that count.
    """
    if not n_doubtful or n_doubtful < DOUBTFUL_SHARE * n_cells:
        return None
    return Flag("doubtful", f"{UNDECIDED}: {n_doubtful} of {n_cells}")
