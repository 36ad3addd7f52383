"""The sentences that open a report say what the figures say."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.evaluate.summary import evaluate
from buffycoat.report import wording
from buffycoat.taxonomy import PBC


def test_numbers_words_and_gaps():
    assert wording.number(0.12345) == "0.123"
    assert wording.number("not estimable") == "not estimable"
    assert wording.number(None) == "–"
    assert wording.ends({"low": 0.1, "high": 0.25}, 2) == "0.10 to 0.25"
    assert wording.ends("not estimable") == "not estimable"
    assert [wording.signed(x, 2) for x in (0.014, -0.02)] == ["+0.01", "−0.02"]


def test_sentences_name_the_weakest_class_and_the_commonest_confusion():
    targets = np.repeat([0, 1, 2], [40, 40, 10])
    predicted = targets.copy()
    predicted[-6:] = 1
    text = " ".join(wording.sentences("eval", evaluate(predicted, targets, PBC)))
    assert "Of 100 cells of each class in eval (90 cells in all), 80.0 are called right" in text
    assert "image-level" in text
    assert "lowest F1 are monocyte (MO, 0.57)" in text
    assert "MO called LY (6 of 10)" in text
    assert "not scored: EO, BNE" in text
    assert "training set's class shares" not in text


def test_sentences_tell_patients_from_images_and_own_up_to_an_estimate_outside():
    targets = np.repeat([0, 9], 40)
    patients = np.arange(80) % 8
    record = evaluate(targets, targets, PBC, {"SNE": 950, "PMY": 10}, patients=patients)
    text = " ".join(wording.sentences("eval", record))
    assert "patient-level: 8 patients were resampled" in text
    assert "No cell was called a wrong class." in text
    assert wording.is_outside(record["prior_weighted_macro_f1"])
    assert "lies outside its interval" in text


@pytest.mark.parametrize("interval", [None, {"estimate": 0.5, "low": 0.5, "high": 0.6}])
def test_inside_is_not_outside(interval):
    assert not wording.is_outside(interval)
