"""The record of all figures on a split."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score

from buffycoat.errors import ShapeError, TaxonomyError
from buffycoat.evaluate.summary import NOT_ESTIMABLE, evaluate
from buffycoat.taxonomy import PBC

COUNTS = dict(zip(PBC.codes, (946, 600, 230, 160, 70, 40, 36, 32, 14, 10), strict=True))


@pytest.fixture
def split():
    rng = np.random.default_rng(1)
    targets = np.repeat(np.arange(10), 20)
    logits = rng.normal(size=(200, 10))
    logits[np.arange(200), targets] += 2.5
    probs = np.exp(logits)
    return probs / probs.sum(axis=1, keepdims=True), targets


def test_summary_is_plain_json_and_agrees_with_scikit_learn(split):
    probs, targets = split
    severity = np.arange(200) % 5
    record = evaluate(probs, targets, PBC, COUNTS, severity)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    want = f1_score(targets, probs.argmax(axis=1), average="macro")
    assert record["macro_f1"]["estimate"] == pytest.approx(want)
    assert record["balanced_macro_f1"]["estimate"] == pytest.approx(want)
    assert record["macro_f1"]["low"] < want < record["macro_f1"]["high"]
    assert (record["n"], record["level"], record["n_patients"]) == (200, "image-level", None)
    assert record["absent"] == []
    assert record["prior_weighted_macro_f1"]["estimate"] < 1
    assert [row["n"] for row in record["by_severity"]] == [40] * 5
    assert [row["band"] for row in record["by_band"]] == ["head", "medium", "tail"]
    assert sum(row["n"] for row in record["by_band"]) == 200
    assert 0 < record["calibration"]["ece"] < 1
    assert np.array(record["confusion"]).sum() == 200


def test_codes_and_indices_and_probabilities_give_the_same(split):
    probs, targets = split
    of_probs = evaluate(probs, targets, PBC)
    of_indices = evaluate(probs.argmax(axis=1), targets, PBC)
    codes = [PBC.codes[i] for i in probs.argmax(axis=1)]
    of_codes = evaluate(codes, pd.Series([PBC.codes[i] for i in targets], dtype="string"), PBC)
    assert of_indices == of_codes
    assert of_indices["calibration"] is None
    assert of_probs | {"calibration": None, "average_precision": None} == of_indices


def test_final_labels_override_the_top_class(split):
    probs, targets = split
    record = evaluate(probs, targets, PBC, labels=[PBC.codes[i] for i in targets])
    assert record["macro_f1"]["estimate"] == 1
    assert record["calibration"] == evaluate(probs, targets, PBC)["calibration"]


def test_small_classes_are_not_estimable_and_absent_ones_are_named():
    targets = np.repeat([0, 1, 2, 3], [30, 30, 4, 5])
    predicted = targets.copy()
    predicted[::7] = 0
    record = evaluate(predicted, targets, PBC)
    rows = {row["code"]: row for row in record["per_class"]}
    assert rows["MO"]["support"] == 4
    assert rows["MO"]["f1"] == rows["MO"]["f1_interval"] == NOT_ESTIMABLE
    assert isinstance(rows["EO"]["f1"], float)
    assert rows["PMY"]["support"] == 0
    assert record["absent"] == list(PBC.codes[4:])
    want = f1_score(targets, predicted, average="macro")
    assert record["macro_f1"]["estimate"] == pytest.approx(want)


def test_macro_f1_is_given_with_and_without_classes_of_few_cells():
    targets = np.repeat([0, 1, 2], [30, 30, 4])
    predicted = targets.copy()
    predicted[::6] = 0
    record = evaluate(predicted, targets, PBC)
    of = f1_score(targets, predicted, average=None)
    assert record["macro_f1"]["estimate"] == pytest.approx(of.mean())
    assert record["macro_f1_estimable"]["estimate"] == pytest.approx(of[:2].mean())
    assert record["not_estimable"] == {"MO": "4 cells, at least 5 are needed"}
    only_few = evaluate(predicted[:4], targets[:4], PBC)
    assert only_few["macro_f1_estimable"] == NOT_ESTIMABLE


def test_predictive_values_are_at_the_training_mix_or_at_the_one_stated(split):
    probs, targets = split
    total = sum(COUNTS.values())
    row = evaluate(probs, targets, PBC, COUNTS)["per_class"][-1]
    assert row["prevalence"] == pytest.approx(10 / total)
    even = {code: 0.1 for code in PBC.codes}
    row = evaluate(probs, targets, PBC, COUNTS, prevalence=even)["per_class"][-1]
    assert row["ppv_at_prevalence"] == pytest.approx(row["precision"])  # the split is even
    assert "prevalence" not in evaluate(probs, targets, PBC)["per_class"][-1]


def test_average_precision_and_calibration_of_each_class(split):
    probs, targets = split
    record = evaluate(probs, targets, PBC)
    found = record["average_precision"]["MY"]
    want = average_precision_score(targets == 5, probs[:, 5])
    assert found["estimate"] == pytest.approx(want)
    assert found["low"] < want < found["high"]
    parts = record["calibration"]["brier_parts"]
    assert parts["score"] == record["calibration"]["brier"]
    of_class = record["calibration"]["ece_of_class"]
    assert record["calibration"]["classwise_ece"] == pytest.approx(np.mean([*of_class.values()]))


def test_severities_name_classes_of_few_cells(split):
    probs, targets = split
    severity = np.where(np.arange(200) % 20 < 4, 1, 0)
    of_one = evaluate(probs, targets, PBC, severity=severity)["by_severity"]
    assert [row["few"] for row in of_one] == [[], list(PBC.codes)]


def test_a_class_without_an_error_has_limits():
    targets = np.repeat([0, 1], 10)
    row = evaluate(targets, targets, PBC)["per_class"][0]
    assert row["f1"] == 1
    assert 0.8 < row["f1_interval"]["low"] < row["f1_interval"]["high"] == 1


def test_level_follows_the_patients(split):
    probs, targets = split
    patients = [f"p{i % 12}" for i in range(200)]
    record = evaluate(probs, targets, PBC, COUNTS, patients=patients)
    assert (record["level"], record["n_patients"]) == ("patient-level", 12)
    assert record["prior_weighted_macro_f1"]["unit"] == "patient-level"
    patients[3] = None
    assert evaluate(probs, targets, PBC, patients=patients)["level"] == "image-level"


def test_unknown_severity_has_its_own_row(split):
    probs, targets = split
    severity = pd.Series([0] * 150 + [pd.NA] * 50, dtype="Int64")
    rows = evaluate(probs, targets, PBC, severity=severity)["by_severity"]
    assert {row["severity"]: row["n"] for row in rows} == {"unknown": 50, 0.0: 150}
    assert rows[-1]["severity"] == "unknown"


def test_bad_input_is_refused(split):
    probs, targets = split
    with pytest.raises(ShapeError, match="10 columns"):
        evaluate(probs[:, :9], targets, PBC)
    with pytest.raises(ShapeError, match="severity"):
        evaluate(probs, targets, PBC, severity=[0, 1])
    with pytest.raises(TaxonomyError, match="'PLY'"):
        evaluate(probs, ["PLY"] * 200, PBC)
    with pytest.raises(ShapeError, match="at least one cell"):
        evaluate(np.empty(0, dtype=int), np.empty(0, dtype=int), PBC)


def test_training_counts_of_an_unknown_class_are_refused():
    """Left out, their share would silently go to the other classes."""
    targets = np.repeat([0, 1], 8)
    with pytest.raises(TaxonomyError, match="train_counts: BL are not in taxonomy 'pbc'"):
        evaluate(targets, targets, PBC, {"SNE": 10, "LY": 5, "BL": 3})
    counts = {"SNE": 10, "LY": 5}
    assert evaluate(targets, targets, PBC, counts | {"BL": 0}) == evaluate(
        targets, targets, PBC, counts
    )


def test_draws_without_a_class_do_not_count_it_as_missed() -> None:
    """Nobody errs, and every third draw of patients lacks the class that one patient has."""
    targets = np.concatenate([np.tile(np.arange(9), 40), np.full(5, 9)])
    patients = np.concatenate([np.repeat(np.arange(40), 9), np.zeros(5, int)])
    record = evaluate(targets, targets, PBC, COUNTS, patients=patients)
    assert record["level"] == "patient-level"
    found = [record["macro_f1_estimable"], *(row["macro_f1"] for row in record["by_band"])]
    assert [(of["estimate"], of["low"]) for of in found] == [(1, None)] * 4


def test_too_few_patients_give_image_level_intervals(split) -> None:
    probs, targets = split
    record = evaluate(probs, targets, PBC, patients=np.arange(200) % 4)
    assert record == evaluate(probs, targets, PBC)


@pytest.mark.parametrize("is_right", [True, False])
@pytest.mark.parametrize("patients", [None, np.arange(30) % 6])
def test_what_one_class_alone_cannot_say_is_not_estimable(is_right, patients) -> None:
    targets = np.full(30, 2)
    calls = np.where(np.arange(30) < (30 if is_right else 20), 2, 5)
    record = evaluate(np.eye(10)[calls], targets, PBC, patients=patients)
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["macro_specificity"] == NOT_ESTIMABLE  # no cell of another class
    assert record["average_precision"][PBC.codes[2]] == NOT_ESTIMABLE
    assert record["per_class"][2]["specificity"] == NOT_ESTIMABLE
    assert record["accuracy"]["estimate"] == (1 if is_right else pytest.approx(2 / 3))
    assert record["per_class"][2]["sensitivity"] == record["accuracy"]["estimate"]
    both = evaluate(np.eye(10)[calls], np.where(np.arange(30) < 25, 2, 5), PBC)
    assert both["macro_specificity"]["estimate"] > 0
