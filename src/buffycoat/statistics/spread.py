"""Whether there is enough to estimate a covariance from: features that vary, rows that differ."""

from __future__ import annotations

import numpy as np

from buffycoat.errors import NotEstimableError
from buffycoat.plurals import counted

MIN_ROWS = 3
"""Different rows under which a covariance is not estimable. Two leave one direction, and
Ledoit-Wolf's estimate does not shrink it: between equal outer products it sees no variance. With k
classes, of which each costs a mean, k + 2 are needed."""
NO_SPREAD = 1e-12
"""A spread under this share of the largest, or of the values themselves, is rounding: double
precision keeps 2e-16 of a value, and sums over some thousand cells lose up to four digits."""


def varying(rows: np.ndarray, residuals: np.ndarray) -> np.ndarray:
    """Features that vary by more than rounding, shape (d,), bool.

    Args:
        rows: Shape (n, d), as they were given.
        residuals: Shape (n, d), less a mean each.
    """
    widths = spread(residuals)
    values = np.abs(rows).max(axis=0, initial=0.0)
    return widths > NO_SPREAD * np.maximum(widths.max(initial=0.0), values)


def different_rows(rows: np.ndarray, targets: np.ndarray) -> int:
    """How many different rows the classes hold, each class counted by itself.

    Rows are compared by one weighted sum of their features, which is the same for equal rows and,
    as good as always, another for others: a product of matrices rounds copies differently.

    Args:
        rows: Shape (n, d).
        targets: Shape (n,).
    """
    scale = spread(rows - rows.mean(axis=0))
    weights = np.random.default_rng(0).uniform(1, 2, rows.shape[1])
    sums = (rows / np.where(scale > 0, scale, 1.0)) @ weights
    least = NO_SPREAD * np.abs(sums).max(initial=0.0)
    return sum(
        1 + int((np.diff(np.sort(sums[targets == column])) > least).sum())
        for column in np.unique(targets)
    )


def cells_of_each(targets: np.ndarray, names: np.ndarray) -> np.ndarray:
    """How many different cells each class has, shape (classes present,).

    Args:
        targets: Shape (n,), class of each row.
        names: Shape (n,); rows of one cell (or patient, or photograph) share one.
    """
    return np.array([len(np.unique(names[targets == column])) for column in np.unique(targets)])


def checked_spread(rows: np.ndarray, residuals: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Features that vary within the classes, shape (d,), bool.

    Args:
        rows: Shape (n, d).
        residuals: The same less the mean of each row's class.
        targets: Class of each row, shape (n,).

    Raises:
        NotEstimableError: No feature varies, or too few rows differ.
    """
    kept = varying(rows, residuals)
    if not kept.any():
        raise NotEstimableError(
            f"a covariance is not estimable: none of {len(kept)} features varies within its class"
        )
    n_classes = len(np.unique(targets))
    found, least = different_rows(rows[:, kept], targets), n_classes + MIN_ROWS - 1
    if found < least:
        raise NotEstimableError(
            f"a covariance of {counted(n_classes, 'class', 'classes')} is not estimable from "
            f"{counted(found, 'different row')}; expected at least {least}. Add cells "
            "that are no copies of each other"
        )
    return kept


def spread(residuals: np.ndarray) -> np.ndarray:
    """Root mean square of each column, shape (d,)."""
    return np.sqrt(np.mean(residuals**2, axis=0))
