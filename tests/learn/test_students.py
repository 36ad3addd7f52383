"""Students: which cells are named, what a run with them leaves, and what it says of it."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import buffycoat
from buffycoat import config
from buffycoat.config import Config
from buffycoat.fuse.prior import shares
from buffycoat.fuse.pseudo_labels import NONE
from buffycoat.images import load_work
from buffycoat.learn import fit_students, train, train_models, unlabelled, unlabelled_notes
from buffycoat.learn.fit_scores import OutOfFold
from buffycoat.learn.fit_students import name
from buffycoat.predict.stages import Classified
from buffycoat.progress import Silent
from buffycoat.report.markdown import inline


def _scores(n: int, k: int, seed: int) -> OutOfFold:
    """Labelled cells, nearly all called right with high logits."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % k
    logits = rng.normal(size=(n, k)) + 8 * np.eye(k)[targets]
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return OutOfFold(targets, np.zeros(n, int), logs, logits, [1.0], "original", [])


def _said(logits: np.ndarray) -> Classified:
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Classified(logs, logits, np.ones(len(logits), dtype=int))


def test_cells_of_no_known_class_are_not_pulled_into_one() -> None:
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 3, 200)
    known = rng.normal(size=(200, 3)) + 8 * np.eye(3)[classes]
    others = rng.normal(size=(100, 3)) + np.array([3.0, 0, 0])  # sure, and yet unlike all
    said = _said(np.concatenate([known, others]))
    named = _named(said)
    is_named = named.labels[:200] != NONE
    assert is_named.mean() > 0.9
    assert (named.labels[:200][is_named] == classes[is_named]).all()
    assert (named.labels[200:] == NONE).mean() > 0.95
    assert named.is_strange.sum() >= 95


def test_the_class_mix_of_the_unlabelled_cells_is_estimated_not_assumed() -> None:
    rng = np.random.default_rng(2)
    classes = rng.choice(3, size=3000, p=[0.9, 0.08, 0.02])
    logits = rng.normal(size=(3000, 3)) + 8 * np.eye(3)[classes]
    named = _named(_said(logits))
    assert named.mix == pytest.approx([0.9, 0.08, 0.02], abs=0.02)


def _named(said: Classified) -> fit_students.Named:
    settings = _settings()
    limit = fit_students.limit_of(_scores(300, 3, 0), np.ones(300, bool), settings)
    return name(said, fit_students.are_strange([said], [limit]), settings)


def _settings() -> Config:
    return config.load("demo")


def _by_models(n: int, seed: int, shift: float = 0) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits (n, 8, 3) of the same cells by three models of different scales.

    A cell is more or less of its class for all of them; each model and each view adds noise.
    """
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % 3
    of_cell = (6 + rng.normal(size=(n, 1, 1)) - shift) * np.eye(3)[targets][:, None]
    noise = [rng.normal(0, 0.4, (n, 1, 3)) + rng.normal(0, 0.4, (n, 8, 3)) for _ in range(3)]
    return targets, [scale * (of_cell + one) for scale, one in zip((1, 2, 4), noise, strict=True)]


def test_all_models_together_find_as_many_cells_strange_as_is_stated() -> None:
    n, settings = 3000, _settings()
    settings = settings.model_copy(
        update={"classify": settings.classify.model_copy(update={"views": "d4"})}
    )
    targets, models = _by_models(n, 0)
    folds = np.arange(n) // 3 % 3
    views = np.choose(folds[:, None, None], models)
    logits = views.mean(axis=1)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    scores = OutOfFold(targets, folds, logs, logits, [1.0] * 3, "original", [], views)
    looks = fit_students.naming_views(settings)
    assert len(looks) == 2

    def strange(shift: float) -> int:
        _, new = _by_models(n, 1, shift)
        said = [_said(of_model[:, looks].mean(axis=1)) for of_model in new]
        return fit_students.name_together(said, scores, settings).is_strange.sum()

    assert 0.01 < strange(0) / n < 0.03  # new cells like the labelled ones; 2 % is stated
    assert strange(6) > 0.5 * n  # of no class
    for fold, of_model in enumerate(models):
        limit = fit_students.limit_of(scores, folds == fold, settings)
        said = _said(of_model[:, looks].mean(axis=1))
        share = fit_students.are_strange([said], [limit]).mean()
        assert share == pytest.approx(0.02, abs=0.012)


@pytest.fixture(scope="module")
def run(
    archive: Path,
    rendered_cells: Path,
    tiny_overrides: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
):
    """A run that takes cells however little sure its models are, and learns from them."""
    overrides = (*tiny_overrides, "unlabelled.precision=0.05", "unlabelled.strange_above=1")
    settings = config.load("demo", (*overrides, "unlabelled.epochs=1", "restore.take_from="))
    out = tmp_path_factory.mktemp("unlabelled") / "run"
    train.train(rendered_cells, out, settings, without_labels=[archive])
    return out, settings


@pytest.mark.slow
def test_a_run_states_what_unlabelled_cells_brought(run, archive: Path) -> None:
    out, _ = run
    record = json.loads((out / "metrics.json").read_text())["unlabelled"]
    assert sum(record["folds"][0]["named"].values()) > 0
    assert record["is_kept"] == (record["gain"] > 0)
    report, card = (out / "report.html").read_text(), (out / "bundle/MODEL_CARD.md").read_text()
    for sentence in unlabelled_notes.sentences(record):
        assert html.escape(sentence) in report or sentence in report
        assert inline(sentence) in card
    assert str(archive.resolve()) in report
    table = pd.read_csv(out / unlabelled.TABLE)
    for number, fold in enumerate(record["folds"]):
        counts = table[f"fold{number}"].value_counts().to_dict()
        assert {code: counts.get(code, 0) for code in fold["named"]} == fold["named"]
        assert counts.get("of no class", 0) == fold["n_strange"]
    bundle = buffycoat.load(out / "bundle")
    stages = {path.name.rsplit("-", 1)[0] for path in (out / "stages").iterdir()}
    assert {"student0", "student1"} <= stages
    assert "refit0" in stages
    assert len(bundle.fitted.models) == 4


@pytest.mark.slow
def test_a_finished_run_with_unlabelled_cells_trains_nothing_again(
    run, rendered_cells: Path, archive: Path
) -> None:
    out, settings = run
    models = sorted((out / "stages").glob("*student*/model.safetensors"))
    before = [path.stat().st_mtime_ns for path in models]
    train.train(rendered_cells, out, settings, without_labels=[archive])
    assert models == sorted((out / "stages").glob("*student*/model.safetensors"))
    assert [path.stat().st_mtime_ns for path in models] == before


@pytest.mark.slow
def test_students_learn_from_restored_cells_where_models_do_and_give_their_own_prior_back(
    archive: Path,
    rendered_cells: Path,
    tiny_overrides: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As `paper` has it; and a second phase of the fold models leaves no trace in students."""
    changes = ("unlabelled.precision=0.05", "unlabelled.strange_above=1", "unlabelled.epochs=1")
    changes += ("restore.method=non_local_means", "restore.restore_above=0", "restore.gate=false")
    changes += ("restore.use=restored",)
    changes += ("classify.retrain_head_epochs=1", "classify.loss=cross_entropy")
    settings = config.load("demo", (*tiny_overrides, *changes))
    monkeypatch.setattr(fit_students, "_gain", lambda *_: dict(KEPT))
    shown = []
    train_model = train_models.train_model

    def watch(one, *rest):
        shown.append(one.cells)
        return train_model(one, *rest)

    monkeypatch.setattr(train_models, "train_model", watch)
    made = train.train(rendered_cells, tmp_path / "run", settings, without_labels=[archive])
    fitted = buffycoat.load(made.bundle).fitted
    folds, students = shown[0], shown[2]
    n = len(folds.images)
    assert np.array_equal(students.images[:n], folds.images)
    raw = unlabelled.read_cells([archive], Silent())
    work = load_work(raw, settings.images).images
    named = students.rows[students.rows >= n] - n
    assert len(named)
    assert not np.array_equal(students.images[n + named], work[named])  # restored, every one
    # A plain loss on plainly drawn cells leaves the whole class mix in the logits.
    for model, cells in zip(fitted.models[:2], shown[2:4], strict=True):
        assert model.log_prior == pytest.approx(np.log(shares(cells.counts)))


@pytest.mark.slow
def test_without_a_named_cell_nothing_is_trained_and_nothing_gained(
    archive: Path, rendered_cells: Path, tiny_overrides: tuple[str, ...], tmp_path: Path
) -> None:
    none_is_named = ("unlabelled.precision=1", "unlabelled.least_share=0")
    settings = config.load("demo", (*tiny_overrides, *none_is_named))
    out = tmp_path / "run"
    train.train(rendered_cells, out, settings, without_labels=[archive])
    record = json.loads((out / "metrics.json").read_text())["unlabelled"]
    assert sum(sum(fold["named"].values()) for fold in record["folds"]) == 0
    assert (record["is_kept"], record["gain"]) == (False, 0)
    assert not list((out / "stages").glob("student*"))


def test_no_label_of_a_fold_names_the_cells_that_its_student_learns_from() -> None:
    scores = _scores(9, 3, 0)
    other = [replace(scores, temperatures=[first, 2.0, 4.0]) for first in (1.0, 9.0)]
    heats = [fit_students._of_others(one) for one in other]
    assert heats[0][0] == heats[1][0] == 3.0
    assert heats[0][1:] == [2.5, 1.5]


def _record(**changes) -> dict:
    fold = {"n_cells": 100, "n_strange": 3, "named": {"SNE": 40, "PMY": 2}, "estimated_mix": {}}
    folds = [fold, {**fold, "named": {"SNE": 38, "PMY": 3}}]
    return {
        "classes": ["SNE", "PMY"],
        "left_out": {unlabelled.COPY: 2, unlabelled.NO_CELL: 0},
        "folds": folds,
        **KEPT,
    } | changes


def test_sentences_say_what_was_named_and_what_left_out() -> None:
    words = " ".join(unlabelled_notes.sentences(_record(before=0.6, after=0.7)))
    assert (
        "each model learned from 41 to 42 that an earlier one had named (SNE 38 to 40, PMY" in words
    )
    assert "; 3 resembled no class." in words
    assert f"Left out: 2 {unlabelled.COPY}." in words
    assert (
        "0.600 -> 0.700 (gain +0.100, 95 % interval +0.000 to +0.200), so the new ones are kept."
        in words
    )


def test_weak_teachers_and_a_class_that_crowds_out_the_others_are_warned_of() -> None:
    assert len(unlabelled_notes.warnings(_record())) == 2
    assert "balanced macro-F1 of 0.100" in unlabelled_notes.warnings(_record())[0]
    assert "95 % of the cells that a model named are SNE" in unlabelled_notes.warnings(_record())[1]
    folds = [{**_record()["folds"][0], "named": {"SNE": 40, "PMY": 20}}]
    assert unlabelled_notes.warnings(_record(before=0.6, folds=folds)) == []
    crowded = [*folds, {**folds[0], "named": {"SNE": 1, "PMY": 20}}]  # one model is enough
    assert "95 % of the cells that a model named are PMY" in " ".join(
        unlabelled_notes.warnings(_record(before=0.6, folds=crowded))
    )


def test_how_sure_the_names_are_is_said_and_warned_of() -> None:
    fold = {**_record()["folds"][0], "named": {"SNE": 40, "PMY": 20}}
    folds = [{**fold, "expected_right": 0.954}, {**fold, "expected_right": 0.712}]
    record = _record(before=0.6, folds=folds)
    assert (
        "probabilities of these models 71 to 95 % of the names are right"
        in unlabelled_notes.named(record)
    )
    assert "expects 71 % of its names" in " ".join(unlabelled_notes.warnings(record))
    sure = _record(before=0.6, folds=folds[:1])
    assert unlabelled_notes.warnings(sure) == []


def test_the_expected_share_is_the_mean_probability_of_the_names() -> None:
    probs = np.array([[0.9, 0.1], [0.2, 0.8], [0.55, 0.45], [0.5, 0.5]])
    logs = np.log(probs)
    found = name(
        Classified(logs, logs, np.ones(4, dtype=int)), np.arange(4) == 3, config.load("demo")
    )
    assert len(found.rows)
    assert found.expected_right is not None
    assert 0.5 < found.expected_right <= 1
    assert found.to_dict(["A", "B"])["expected_right"] == found.expected_right
    none = name(
        Classified(logs, logs, np.ones(4, dtype=int)), np.full(4, True), config.load("demo")
    )
    assert none.expected_right is None


KEPT = {"before": 0.1, "after": 0.2, "gain": 0.1, "low": 0.0, "high": 0.2, "is_kept": True}
