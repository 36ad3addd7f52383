"""Gaussian classes and distances to them; quantiles; numbers beside their limits.

The room's names are gathered here, as other rooms use some of them.
"""

from buffycoat.statistics.cholesky import JITTERS, JitterWarning, cholesky_with_jitter
from buffycoat.statistics.classes import ClassStatistics
from buffycoat.statistics.distances import mahalanobis, relative_mahalanobis
from buffycoat.statistics.quantiles import quantile
from buffycoat.statistics.spread import MIN_ROWS, NO_SPREAD, cells_of_each, different_rows, varying
from buffycoat.statistics.words import apart

__all__ = [
    "JITTERS",
    "MIN_ROWS",
    "NO_SPREAD",
    "ClassStatistics",
    "JitterWarning",
    "apart",
    "cells_of_each",
    "cholesky_with_jitter",
    "different_rows",
    "mahalanobis",
    "quantile",
    "relative_mahalanobis",
    "varying",
]
