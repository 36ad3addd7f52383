"""What must be computed for the columns that were asked for: nothing else is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from buffycoat.bundle.fitted import Fitted

_OUTLIER = {"outlier_score", "outlier_percentile"}
_DOUBT = {"is_abstained", "reasons"}
_RESTORATION = {"is_restored", "restore_reason", "restore_change"}
_SEVERITY = {"severity", "degradation"}


@dataclass(frozen=True)
class Needs:
    """Stages that a column or the label rests on, beside the classifier.

    Attributes:
        severity: How degraded every cell is.
        restoration: Restore what is degraded, and ask the gate.
        outlines: Masks of every cell.
        features: Morphology of every cell.
        outliers: How strange every cell is.
    """

    severity: bool = True
    restoration: bool = True
    outlines: bool = True
    features: bool = True
    outliers: bool = True


EVERYTHING = Needs()


def needs_of(columns: Collection[str], fitted: Fitted) -> Needs:
    """What a table with these columns takes.

    Labels and probabilities take restoration where the bundle's classifier or its second opinions
    see the restored image. What a rescue rule measures is measured of the cells that it may change,
    whatever is asked for here.

    Args:
        columns: Names as in `rows.prediction_columns`.
        fitted: What the bundle holds.
    """
    asked = {*columns}
    has_evidence = "evidence" in asked
    outlines = has_evidence or bool(asked & _DOUBT)
    is_seen = fitted.use != "original" or bool(fitted.panels)
    restoration = outlines or is_seen or bool(asked & _RESTORATION)
    return Needs(
        severity=restoration or bool(asked & _SEVERITY),
        restoration=restoration,
        outlines=outlines,
        features=has_evidence,
        # of the classifier's own logits the score costs nothing, and says whom to doubt
        outliers=fitted.outliers.sees_logits or has_evidence or bool(asked & (_OUTLIER | _DOUBT)),
    )
