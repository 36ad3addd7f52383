"""The sentences that open a report say what the figures say."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.evaluate.summary import evaluate
from buffycoat.report import wording
from buffycoat.report.card_figures import figures
from buffycoat.report.score_rows import spread
from buffycoat.taxonomy import PBC


def test_numbers_words_and_gaps():
    assert wording.number(0.12345) == "0.123"
    assert wording.number("not estimable") == "not estimable"
    assert wording.number(None) == "–"
    assert wording.ends({"low": 0.1, "high": 0.25}, 2) == "0.10 to 0.25"
    assert wording.ends({"low": 0.99951, "high": 0.99999}) == "0.999 to 1.000"
    assert wording.ends({"low": -0.0001, "high": 0.0002}, 3, wording.signed) == "−0.001 to +0.001"
    assert wording.ends("not estimable") == "not estimable"
    assert wording.shortened("segmented neutrophil", 8) == "segm…phil"
    assert wording.shortened("band", 8) == "band"
    assert [wording.signed(x, 2) for x in (0.014, -0.02)] == ["+0.01", "−0.02"]


def test_sentences_name_the_weakest_class_and_the_commonest_confusion():
    targets = np.repeat([0, 1, 2], [40, 40, 10])
    predicted = targets.copy()
    predicted[-6:] = 1
    text = " ".join(wording.sentences("eval", evaluate(predicted, targets, PBC)))
    assert (
        "Of 100 cells of each class in eval (90 cells in all), 80.0 are classified correctly"
        in text
    )
    assert "image-level" in text
    assert "lowest F1 are monocyte (MO, 0.57)" in text
    assert "MO as LY (6 of 10)" in text
    assert "not scored: EO, BNE" in text
    assert "class frequencies of the training set" not in text
    verdict = wording.verdict("eval", evaluate(predicted, targets, PBC), 90, 9)
    assert verdict.startswith("80 of 100 cells of each class in eval are classified correctly (95")
    assert "weakest: monocyte (F1 0.57); 9 of 90 cells (10\N{NO-BREAK SPACE}%) are dou" in verdict
    alone = wording.verdict("eval", evaluate(predicted, targets, PBC), 0, 0)
    assert "doubtful" not in alone


def test_sentences_tell_patients_from_images():
    targets = np.repeat([0, 9], 40)
    patients = np.arange(80) % 8
    record = evaluate(targets, targets, PBC, {"SNE": 950, "PMY": 10}, patients=patients)
    text = " ".join(wording.sentences("eval", record))
    assert "patient-level: 8 patients were resampled" in text
    assert "No cell was misclassified." in text
    assert "100.0 are classified correctly (no interval)" in text
    assert "macro-F1 is estimated at 1.000 (no interval)" in text


@pytest.mark.parametrize(
    "interval",
    [
        None,
        "not estimable",
        {"estimate": 0.912, "low": 0.501, "high": 0.625},
        {"estimate": 1.0, "low": 1.0, "high": 1.0},
        {"estimate": 1.0, "low": None, "high": None},
    ],
    ids=["none", "words", "beside its estimate", "no width", "no ends"],
)
def test_what_an_older_file_holds_that_is_no_interval_is_not_shown(interval):
    assert wording.interval_ends(interval) is None
    assert " to " not in wording.ends(interval)
    row = spread("value", 0.9, interval)
    assert row["value_low"] is row["value_high"] is None


def test_no_sentence_or_card_shows_an_interval_that_excludes_its_number():
    """A report made again from a run of an earlier version."""
    targets = np.repeat([0, 9], 40)
    record = evaluate(targets, targets, PBC, {"SNE": 950, "PMY": 10})
    record["prior_weighted_macro_f1"] |= {"estimate": 0.912, "low": 0.501, "high": 0.625}
    shown = " ".join(wording.sentences("eval", record)) + figures("eval", record)
    assert "0.912 (no interval)" in shown
    assert "0.501" not in shown
