"""What labels gain at a site, and when that is too little."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.errors import NotEstimableError
from buffycoat.evaluate.interval import Interval
from buffycoat.evaluate.metrics import balanced_accuracy
from buffycoat.evaluate.paired import paired_interval
from buffycoat.learn.site_labels import SiteLabels

LEAST = -0.1
"""Lower end of the gain's interval under which what was learned is left out: of fifty cells even a
gain of 0.1 does not keep clear of 0."""


class NoGainError(NotEstimableError):
    """An adapted bundle is right on fewer labelled cells than the bundle that it was made from."""


@dataclass(frozen=True)
class Trial:
    """Shares of the labelled cells that are predicted right, each label alike.

    Attributes:
        before: By the bundle as it was.
        adapted: After the steps that need no label.
        taught: After learning from the labels, by a cross-fit.
        gain: Of `taught` over `adapted`, paired.
        total: Over `before`, of `taught` if it is kept, else of `adapted`; paired.
    """

    before: float
    adapted: float
    taught: float
    gain: Interval
    total: Interval

    @classmethod
    def of(
        cls, labels: SiteLabels, before: np.ndarray, adapted: np.ndarray, taught: np.ndarray
    ) -> Trial:
        """Of predicted columns, shape (m,) each."""
        gain = _paired(labels, adapted, taught)
        chosen = taught if is_gain(gain) else adapted
        return cls(
            share_right(labels, before),
            share_right(labels, adapted),
            share_right(labels, taught),
            gain,
            _paired(labels, before, chosen),
        )

    @property
    def is_kept(self) -> bool:
        """Whether what was learned is kept."""
        return is_gain(self.gain)

    def refuse_loss(self, labels: SiteLabels) -> None:
        """Refuse a bundle that is right on fewer cells than the old one.

        Args:
            labels: That it was tried on.

        Raises:
            NoGainError: It is.
        """
        if self.total.estimate >= 0:
            return
        new = self.taught if self.is_kept else self.adapted
        raise NoGainError(
            f"no gain: of the labelled cells the bundle is right on {self.before:.3f} as it is and "
            f"on {new:.3f} adapted, each type alike (difference {self.total.in_words('+.3f')}). "
            f"Nothing was written. {labels.few_words()}Predict with the bundle as it is, check the "
            "labels, or label more"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "right_before": self.before,
            "right_without_labels": self.adapted,
            "right_with_labels": self.taught,
            "gain_over_without_labels": self.gain.to_dict(),
            "gain_over_before": self.total.to_dict(),
            "is_last_stage_taught": self.is_kept,
        }

    def sentences(self) -> tuple[str, ...]:
        """The same for a reader."""
        verdict = (
            "What the last stage of each model learned from the labels is kept"
            if self.is_kept
            else "What the last stage learned from the labels is left out, since it may be a loss"
        )
        return (
            f"Right on the labelled cells, each type alike: {self.before:.3f} by the bundle as it "
            f"was, {self.adapted:.3f} adapted without labels, {self.taught:.3f} after learning "
            "from them (cross-fitted: every cell scored by models that did not learn from it).",
            f"{verdict}: gain {self.gain.in_words('+.3f')} over the steps without labels, "
            f"{self.total.in_words('+.3f')} in all over the bundle as it was, image-level.",
        )


def is_gain(gain: Interval) -> bool:
    """Whether a gain is worth having."""
    return gain.estimate > 0 and gain.is_from(LEAST)


def share_right(labels: SiteLabels, columns: np.ndarray) -> float:
    """Share of predicted columns (m,) that the labels allow, each label alike."""
    is_right = labels.allowed[np.arange(len(columns)), columns]
    return float(np.mean([is_right[labels.types == t].mean() for t in np.unique(labels.types)]))


def _paired(labels: SiteLabels, a: np.ndarray, b: np.ndarray) -> Interval:
    n_types = len(labels.of_types)
    first, second = (_as_types(labels, columns) for columns in (a, b))
    return paired_interval(labels.types, first, second, balanced_accuracy, k=n_types + 1)


def _as_types(labels: SiteLabels, columns: np.ndarray) -> np.ndarray:
    """The cell's own label where the predicted class agrees with it, else another, shape (m,)."""
    is_right = labels.allowed[np.arange(len(columns)), columns]
    return np.where(is_right, labels.types, len(labels.of_types))
