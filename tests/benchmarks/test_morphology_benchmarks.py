from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from benchmarks import attributes, morphology_speed
from buffycoat.refine.features import NAMES, PUBLISHED
from buffycoat.segment.stain import segment
from buffycoat.simulate.render import render_cell


def cells(seed: int, n: int = 160) -> attributes.Cells:
    """Spiky cells are irregular, mostly; nothing else says anything."""
    rng = np.random.default_rng(seed)
    features = pd.DataFrame(rng.normal(0, 1, (n, len(NAMES))), columns=NAMES)
    is_irregular = features["spikiness"] + rng.normal(0, 0.5, n) > 0.3
    features.iloc[0, :] = np.nan
    shape = np.where(is_irregular, "irregular", "round")
    labels = rng.choice(["LY", "SNE"], n, p=[0.2, 0.8])
    told = {"cell_shape": shape, "nucleus_shape": np.where(shape == "round", "a", "b")}
    return attributes.Cells(features, pd.DataFrame(told), labels)


@pytest.fixture
def quick(monkeypatch) -> None:
    few = {"logistic": attributes.LEARNERS["logistic"]}
    monkeypatch.setattr(attributes, "LEARNERS", few)
    monkeypatch.setattr(attributes, "RESAMPLES", 50)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", ["irregular cell shape", "nucleus shape"])
def test_a_question_is_answered_with_its_interval(name: str) -> None:
    found = attributes.ask(attributes.QUESTIONS[name], cells(0), cells(1), NAMES)
    assert found["learner"] == "logistic"
    score = found["evaluation"]
    assert 0.6 < score["low"] < score["estimate"] < score["high"] <= 1
    blind = attributes.ask(attributes.QUESTIONS[name], cells(0), cells(1), ("nc_ratio",))
    assert blind["evaluation"]["estimate"] < 0.65


def test_each_class_weighs_the_same() -> None:
    own = cells(0)
    for label in ("LY", "SNE"):
        assert own.weights[own.labels == label].sum() == pytest.approx(1)


def test_spikiness_alone_needs_no_fit() -> None:
    found = attributes.spikiness_alone(cells(0), cells(1))
    assert found["evaluation"]["estimate"] > 0.8


def test_the_plain_version_gives_the_same_seven() -> None:
    rng = np.random.default_rng(0)
    drawn = [render_cell(code, rng, 160).image for code in ("SNE", "LY", "MO")]
    apart = morphology_speed.check_equal(drawn, [segment(image) for image in drawn])
    assert set(apart) == set(PUBLISHED)
    assert max(apart.values()) < morphology_speed.TOLERANCE
