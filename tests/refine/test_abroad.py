"""Limits for laboratories that training has not seen, and what they do to a cell."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from buffycoat.cells import Prediction
from buffycoat.config import RefineConfig
from buffycoat.errors import BundleError
from buffycoat.fuse.calibrate import flatten
from buffycoat.refine.abroad import NOTHING_KEPT, AbroadLimits
from buffycoat.refine.apply import RescueResult
from buffycoat.refine.decide import Conformal, Findings, decide
from buffycoat.refine.features import NAMES
from buffycoat.sites.shift import Shift
from buffycoat.taxonomy import PBC

K = len(PBC)
HOME = Conformal(0.1, np.full(K, 0.5), ("class",) * K, np.full(K, 50))
WIDE = replace(HOME, limits=np.full(K, 0.95))
LIMITS = AbroadLimits(
    2.0, 0.93, 95.0, WIDE,
    {"laboratories": 8, "kept": 0.41, "right": 0.97, "covered": 0.9},
)  # fmt: skip
FAR = Shift({"colour": 3.1, "scale": 0.2}, {"colour": 0.9, "scale": 0.5})
CODE = "unfamiliar_site"


def _decide(
    top: float,
    limits: AbroadLimits | None,
    shift: Shift | None = FAR,
    is_abroad: bool = True,
    percentile: float = 50.0,
) -> Prediction:
    probs = np.full((1, K), (1 - top) / (K - 1))
    probs[0, 2] = top
    found = Findings(
        cell_ids=["a"],
        probs=probs,
        set_probs=probs,
        rescue=RescueResult(probs.argmax(axis=1), np.zeros(1, bool), [()]),
        labels=probs.argmax(axis=1),
        asked="",
        severity=np.zeros(1),
        degradation=[()],
        is_restored=np.zeros(1, bool),
        restore_reasons=[""],
        restore_changes=[{}],
        outlier_name="classifier_energy",
        outlier_score=np.ones(1),
        outlier_percentile=np.array([percentile]),
        mask_quality=np.ones(1),
        features=np.full((1, len(NAMES)), np.nan),
        views=np.ones(1),
        shifts=[shift],
        is_abroad=np.array([is_abroad]),
    )
    (said,) = decide(found, PBC, HOME, RefineConfig(), None, limits)
    return said


def test_only_a_cell_over_the_limit_is_kept() -> None:
    kept, doubtful = _decide(0.95, LIMITS), _decide(0.9, LIMITS)
    assert (kept.reasons, doubtful.reasons) == ((), (CODE,))
    (why,) = (e for e in doubtful.evidence if e.code == CODE)
    assert why.text == (
        "colour differs by 3.1 SD (limit 0.9): top probability 0.90 < 0.93, the limit in a "
        "laboratory that training has not seen"
    )
    assert (why.value, why.limit) == (pytest.approx(0.9), 0.93)
    assert kept.site_shift == pytest.approx(3.1 / 0.9)


def test_at_home_nothing_changes() -> None:
    at_home = _decide(0.6, LIMITS, Shift({"colour": 0.2}, {"colour": 0.9}), is_abroad=False)
    assert (at_home.reasons, at_home.conformal_set) == ((), ("MO",))
    assert at_home.site_shift == pytest.approx(0.2 / 0.9)
    assert not _decide(0.6, None, None, is_abroad=False).is_abstained


def test_sets_and_strangeness_have_limits_of_their_own() -> None:
    assert len(_decide(0.5, LIMITS).conformal_set) == K
    assert _decide(0.99, LIMITS, percentile=96.0).reasons == ("outlier",)
    assert _decide(0.99, LIMITS, percentile=96.0, is_abroad=False).reasons == ()


def test_without_limits_no_cell_is_kept() -> None:
    said = _decide(0.999, None)
    assert said.reasons == (CODE,)
    assert any("this bundle has no limits" in e.text for e in said.evidence)
    assert said.conformal_set == ("MO",)


def test_limits_that_keep_nothing_keep_nothing() -> None:
    said = _decide(1.0, replace(LIMITS, abstain_below=NOTHING_KEPT))
    assert said.reasons == (CODE,)
    assert any("no probability" in e.text for e in said.evidence)


def test_an_adapted_bundle_without_an_alarm_says_so() -> None:
    said = _decide(0.9, LIMITS, None)
    assert any(
        e.text.startswith("adapted to this laboratory without labels:") for e in said.evidence
    )
    assert np.isnan(said.site_shift)


def test_flattening_keeps_order_and_zeros() -> None:
    probs = np.array([[0.7, 0.2, 0.1, 0.0], [1.0, 0.0, 0.0, 0.0]])
    flat = flatten(probs, 2.0)
    roots = np.sqrt(probs)
    np.testing.assert_allclose(flat, roots / roots.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(flatten(probs, 1.0), probs)


def test_limits_come_back_from_json_and_say_what_is_missing() -> None:
    values = json.loads(json.dumps(LIMITS.to_dict(), allow_nan=False))
    assert AbroadLimits.from_dict(values).to_dict() == LIMITS.to_dict()
    del values["temperature"]
    with pytest.raises(BundleError, match="temperature"):
        AbroadLimits.from_dict(values)


def test_words_for_a_reader() -> None:
    assert LIMITS.words() == (
        "On 8 simulated laboratories 41% of the cells needed no look and 97% of these were right; "
        "prediction sets held the truth for 90% of all cells."
    )
    none = replace(LIMITS, record={**LIMITS.record, "kept": 0.0, "right": None})
    assert "0% of the cells needed no look; prediction" in none.words()
