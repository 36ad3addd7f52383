"""What labels gain: kept, left out, or the whole bundle refused; and the doubt that they set."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from buffycoat.cells import Manifest
from buffycoat.embed.energy import ClassifierEnergy
from buffycoat.embed.outliers import OutlierModel
from buffycoat.errors import NotEstimableError
from buffycoat.learn import site_doubt
from buffycoat.learn.site_labels import SiteLabels
from buffycoat.learn.site_trial import Trial
from buffycoat.taxonomy import PBC

K = len(PBC)
LY, MO, SNE, BNE = (PBC.codes.index(code) for code in ("LY", "MO", "SNE", "BNE"))


def _labels(n: int = 40) -> SiteLabels:
    ids = [str(number) for number in range(n)]
    frame = pd.DataFrame({"cell_id": ids, "path": ids})
    codes = tuple(("LY", "NE")[number % 2] for number in range(n))
    return SiteLabels(Manifest.from_frame(frame, "test"), codes, PBC)


def _columns(labels: SiteLabels, n_wrong: int, neutrophil: int = SNE) -> np.ndarray:
    right = np.where(labels.types == labels.types[0], LY, neutrophil)
    right[:n_wrong] = MO
    return right


def test_any_class_of_a_group_is_right() -> None:
    labels = _labels()
    trial = Trial.of(labels, _columns(labels, 4), _columns(labels, 2), _columns(labels, 0, BNE))
    assert (trial.before, trial.adapted, trial.taught) == pytest.approx((0.9, 0.95, 1.0))
    assert trial.total.estimate == pytest.approx(0.1)
    trial.refuse_loss(labels)


def test_a_gain_is_kept_and_a_loss_left_out() -> None:
    labels = _labels()
    good, poor = _columns(labels, 2), _columns(labels, 12)
    assert Trial.of(labels, poor, poor, good).is_kept
    left = Trial.of(labels, poor, good, poor)
    assert not left.is_kept
    assert left.total.estimate > 0
    assert "left out" in left.sentences()[1]
    assert not Trial.of(labels, good, good, good).is_kept


def test_a_bundle_that_is_right_on_fewer_cells_is_refused() -> None:
    labels = _labels()
    with pytest.raises(NotEstimableError, match=r"0\.950 as it is and on 0\.700 adapted"):
        Trial.of(
            labels, _columns(labels, 2), _columns(labels, 12), _columns(labels, 14)
        ).refuse_loss(labels)


def test_a_refusal_names_the_types_with_few_cells() -> None:
    few = _labels(18)
    trial = Trial.of(few, _columns(few, 0), _columns(few, 9), _columns(few, 9))
    with pytest.raises(NotEstimableError, match="Few labelled cells: LY 9, NE 9; 10 to 50 a type"):
        trial.refuse_loss(few)


def _bundle() -> SimpleNamespace:
    refine = SimpleNamespace(conformal_alpha=0.1)
    return SimpleNamespace(taxonomy=PBC, temperatures=(1.3,), config=SimpleNamespace(refine=refine))


def test_temperatures_stay_where_labels_are_few_and_fall_where_scores_are_too_shy() -> None:
    few, many = _labels(12), _labels(60)
    logits = np.zeros((60, 1, K))
    logits[np.arange(60), 0, np.where(many.types == many.types[0], LY, BNE)] = 1.0
    assert site_doubt.temperatures(_bundle(), [logits[:12]], few) == (1.3,)
    (found,) = site_doubt.temperatures(_bundle(), [logits], many)
    assert found < 0.5


def test_prediction_sets_say_what_they_rest_on() -> None:
    labels = _labels(60)
    probs = np.full((60, K), 0.02)
    probs[np.arange(60), np.where(labels.types == labels.types[0], LY, BNE)] = 0.82
    found = site_doubt.prediction_sets(_bundle(), probs, labels)
    kinds = dict(zip(PBC.codes, found.guarantees, strict=True))
    assert kinds["LY"] == "class"
    assert kinds["BNE"] == "lineage"  # its cells say only that they are neutrophils
    assert kinds["ERB"] == "no guarantee"
    assert found.sets(probs).sum(axis=1).tolist() == [1] * 60


def test_usual_strangeness_is_that_of_the_sites_cells() -> None:
    home = OutlierModel("classifier_energy", ClassifierEnergy(), np.linspace(-9, -8, 50))
    far = np.linspace(-3, -2, 40)
    assert site_doubt.usual(home, far).percentile(np.array([-2.5]))[0] == pytest.approx(50, abs=5)
    assert site_doubt.usual(home, far[:5]) is home
    embedded = replace(home, strangeness=SimpleNamespace(looks_at="embeddings"))
    assert site_doubt.usual(embedded, far) is embedded
