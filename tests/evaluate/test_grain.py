"""Scores at the grain that labels have."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import TaxonomyError
from buffycoat.evaluate.grain import common_grain, group_scores, relabelled, restated
from buffycoat.evaluate.summary import evaluate
from buffycoat.taxonomy import PBC

FINE = ["SNE"] * 6 + ["BNE"] * 6 + ["LY"] * 8
CALLED = ["SNE"] * 5 + ["BNE"] + ["BNE"] * 4 + ["SNE", "LY"] + ["LY"] * 7 + ["SNE"]
COARSE = ["NE"] * 10
CALLED_COARSE = ["SNE"] * 5 + ["BNE"] * 3 + ["LY", "MMY"]


def test_a_class_of_the_group_is_right_for_a_coarse_label() -> None:
    """Against a count by hand."""
    scored = evaluate(CALLED + CALLED_COARSE, FINE + COARSE, PBC)
    (row,) = scored["by_group"]
    assert (row["code"], row["members"]) == ("NE", ["SNE", "BNE"])
    assert (row["n"], row["n_fine"], row["n_coarse"], row["support"]) == (30, 12, 10, 22)
    assert row["sensitivity"] == pytest.approx((11 + 8) / 22)
    assert row["precision"] == pytest.approx((11 + 8) / (11 + 8 + 1))
    right = scored["right_at_grain"]
    assert right["estimate"] == pytest.approx((5 + 4 + 7 + 8) / 30)
    assert right["low"] <= right["estimate"] <= right["high"]


def test_all_else_is_scored_on_the_cells_whose_class_is_known() -> None:
    both = evaluate(CALLED + CALLED_COARSE, FINE + COARSE, PBC, severity=[1] * 15 + [2] * 15)
    alone = evaluate(CALLED, FINE, PBC, severity=[1] * 15 + [2] * 5)
    assert both["n"] == 20
    for name in alone.keys() - {"by_group", "right_at_grain"}:
        assert both[name] == alone[name], name
    assert alone["by_group"] == []


def test_probabilities_labels_and_patients_follow_their_cells() -> None:
    codes = CALLED_COARSE + CALLED
    truth = COARSE + FINE
    probs = np.eye(len(PBC))[PBC.encode(codes)]
    patients = [f"p{row % 6}" for row in range(30)]
    both = evaluate(probs, truth, PBC, labels=PBC.encode(codes), patients=patients)
    alone = evaluate(probs[10:], FINE, PBC, labels=CALLED, patients=patients[10:])
    assert both["macro_f1"] == alone["macro_f1"]
    assert both["calibration"] == alone["calibration"]
    assert both["by_group"][0]["n_patients"] == 6


def test_a_cell_that_may_or_may_not_be_of_a_group_is_left_out_of_it() -> None:
    from dataclasses import replace

    from buffycoat.taxonomy import CellGroup

    wide = CellGroup("GRAN", "granulocyte", ("SNE", "BNE", "EO", "BA"))
    taxonomy = replace(PBC, groups=(*PBC.groups, wide))
    truth = ["NE", "GRAN", "SNE", "LY", "EO"]
    called = taxonomy.encode(["SNE", "LY", "BNE", "LY", "EO"])
    rows = {row["code"]: row for row in group_scores(truth, called, taxonomy)}
    assert (rows["NE"]["n"], rows["NE"]["n_coarse"], rows["NE"]["support"]) == (4, 1, 2)
    assert (rows["GRAN"]["n"], rows["GRAN"]["n_coarse"], rows["GRAN"]["support"]) == (5, 2, 4)


def test_training_cells_of_a_group_weigh_as_the_classes_they_are_expected_to_be_of() -> None:
    stated = {"SNE": 30, "BNE": 10, "LY": 100, "NE": 60}
    shared = {"SNE": 75, "BNE": 25, "LY": 100}
    by_stated, by_shared = (evaluate(CALLED, FINE, PBC, counts) for counts in (stated, shared))
    assert by_stated["prior_weighted_macro_f1"] == by_shared["prior_weighted_macro_f1"]
    assert by_stated["by_band"] == by_shared["by_band"]
    of_class = {row["code"]: row["n_train"] for row in by_stated["per_class"]}
    assert (of_class["SNE"], of_class["BNE"]) == (30, 10)


def test_only_coarse_labels_are_refused_with_what_to_do() -> None:
    with pytest.raises(TaxonomyError, match="coarser than a class"):
        evaluate(CALLED_COARSE, COARSE, PBC)


def test_predictions_and_truth_meet_at_the_coarser_grain() -> None:
    five = ["NE", "LY", "EO"]
    # A five-class truth: finer predictions are taken at its grain.
    assert common_grain(PBC, PBC.codes, five).codes[:2] == ("NE", "LY")
    # Coarse predictions: a finer truth is taken at theirs.
    coarse = common_grain(PBC, five, ["SNE", "BNE", "LY"])
    assert relabelled(["SNE", "BNE", "LY", "NE"], coarse) == ["NE", "NE", "LY", "NE"]
    assert restated({"SNE": 3, "BNE": 4, "LY": 1}, coarse) == {"NE": 7, "LY": 1}
    # Both grains in the truth: the classes stay.
    assert common_grain(PBC, PBC.codes, ["SNE", "NE", "LY"]) == PBC
