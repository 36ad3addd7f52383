"""Numbers beside their limits, for a reader."""

from __future__ import annotations

MOST_DIGITS = 6


def apart(value: float, limit: float, digits: int) -> tuple[str, str]:
    """Both with as few decimals as show which is larger; equal numbers stay alike.

    >>> apart(1.04, 1.0, 1)
    ('1.04', '1.00')

    Args:
        value: What was measured.
        limit: What it is compared with.
        digits: Decimals, at least.
    """
    for n in range(digits, max(digits, MOST_DIGITS) + 1):
        shown = f"{value:.{n}f}", f"{limit:.{n}f}"
        if shown[0] != shown[1]:
            return shown
    return f"{value:.{digits}f}", f"{limit:.{digits}f}"
