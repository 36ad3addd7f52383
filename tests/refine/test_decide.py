from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.cells import Evidence
from buffycoat.config import RefineConfig
from buffycoat.errors import BundleError, ShapeError
from buffycoat.predict.rows import predictions_frame
from buffycoat.refine.apply import RescueResult
from buffycoat.refine.conformal import Conformal, cross_fitted_sets, fit_conformal
from buffycoat.refine.decide import Distributions, Findings, decide
from buffycoat.refine.features import NAMES
from buffycoat.taxonomy import PBC

K = len(PBC)


def draw(n: int, seed: int, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, K, n) if counts is None else np.repeat(np.arange(K), counts)
    logits = rng.normal(size=(len(targets), K))
    logits[np.arange(len(targets)), targets] += 1.5
    exp = np.exp(logits)
    return exp / exp.sum(axis=1, keepdims=True), targets


def test_each_class_is_covered_at_the_stated_rate() -> None:
    conformal = fit_conformal(*draw(20_000, 0), alpha=0.1)
    probs, targets = draw(20_000, 1)
    inside = conformal.sets(probs)[np.arange(len(targets)), targets]
    for column in range(K):
        assert inside[targets == column].mean() == pytest.approx(0.9, abs=0.03)
    assert conformal.guarantees == ("class",) * K


def test_limit_is_the_finite_sample_quantile() -> None:
    probs = np.stack([np.linspace(0.05, 0.95, 19), 1 - np.linspace(0.05, 0.95, 19)], axis=1)
    conformal = fit_conformal(probs, np.zeros(19, dtype=int), alpha=0.1, min_cells=5)
    assert conformal.limits[0] == pytest.approx(np.sort(1 - probs[:, 0])[17])
    assert fit_conformal(probs[:5], np.zeros(5, dtype=int), 0.1, min_cells=5).limits[0] == 1.0


def test_small_classes_take_the_limit_of_their_lineage_or_have_no_guarantee() -> None:
    counts = np.array([400, 12, 12, 400, 400, 400, 400, 400, 5, 0])
    lineages = ["a", "a", "a", "b", "b", "b", "b", "b", "c", "a"]
    conformal = fit_conformal(*draw(0, 0, counts), alpha=0.1, lineages=lineages)
    expected = ["class", "lineage", "lineage", *["class"] * 5, "no guarantee", "no guarantee"]
    assert list(conformal.guarantees) == expected
    assert conformal.limits[1] == conformal.limits[2] != conformal.limits[0]
    without = fit_conformal(*draw(0, 0, counts), alpha=0.1)
    assert without.guarantees[1] == "no guarantee"


def test_in_a_lineage_every_class_weighs_the_same() -> None:
    # 1,000 easy cells of one class must not make the limit of ten hard ones of the next.
    targets = np.repeat([0, 1], [1000, 10])
    own = np.where(targets == 0, 0.99, 0.3)
    probs = np.stack([np.where(targets == 0, own, 1 - own), np.where(targets, own, 1 - own)], 1)
    conformal = fit_conformal(probs, targets, 0.1, ["a", "a"])
    assert conformal.limits == pytest.approx([0.01, 0.7])


def test_twins_of_a_cell_count_once() -> None:
    counts = np.array([100, 15, *[100] * 8])
    probs, targets = draw(0, 0, counts)
    cells = np.arange(len(targets))
    twice = fit_conformal(
        np.tile(probs, (2, 1)), np.tile(targets, 2), 0.1, groups=np.tile(cells, 2)
    )
    once = fit_conformal(probs, targets, 0.1)
    assert twice.to_dict() == once.to_dict()
    assert twice.guarantees[1] == "no guarantee"


def test_cross_fitted_sets_are_of_limits_from_the_other_folds() -> None:
    probs, targets = draw(900, 3)
    folds = np.arange(900) % 3
    sets = cross_fitted_sets(probs, targets, folds, 0.1)
    others = folds != 1
    expected = fit_conformal(probs[others], targets[others], 0.1).sets(probs[folds == 1])
    assert np.array_equal(sets[folds == 1], expected)
    changed = np.where(folds == 1, 0, targets)  # a fold's own labels have no part in its sets
    assert np.array_equal(
        cross_fitted_sets(probs, changed, folds, 0.1)[folds == 1], sets[folds == 1]
    )


def test_no_set_is_empty() -> None:
    conformal = Conformal(0.1, np.zeros(K), ("class",) * K, np.full(K, 50))
    sets = conformal.sets(draw(50, 0)[0])
    assert (sets.sum(axis=1) == 1).all()


def test_conformal_round_trip_and_errors() -> None:
    conformal = fit_conformal(*draw(500, 0), alpha=0.1)
    copy = Conformal.from_dict(json.loads(json.dumps(conformal.to_dict())))
    assert np.array_equal(copy.limits, conformal.limits)
    assert copy.to_dict() == conformal.to_dict()
    with pytest.raises(BundleError):
        Conformal.from_dict({"alpha": 0.1})
    with pytest.raises(ShapeError):
        conformal.sets(np.ones((3, 2)))
    with pytest.raises(ShapeError):
        fit_conformal(np.zeros((0, 3)), np.zeros(0, dtype=int), 0.1)


def findings(probs: np.ndarray, **changed) -> Findings:
    n = len(probs)
    values = {
        "cell_ids": [f"c{i}" for i in range(n)],
        "probs": probs,
        "set_probs": probs,
        "rescue": RescueResult(probs.argmax(axis=1), np.zeros(n, bool), [()] * n),
        "asked": "",
        "severity": np.zeros(n),
        "degradation": [()] * n,
        "is_restored": np.zeros(n, bool),
        "restore_reasons": ["pristine"] * n,
        "restore_changes": [{}] * n,
        "outlier_name": "classifier_energy",
        "outlier_score": np.ones(n),
        "outlier_percentile": np.full(n, 50.0),
        "mask_quality": np.ones(n),
        "features": np.full((n, len(NAMES)), np.nan),
        "views": np.full(n, 16),
        "shifts": [None] * n,
        "is_abroad": np.zeros(n, bool),
    }
    values |= changed
    return Findings(**({"labels": values["rescue"].labels} | values))


@pytest.fixture
def probs() -> np.ndarray:
    sure, torn = np.full(K, 0.1 / (K - 1)), np.full(K, 0.2 / (K - 2))
    sure[2] = 0.9
    torn[[0, 1]] = 0.42, 0.38
    return np.stack([sure, torn])


@pytest.fixture
def conformal() -> Conformal:
    return Conformal(0.1, np.full(K, 0.7), ("class",) * K, np.full(K, 50))


def test_fields_and_evidence(probs: np.ndarray, conformal: Conformal) -> None:
    sure, torn = decide(findings(probs), PBC, conformal, RefineConfig())
    assert (sure.label, sure.probability, sure.conformal_set) == ("MO", 0.9, ("MO",))
    assert sure.entropy == pytest.approx(-(probs[0] * np.log(probs[0])).sum())
    assert not sure.is_abstained
    assert next(e.text for e in sure.evidence).startswith("MO 0.90, then ")
    assert torn.conformal_set == ("SNE", "LY")
    assert torn.is_abstained
    assert "top probability 0.42 < 0.50" in [e.text for e in torn.evidence]
    assert (sure.reasons, torn.reasons) == ((), ("low_probability",))
    assert sum(sure.probs) == pytest.approx(1)
    assert len(predictions_frame([sure, torn], PBC)) == 2


def test_another_class_mix_moves_the_label_and_not_what_a_set_covers(probs, conformal) -> None:
    rare = probs[1:].copy()
    rare[:, 1] *= 0.01
    rare /= rare.sum(axis=1, keepdims=True)
    cell = decide(findings(rare, set_probs=probs[1:]), PBC, conformal, RefineConfig())[0]
    assert cell.label == "SNE"
    assert cell.probability > 0.6
    assert cell.conformal_set == ("SNE", "LY"), "LY has 0.01 here, but its limit knows 0.38"


@pytest.mark.parametrize(
    ("changed", "code", "text"),
    [
        (
            {"outlier_percentile": np.array([99.6, 50])},
            "outlier",
            "outlier score (classifier energy) above that of 99.6 % of training cells",
        ),
        (
            {"outlier_percentile": np.array([99.04, 50])},
            "outlier",
            "outlier score (classifier energy) above that of 99.04 % of training cells (",
        ),
        ({"mask_quality": np.array([0.0, 1])}, "no_cell", "no cell found: mask quality 0.00"),
        ({"mask_quality": np.array([0.1, 1])}, "poor_outline", "mask quality 0.10 < 0.30"),
        (
            {"mask_quality": np.array([0.0, 1]), "features": np.ones((2, len(NAMES)))},
            "poor_outline",
            "mask quality 0.00 < 0.30",
        ),
    ],
)
def test_doubtful_cells_are_shown_to_a_person(probs, conformal, changed, code, text) -> None:
    sure = decide(findings(probs, **changed), PBC, conformal, RefineConfig())[0]
    assert sure.is_abstained
    assert sure.reasons == (code,)
    assert any(e.code == code and e.text.startswith(text) for e in sure.evidence)


def test_stages_that_were_not_run_raise_no_doubt(probs, conformal) -> None:
    unknown = {"outlier_percentile": np.full(2, np.nan), "mask_quality": np.full(2, np.nan)}
    assert not decide(findings(probs, **unknown), PBC, conformal, RefineConfig())[0].is_abstained


def test_a_score_moves_the_label_alone(probs, conformal) -> None:
    asked = "macro-F1 at the training class mix"
    plain = decide(findings(probs), PBC, conformal, RefineConfig())
    moved = decide(
        findings(probs, labels=np.array([2, 9]), asked=asked), PBC, conformal, RefineConfig()
    )
    assert (moved[0], moved[0].is_moved) == (plain[0], False)
    before, after = plain[1], moved[1]
    assert (before.label, after.label, after.is_moved) == ("SNE", "PMY", True)
    assert after.probability == probs[1, 9]
    for name in ("probs", "entropy", "conformal_set", "is_abstained", "reasons", "is_rescued"):
        assert getattr(after, name) == getattr(before, name)
    said = next(e for e in after.evidence if e.code == "moved")
    assert said.text == f"SNE 0.42 gives way to PMY 0.03 for {asked}"


def test_rescued_and_restored(probs: np.ndarray, conformal: Conformal) -> None:
    said = Evidence("refine", "rescued", "MO is called PMY", 2.0, 1.0)
    rescue = RescueResult(np.array([9, 0]), np.array([True, False]), [(said,), ()])
    changed = {
        "rescue": rescue,
        "is_restored": np.array([True, False]),
        "restore_reasons": ["severity 2.1 and the gate accepts", "pristine"],
        "degradation": [("noise", "blur"), ()],
        "restore_changes": [{"hue_shift": 1.5}, {}],
    }
    first = decide(findings(probs, **changed), PBC, conformal, RefineConfig())[0]
    assert first.is_rescued
    assert first.label == "PMY"
    assert first.degradation == ("noise", "blur")
    assert first.restore_change == {"hue_shift": 1.5}
    assert first.probability == pytest.approx(probs[0, 9])
    assert "PMY" in first.conformal_set
    assert said in first.evidence
    assert any("severity 2.1" in evidence.text for evidence in first.evidence)


def test_unusual_features_name_the_percentile(probs: np.ndarray, conformal: Conformal) -> None:
    rng = np.random.default_rng(0)
    train = rng.uniform(1.0, 1.3, (200, len(NAMES)))
    targets = np.full(200, 2)
    targets[:5] = 0
    usual = Distributions.fit(train, targets, K)
    usual = Distributions.from_dict(json.loads(json.dumps(usual.to_dict(), allow_nan=False)))
    features = np.full((2, len(NAMES)), 1.15)
    features[:, NAMES.index("spikiness")] = 1.52
    features[:, NAMES.index("nc_ratio")] = np.nan
    first, second = decide(
        findings(probs, features=features), PBC, conformal, RefineConfig(), usual
    )
    texts = [e.text for e in first.evidence if e.stage == "refine"]
    assert len(texts) == 1
    assert texts[0].startswith("spikiness 1.52 > 1.")
    assert texts[0].endswith("(MO 99th percentile)")
    assert not [e for e in second.evidence if e.stage == "refine"]


def test_certain_cell_has_zero_entropy_and_no_cells_no_predictions(conformal) -> None:
    certain = np.eye(K)[:1]
    (only,) = decide(findings(certain), PBC, conformal, RefineConfig())
    assert only.entropy == 0.0
    assert decide(findings(np.zeros((0, K))), PBC, conformal, RefineConfig()) == []


def test_rows_that_do_not_match_are_named(probs: np.ndarray, conformal: Conformal) -> None:
    with pytest.raises(ShapeError, match="severity has 1"):
        findings(probs, severity=np.zeros(1))
    with pytest.raises(ShapeError, match="expected probs"):
        decide(findings(probs[:, :3]), PBC, conformal, RefineConfig())
