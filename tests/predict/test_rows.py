"""Predictions as rows of a table."""

from __future__ import annotations

import json

import pytest

from buffycoat.cells import Evidence, Prediction
from buffycoat.predict.rows import predictions_frame
from buffycoat.taxonomy import PBC


def _prediction(cell_id: str) -> Prediction:
    return Prediction(
        cell_id=cell_id,
        label="LY",
        probability=0.6,
        probs=(0.1, 0.6, *[0.0375] * 8),
        entropy=1.2,
        views=16,
        conformal_set=("LY", "MO"),
        severity=0.4,
        degradation=("noise", "light"),
        is_restored=False,
        restore_reason="clean",
        restore_change={"hue_shift": 1.5},
        outlier_score=3.0,
        outlier_percentile=40.0,
        site_shift=float("nan"),
        is_rescued=False,
        is_moved=False,
        is_abstained=True,
        evidence=(
            Evidence("refine", "unusual_feature", "spikiness 1.52 > 1.31", 1.52, 1.31),
            Evidence("classify", "low_probability", "top probability 0.60 < 0.70", 0.6, 0.7),
            Evidence("segment", "no_cell", "no cell found"),
        ),
    )


def test_predictions_become_one_row_a_cell() -> None:
    frame = predictions_frame([_prediction("a"), _prediction("b")], PBC)
    assert frame["cell_id"].tolist() == ["a", "b"]
    assert frame.loc[0, [f"prob_{code}" for code in PBC.codes]].sum() == pytest.approx(1)
    assert frame.loc[0, "prob_LY"] == 0.6
    assert frame.loc[0, "conformal_set"] == "LY MO"
    first = json.loads(frame.loc[0, "evidence"])[0]
    assert (first["code"], first["limit"]) == ("unusual_feature", 1.31)
    assert frame.loc[0, "reasons"] == "low_probability no_cell"
    assert frame.loc[0, "degradation"] == "noise+light"
    assert json.loads(frame.loc[0, "restore_change"]) == {"hue_shift": 1.5}
    assert list(predictions_frame([], PBC)) == list(frame)


def test_probabilities_must_fit_the_taxonomy() -> None:
    short = Prediction(**{**vars(_prediction("a")), "probs": (0.5, 0.5)})
    with pytest.raises(ValueError, match="zip"):
        predictions_frame([short], PBC)
