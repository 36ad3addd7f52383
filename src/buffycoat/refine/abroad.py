"""Limits for cells of a laboratory that training has not seen: stricter than those at home.

Probabilities, prediction sets and the score of strangeness are calibrated on the training's own
laboratory. Elsewhere a classifier is wrong more often and hardly less sure. So cells of a site that
looks otherwise, or that a bundle was adapted to without a label, are kept only by limits that were
fitted on laboratories that the models had not seen either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from buffycoat.cells import Evidence
from buffycoat.errors import BundleError
from buffycoat.refine.conformal import Conformal
from buffycoat.sites.shift import Shift
from buffycoat.statistics import apart

NOTHING_KEPT = 2.0
"""A limit over every probability, for where none keeps the promise."""


@dataclass(frozen=True, eq=False)
class AbroadLimits:
    """Limits for cells of a laboratory that training has not seen.

    Attributes:
        temperature: Log-probabilities under a uniform prior are divided by it; at least 1.
        abstain_below: Probability of the label, so flattened, under which a person should look;
            `NOTHING_KEPT` where no limit kept the promise.
        outlier_percentile: Strangeness from which a person should look, in percent of the training
            cells.
        conformal: Limits of prediction sets, on flattened probabilities.
        record: On what they were fitted and what they kept there, plain values for a reader.
    """

    temperature: float
    abstain_below: float
    outlier_percentile: float
    conformal: Conformal
    record: Mapping[str, Any]

    def words(self) -> str:
        """What they kept on laboratories that they were not fitted on, in a sentence."""
        record = self.record
        text = (
            f"On {record['laboratories']} simulated laboratories {record['kept']:.0%} of the cells"
        )
        text += " needed no look"
        if record["right"] is not None:
            text += f" and {record['right']:.0%} of these were right"
        return f"{text}; prediction sets held the truth for {record['covered']:.0%} of all cells."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            "temperature": self.temperature,
            "abstain_below": self.abstain_below,
            "outlier_percentile": self.outlier_percentile,
            "conformal": self.conformal.to_dict(),
            "record": dict(self.record),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The limits that `to_dict` wrote.

        Raises:
            BundleError: Some are missing.
        """
        try:
            return cls(
                float(values["temperature"]),
                float(values["abstain_below"]),
                float(values["outlier_percentile"]),
                Conformal.from_dict(values["conformal"]),
                values["record"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"limits for other laboratories are incomplete ({error}); train again"
            ) from error


def doubt(prob: float, shift: Shift | None, limits: AbroadLimits | None) -> Evidence | None:
    """Why a cell of a laboratory that training has not seen is not kept; None if it is.

    Args:
        prob: Probability of its label, flattened, under the mix that the limits were fitted for.
        shift: How its site compares with the training cells, if that is known.
        limits: None where the bundle has none: then no cell is kept.
    """
    differs = shift.words() if shift is not None else ""
    where = differs or "adapted to this laboratory without labels"
    if limits is None:
        text = f"{where}; this bundle has no limits for a laboratory that training has not seen"
        return Evidence("refine", "unfamiliar_site", text)
    if prob >= limits.abstain_below:
        return None
    if limits.abstain_below >= NOTHING_KEPT:
        text = f"{where}; no probability of this bundle is to be trusted in another laboratory"
        return Evidence("refine", "unfamiliar_site", text, prob)
    shown, least = apart(prob, limits.abstain_below, 2)
    text = (
        f"{where}: top probability {shown} < {least}, the limit in a laboratory that training has "
        "not seen"
    )
    return Evidence("refine", "unfamiliar_site", text, prob, limits.abstain_below)
