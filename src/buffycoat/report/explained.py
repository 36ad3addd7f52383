"""What `explain` shows of one cell: plain records, which the figure reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.refine.features import with_unit

SHOWN_FEATURES = 14


@dataclass(frozen=True)
class StepRow:
    """What one stage says.

    Attributes:
        stage: Its name.
        probs: Probability of each leading class.
    """

    stage: str
    probs: tuple[float, ...]


@dataclass(frozen=True)
class FeatureRow:
    """One measured feature.

    Attributes:
        name: As in `refine.features`.
        unit: Its unit; "1" for a plain number.
        value: NaN where it could not be measured.
        percentiles: Where the value lies among the training cells of each leading class, 1-99; NaN
            where too few of them could be measured.
    """

    name: str
    unit: str
    value: float
    percentiles: tuple[float, ...]

    @property
    def words(self) -> str:
        """The name as it is read; the unit stands beside the value."""
        return self.name.removesuffix("_px").replace("_", " ")

    @property
    def measured(self) -> str:
        """The value and its unit, such as "2 lobes" and "1 lobe"."""
        return with_unit(self.value, self.unit)

    @property
    def spread(self) -> float:
        """How far apart the two leading classes place the cell; -1 where one of them does not."""
        first, *others = self.percentiles
        spread = abs(first - others[0]) if others else float("nan")
        return spread if np.isfinite(spread) else -1.0


@dataclass(frozen=True)
class Likeness:
    """A training cell that looks like the cell.

    Attributes:
        cell_id: Its name in the training data.
        label: Its class.
        distance: 1 less the cosine of the two embeddings, 0 for the same picture.
        image: Shape (h, w, 3), uint8; None where its picture is not at hand.
    """

    cell_id: str
    label: str
    distance: float
    image: np.ndarray | None = None


@dataclass(frozen=True)
class Explanation:
    """All that the figure shows.

    Attributes:
        name: Of the cell.
        verdict: In a sentence or two.
        image: What the stages saw, shape (h, w, 3), uint8.
        cell_mask: Shape (h, w), bool.
        nucleus_mask: Shape (h, w), bool.
        leading: Codes of the classes that the cell is compared with, the given label first.
        steps: One a stage.
        features: All that were measured; those that tell the leading classes apart are shown.
        like: Training cells, nearest first.
        reasons: The evidence, in words.
    """

    name: str
    verdict: str
    image: np.ndarray
    cell_mask: np.ndarray
    nucleus_mask: np.ndarray
    leading: tuple[str, ...]
    steps: tuple[StepRow, ...]
    features: tuple[FeatureRow, ...]
    like: tuple[Likeness, ...]
    reasons: tuple[str, ...]


def chosen_features(features: Sequence[FeatureRow]) -> list[FeatureRow]:
    """Those that place the cell the most differently in the two leading classes, the widest first.

    Measured ones alone; where the two have no percentiles, the first ones in order.
    """
    measured = [row for row in features if np.isfinite(row.value)]
    return sorted(measured, key=lambda row: -row.spread)[:SHOWN_FEATURES]
