from __future__ import annotations

import json

import numpy as np
import pytest

from buffycoat.config import RefineConfig
from buffycoat.errors import BundleError, ConfigError, ShapeError, TaxonomyError
from buffycoat.evaluate.metrics import class_weighted_macro_f1, confusion
from buffycoat.plurals import counted
from buffycoat.refine.apply import Scores
from buffycoat.refine.features import NAMES
from buffycoat.refine.rescue import OutOfFold, RescueRules, apply, fit_rules, published_rules
from buffycoat.taxonomy import PBC, WBCBENCH

CONFIG = RefineConfig(min_corrected=5, lower_bound=-0.002)
TAIL, RIVAL = "PMY", "MY"


def softmax(logits: np.ndarray) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exp / exp.sum(axis=1, keepdims=True)


def population(
    seed: int = 0, n_tail: int = 30, head_knows: bool = True, features_know: bool = True
) -> OutOfFold:
    """Cells of which the ensemble calls every second PMY a MY, with PMY not far behind."""
    rng = np.random.default_rng(seed)
    codes = PBC.codes
    counts = [60] * len(codes)
    counts[codes.index(TAIL)] = n_tail
    targets = np.repeat(np.arange(len(codes)), counts)
    logits = rng.normal(0, 0.3, (len(targets), len(codes)))
    logits[np.arange(len(targets)), targets] += 4
    tail = np.flatnonzero(targets == codes.index(TAIL))
    hidden = tail[::2]
    logits[hidden, codes.index(TAIL)] = 2.5
    logits[hidden, codes.index(RIVAL)] = 4
    rivals = targets == codes.index(RIVAL)
    logits[rivals, codes.index(TAIL)] += rng.normal(1.5, 1, rivals.sum())
    head = rng.normal(0, 0.3, logits.shape)
    head[np.arange(len(targets)), targets if head_knows else 0] += 4
    features = np.full((len(targets), len(NAMES)), np.nan)
    features[:, :15] = rng.normal(0, 1, (len(targets), 15))  # so a feature more moves no draw
    features[:, NAMES.index("spikiness")] = rng.uniform(1.0, 1.3, len(targets))
    if features_know:
        features[tail] += 2.5
    folds = np.arange(len(targets)) % 3
    return OutOfFold(Scores(softmax(logits), softmax(head), features), targets, folds)


def applied(rules: RescueRules, data: OutOfFold):
    return apply(rules, data.scores.probs, data.scores.head_probs, data.scores.features)


def test_good_rule_is_kept_and_raises_macro_f1() -> None:
    data = population()
    rules = fit_rules(data, PBC, [TAIL], CONFIG)
    (row,) = rules.table()
    assert row["is_on"]
    assert row["rivals"] == RIVAL
    assert row["corrected"] >= 10
    assert row["gain"] > 0
    assert row["low"] >= CONFIG.lower_bound
    result = applied(rules, data)
    k = len(PBC)
    before = class_weighted_macro_f1(confusion(data.targets, data.scores.probs.argmax(axis=1), k))
    after = class_weighted_macro_f1(confusion(data.targets, result.labels, k))
    assert after > before + 0.02
    assert (result.labels[result.is_rescued] == PBC.codes.index(TAIL)).all()
    unchanged = ~result.is_rescued
    assert np.array_equal(result.labels[unchanged], data.scores.probs[unchanged].argmax(axis=1))


def test_trial_is_cross_fitted() -> None:
    """A class that has nothing to tell it from its rival wins in-sample and not held out."""
    data = population(head_knows=False, features_know=False)
    rng = np.random.default_rng(1)
    probs = data.scores.probs.copy()
    both = np.flatnonzero(np.isin(data.targets, [PBC.codes.index(TAIL), PBC.codes.index(RIVAL)]))
    probs[both] = probs[rng.permutation(both)]
    shuffled = OutOfFold(
        Scores(probs, data.scores.head_probs, data.scores.features), data.targets, data.folds
    )
    (row,) = fit_rules(shuffled, PBC, [TAIL], CONFIG).table()
    assert not row["is_on"]
    assert row["reason"].startswith("no gain")


def test_held_out_cells_do_not_move_the_limits() -> None:
    """The firing on fold 0 must be the same whatever the labels of fold 0 are."""
    from buffycoat.refine.rescue import _fit_one

    data = population()
    rows = np.flatnonzero(data.folds != 0)
    altered = data.targets.copy()
    altered[data.folds == 0] = 0
    other = OutOfFold(data.scores, altered, data.folds)
    first, second = (_fit_one(d.take(rows), PBC.codes, TAIL, None) for d in (data, other))
    assert first is not None
    assert second is not None
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())


@pytest.mark.parametrize("n_tail", [0, 1, 4])
def test_too_few_cells_is_not_estimable(n_tail: int) -> None:
    rules = fit_rules(population(n_tail=n_tail), PBC, [TAIL], CONFIG)
    (row,) = rules.table()
    assert not row["is_on"]
    assert row["reason"].startswith(f"not estimable: {counted(n_tail, 'cell')} in")
    assert not applied(rules, population()).is_rescued.any()


def test_a_cell_and_its_degraded_twin_count_once() -> None:
    data = population()
    twice = data.take(np.tile(np.arange(len(data.targets)), 2))
    cells = np.tile(np.arange(len(data.targets)), 2)
    paired = OutOfFold(twice.scores, twice.targets, twice.folds, cells, cells)
    (one,), (two,) = (fit_rules(d, PBC, [TAIL], CONFIG).table() for d in (data, paired))
    counts = ("cells", "missed", "corrected", "spoiled")
    assert [two[name] for name in counts] == [one[name] for name in counts]
    few = paired.take(np.flatnonzero((cells % 10 == 0) | (data.targets[cells] != cells_of(TAIL))))
    assert fit_rules(few, PBC, [TAIL], CONFIG).table()[0]["reason"].startswith("not estimable: 3")


def cells_of(code: str) -> int:
    return PBC.codes.index(code)


def test_class_that_is_never_missed_is_not_estimable() -> None:
    (row,) = fit_rules(population(), PBC, ["ERB"], CONFIG).table()
    assert row["reason"].startswith("not estimable: 0 of 60")


def test_class_absent_from_a_fold() -> None:
    data = population()
    folds = data.folds.copy()
    tail = data.targets == PBC.codes.index(TAIL)
    folds[tail] = np.where(folds[tail] == 2, 0, folds[tail])
    rules = fit_rules(OutOfFold(data.scores, data.targets, folds), PBC, [TAIL], CONFIG)
    assert rules.table()[0]["is_on"]
    folds[tail] = 1
    (row,) = fit_rules(OutOfFold(data.scores, data.targets, folds), PBC, [TAIL], CONFIG).table()
    assert row["reason"].startswith("not estimable: 30 cells in 1 fold")


def test_without_head_and_without_features() -> None:
    data = population()
    blind = Scores(data.scores.probs, None, np.full_like(data.scores.features, np.nan))
    rules = fit_rules(OutOfFold(blind, data.targets, data.folds), PBC, [TAIL], CONFIG)
    assert not rules.is_head_needed
    apply(rules, blind.probs, None, blind.features)


def test_rarest_class_is_asked_first_and_every_class_has_a_row() -> None:
    rules = fit_rules(population(), PBC, ["ERB", TAIL, "MMY"], CONFIG)
    assert next(row["code"] for row in rules.table()) == TAIL
    assert len(rules.table()) == 3


def test_given_rival_is_used() -> None:
    rules = fit_rules(population(), PBC, [TAIL], CONFIG, rivals={TAIL: "SNE"})
    assert not rules.table()[0]["is_on"]


def test_patients_give_the_interval() -> None:
    data = population()
    patients = np.array([f"p{i % 7}" for i in range(len(data.targets))])
    grouped = OutOfFold(data.scores, data.targets, data.folds, patients)
    (plain,), (by_patient,) = (fit_rules(d, PBC, [TAIL], CONFIG).table() for d in (data, grouped))
    assert by_patient["gain"] == plain["gain"]
    assert by_patient["low"] <= plain["low"]  # never narrower than of independent cells


def test_evidence_is_in_words_and_numbers() -> None:
    data = population()
    result = applied(fit_rules(data, PBC, [TAIL], CONFIG), data)
    row = int(np.flatnonzero(result.is_rescued)[0])
    first, second = result.evidence[row][:2]
    assert first.text == "MY is called PMY (fitted rule)"
    assert "p(PMY)/p(top)" in second.text
    assert "(fitted limit)" in second.text
    assert second.value > second.limit
    assert result.evidence[int(np.flatnonzero(~result.is_rescued)[0])] == ()


def test_round_trip_is_exact() -> None:
    data = population()
    rules = fit_rules(data, PBC, [TAIL, "ERB"], CONFIG)
    text = json.dumps(rules.to_dict(), allow_nan=False)
    copy = RescueRules.from_dict(json.loads(text))
    assert json.dumps(copy.to_dict(), allow_nan=False) == text
    assert applied(copy, data).evidence == applied(rules, data).evidence
    assert copy.table() == rules.table()
    with pytest.raises(BundleError, match="train again"):
        RescueRules.from_dict({"codes": ["A"], "rules": [{"code": "A", "novel": 1}]})


def test_unknown_tail_class_and_wrong_shapes() -> None:
    data = population()
    with pytest.raises(TaxonomyError, match="PLY"):
        fit_rules(data, PBC, ["PLY"], CONFIG)
    with pytest.raises(ShapeError, match="features"):
        Scores(data.scores.probs, None, data.scores.features[:, :3])
    with pytest.raises(ShapeError, match="folds"):
        OutOfFold(data.scores, data.targets, data.folds[1:])
    rules = fit_rules(data, PBC, [TAIL], CONFIG)
    with pytest.raises(ShapeError, match="10 classes"):
        apply(rules, data.scores.probs[:, :4], None, data.scores.features)


# --- published rules -----------------------------------------------------------------------


def bench(rows: dict[str, float]) -> np.ndarray:
    """One row of probabilities; what is left over is shared by the other classes."""
    k = len(WBCBENCH)
    rest = (1 - sum(rows.values())) / (k - len(rows))
    return np.array([[rows.get(code, rest) for code in WBCBENCH.codes]])


def plasma_train(n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(5, 1, (n, len(NAMES))), np.full(n, WBCBENCH.codes.index("PC"))


def called(result) -> str:
    return WBCBENCH.codes[int(result.labels[0])]


@pytest.mark.parametrize(
    ("top", "ply", "head", "spikiness", "expected"),
    [
        (0.70, 0.0060, 0.40, 1.50, "PLY"),
        (0.81, 0.0060, 0.40, 1.50, "LY"),
        (0.70, 0.0040, 0.40, 1.50, "LY"),
        (0.70, 0.0060, 0.35, 1.50, "LY"),
        (0.70, 0.0060, 0.40, 1.34, "LY"),
        (0.70, 0.0060, 0.40, float("nan"), "LY"),
    ],
)
def test_published_prolymphocyte(top, ply, head, spikiness, expected) -> None:
    rules = published_rules(WBCBENCH, *plasma_train(0))
    features = np.zeros((1, len(NAMES)))
    features[0, NAMES.index("spikiness")] = spikiness
    result = apply(rules, bench({"LY": top, "PLY": ply}), bench({"PLY": head}), features)
    assert called(result) == expected
    assert bool(result.is_rescued[0]) == (expected == "PLY")
    if expected == "PLY":
        texts = [evidence.text for evidence in result.evidence[0]]
        assert "spikiness 1.5 > 1.35 (published limit)" in texts


def test_published_direct_calls_are_replaced_unless_rescued() -> None:
    rules = published_rules(WBCBENCH, *plasma_train())
    probs = bench({"PLY": 0.6, "LY": 0.3})
    smooth = np.zeros((1, len(NAMES)))
    result = apply(rules, probs, bench({"PLY": 0.9}), smooth)
    assert called(result) == "LY"
    assert not result.is_rescued[0]
    assert "PLY is replaced by the runner-up LY" in result.evidence[0][0].text
    spiky = smooth.copy()
    spiky[0, NAMES.index("spikiness")] = 1.5
    assert called(apply(rules, probs, bench({"PLY": 0.9}), spiky)) == "PLY"


@pytest.mark.parametrize(("value", "expected"), [(5.0, "PC"), (9.5, "VLY"), (float("nan"), "VLY")])
def test_published_plasma_cell(value: float, expected: str) -> None:
    rules = published_rules(WBCBENCH, *plasma_train())
    features = np.full((1, len(NAMES)), 5.0)
    features[0, NAMES.index("cell_area")] = value
    result = apply(rules, bench({"VLY": 0.9, "PC": 0.0003}), bench({"PC": 0.02}), features)
    assert called(result) == expected


def test_published_states_what_was_refitted_or_off() -> None:
    assert (
        "refitted on 40 training cells"
        in published_rules(WBCBENCH, *plasma_train()).table()[1]["reason"]
    )
    few = published_rules(WBCBENCH, *plasma_train(3))
    assert few.table()[1]["reason"].startswith("not estimable: 3 measurable PC cells")
    assert called(apply(few, bench({"PC": 0.9}), bench({}), np.zeros((1, len(NAMES))))) == "PC"
    none = published_rules(PBC, np.zeros((0, len(NAMES))), np.zeros(0, dtype=int))
    assert [row["reason"] for row in none.table()] == [
        "not estimable: taxonomy 'pbc' lacks PLY",
        "not estimable: taxonomy 'pbc' lacks PC",
    ]


TRANSFER = {"PLY": ("PMY", "MY"), "PC": ("ERB", "LY")}


def test_published_constants_can_be_tried_on_other_classes() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(5, 1, (40, len(NAMES)))
    targets = np.full(40, PBC.codes.index("ERB"))
    rules = published_rules(PBC, features, targets, TRANSFER)
    assert [(rule.code, rule.rivals, rule.is_on) for rule in rules.rules] == [
        ("PMY", ("MY",), True),
        ("ERB", ("LY",), True),
    ]
    assert all("transferred to" in rule.reason for rule in rules.rules)
    probs = np.full((1, len(PBC)), 0.01)
    probs[0, [PBC.codes.index("MY"), PBC.codes.index("PMY")]] = 0.7, 0.006
    head = np.full((1, len(PBC)), 0.4)
    spiky = np.full((1, len(NAMES)), 100.0)
    spiky[0, NAMES.index("spikiness")] = 1.5
    assert apply(rules, probs, head, spiky).labels[0] == PBC.codes.index("PMY")


@pytest.mark.parametrize("wrong", [{"BL": ("PMY", "MY")}, {"PLY": ("PMY",)}, {"PC": ()}])
def test_a_transfer_names_a_published_rule_and_a_rival(wrong) -> None:
    with pytest.raises(ConfigError, match=r"refine\.transfer.*PLY or PC"):
        published_rules(PBC, np.zeros((0, len(NAMES))), np.zeros(0, dtype=int), wrong)


def test_missing_head_is_an_error_not_silence() -> None:
    rules = published_rules(WBCBENCH, *plasma_train())
    assert rules.is_head_needed
    with pytest.raises(ConfigError, match=r"embed\.head"):
        apply(rules, bench({"LY": 0.7}), None, np.zeros((1, len(NAMES))))


def test_published_round_trip() -> None:
    rules = published_rules(WBCBENCH, *plasma_train())
    text = json.dumps(rules.to_dict(), allow_nan=False)
    assert json.dumps(RescueRules.from_dict(json.loads(text)).to_dict(), allow_nan=False) == text
