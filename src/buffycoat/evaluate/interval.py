"""A score with its interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Metric = Callable[[Array], Array]
"""Confusions, shape (..., k, k), to scores."""

IMAGE_LEVEL = "image-level"
PATIENT_LEVEL = "patient-level"


@dataclass(frozen=True)
class Interval:
    """A score with its interval.

    Attributes:
        estimate: The score of the data as they are.
        low: Lower end.
        high: Upper end.
        level: Probability mass between the ends.
        unit: "image-level" or "patient-level": what counts as one independent observation.
        n: Cells.
        n_groups: Patients; None at image level.
        method: How the interval was made, in words.
    """

    estimate: float
    low: float
    high: float
    level: float
    unit: str
    n: int
    n_groups: int | None
    method: str

    def to_dict(self) -> dict[str, float | int | str | None]:
        """The fields as plain values for JSON."""
        return asdict(self)
