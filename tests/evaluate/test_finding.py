"""Matching of found boxes to true ones, against the rules said in words."""

from __future__ import annotations

import numpy as np
import pytest

from buffycoat.errors import ShapeError
from buffycoat.evaluate import finding


def test_each_box_matches_once() -> None:
    true = np.array([[0, 0, 10, 10], [100, 100, 10, 10]])
    found = np.array([[0, 0, 10, 10], [1, 1, 9, 9], [300, 0, 5, 5]])
    matches = finding.match(found, true)
    assert matches.true_of.tolist() == [0, -1, -1]
    assert (matches.n_matched, matches.n_found, matches.n_true) == (1, 3, 2)
    assert matches.duplicates == 1


def test_as_many_as_possible_match() -> None:
    """The best overlap first would leave one box alone."""
    true = np.array([[0, 0, 10, 10], [4, 0, 10, 10]])
    found = np.array([[3, 0, 10, 10], [7, 0, 10, 10]])
    assert finding.match(found, true, 0.3).true_of.tolist() == [0, 1]


def test_a_box_of_another_size_matches_by_its_centre_alone() -> None:
    true, found = np.array([[0, 0, 20, 20]]), np.array([[5, 5, 10, 10]])
    assert finding.match(found, true).n_matched == 0
    assert finding.match(found, true, 0).n_matched == 1


def test_a_centre_outside_never_matches() -> None:
    true, found = np.array([[0, 0, 10, 10]]), np.array([[6, 0, 10, 10]])
    assert finding.match(found, true, 0).n_matched == 0


def test_iou_by_counting_pixels() -> None:
    rng = np.random.default_rng(0)
    boxes = rng.integers(1, 12, (8, 4))
    for a in boxes:
        for b in boxes:
            masks = np.zeros((2, 30, 30), bool)
            for mask, (x, y, w, h) in zip(masks, (a, b), strict=True):
                mask[y : y + h, x : x + w] = True
            expected = (masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum()
            assert finding.iou(a[None], b[None])[0, 0] == pytest.approx(expected)


def test_scores_of_fields() -> None:
    hit = finding.match(np.array([[0, 0, 9, 9]]), np.array([[0, 0, 9, 9]]))
    miss = finding.match(np.empty((0, 4)), np.array([[0, 0, 9, 9]]))
    wrong = finding.match(np.array([[0, 0, 9, 9]]), np.empty((0, 4)))
    scores = finding.score([hit] * 8 + [miss, wrong])
    assert scores.precision[0] == scores.recall[0] == scores.f1[0] == pytest.approx(8 / 9)
    assert scores.f1[1] < 8 / 9 < scores.f1[2] <= 1
    assert scores.count_error == pytest.approx(0.2)
    assert scores.count_bias == pytest.approx(0.0)


def test_what_is_not_defined_is_nan() -> None:
    nothing = finding.match(np.empty((0, 4)), np.empty((0, 4)))
    assert np.isnan(finding.score([nothing]).f1[0])


@pytest.mark.parametrize("boxes", [[[0, 0, 0, 5]], [[0, 0, np.nan, 5]]])
def test_a_box_of_no_size_is_refused(boxes: list[list[float]]) -> None:
    with pytest.raises(ShapeError, match="with a size over 0"):
        finding.match(np.array(boxes), np.empty((0, 4)))


def test_no_field_is_refused() -> None:
    with pytest.raises(ShapeError, match="one field or more"):
        finding.score([])
