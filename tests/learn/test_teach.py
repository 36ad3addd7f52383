"""A bundle adapted with labels: what is written, what is left out, and what every reader gets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.cli.main import app
from buffycoat.errors import NotEstimableError
from buffycoat.learn import adapt as adapting
from buffycoat.learn import fit_tail, site_checks, site_labels
from buffycoat.learn.site_trial import Trial
from buffycoat.learn.teach import teach
from buffycoat.predict.predictor import Pipeline
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read

CODES = ("SNE", "LY", "MO", "EO")
pytestmark = pytest.mark.slow  # trains a bundle, and writes the graphs of others


@pytest.fixture(autouse=True, scope="module")
def _few_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fit_tail, "STEPS", 5)
        patch.setattr(site_checks, "LARGEST_CLASS", 1.1)  # a model of one epoch calls all alike
        yield


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("abroad") / "cells"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(40):
        image = render_cell(CODES[number % 4], rng, 96).image * np.array((0.45, 0.6, 0.8))
        cv2.imwrite(str(folder / f"{number:03}.png"), image[..., ::-1].astype(np.uint8))
    return read(folder, "images")


@pytest.fixture(scope="module")
def few(abroad: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("labels") / "few.csv"
    codes = [("NE", "LY", "MO", "EO")[number % 4] for number in range(32)]
    pd.DataFrame({"ID": abroad.column("cell_id")[:32], "label": codes}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def adapted(
    tiny_bundle: Path, abroad: Manifest, few: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("adapted") / "new"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trial, "is_kept", property(lambda _: True))
        patch.setattr(Trial, "refuse_loss", lambda *_: None)
        adapting.adapt(tiny_bundle, abroad, out, "north", labels=few)
    return out


def _of_one_model(bundle: Path) -> Fitted:
    fitted = files.read(bundle)
    return replace(fitted, models=fitted.models[:1], temperatures=fitted.temperatures[:1])


def test_the_new_bundle_says_what_it_learned_and_from_what(adapted: Path, few: Path) -> None:
    stored = files.read(adapted)
    assert stored.site is not None
    assert stored.site.has_labels
    record = stored.site.record["labels"]
    assert record["cells"] == {"LY": 8, "MO": 8, "EO": 8, "NE": 8}
    assert record["is_last_stage_taught"]
    assert 0 <= record["right_with_labels"] <= 1
    assert record["gain_over_before"]["unit"] == "image-level"
    assert stored.cascade is None
    assert stored.conformal.counts.sum() == 32
    assert len(stored.outliers.training_scores) == 32
    card = (adapted / "MODEL_CARD.md").read_text()
    assert "With labels of some of 40 cells" in card
    assert "Labelled cells: " in card


def test_table_parquet_and_api_say_the_same(
    adapted: Path, abroad: Manifest, tmp_path: Path
) -> None:
    folder = Path(str(abroad.frame["path"][0])).parent
    asked = "label,probability,conformal_set,is_abstained"
    for name in ("cells.csv", "cells.parquet"):
        arguments = ["predict", str(adapted), str(folder), "--out", str(tmp_path / name)]
        done = CliRunner().invoke(app, [*arguments, "--columns", asked])
        assert done.exit_code == 0, done.stderr
    table = pd.read_csv(tmp_path / "cells.csv", dtype={"ID": str})
    parquet = pd.read_parquet(tmp_path / "cells.parquet")
    images = [cv2.imread(str(path))[..., ::-1] for path in abroad.frame["path"]]
    said = Pipeline.load(adapted).predict(images)
    assert table["labels"].tolist() == parquet["label"].tolist() == [p.label for p in said]
    np.testing.assert_allclose(parquet["probability"], [p.probability for p in said], atol=1e-6)
    assert [tuple(s.split()) for s in parquet["conformal_set"]] == [p.conformal_set for p in said]
    assert parquet["is_abstained"].tolist() == [p.is_abstained for p in said]


def test_the_labelled_cells_do_not_measure_what_they_taught(
    tiny_bundle: Path, abroad: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_tail, "STEPS", 60)
    fitted = _of_one_model(tiny_bundle)
    rng = np.random.default_rng(0)
    noise = {cell: str(rng.choice(["LY", "MO"])) for cell in abroad.column("cell_id")}
    monkeypatch.setattr(Trial, "refuse_loss", lambda *_: None)
    few = site_labels.of(noise, abroad, fitted.taxonomy)
    record = teach(fitted, fitted, few, abroad).record
    assert record["right_with_labels"] < 0.8  # learned by heart it would be 1


def test_without_a_gain_the_networks_stay_and_labels_set_the_doubt(
    tiny_bundle: Path, abroad: Manifest, few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = _of_one_model(tiny_bundle)
    monkeypatch.setattr(Trial, "is_kept", property(lambda _: False))
    monkeypatch.setattr(Trial, "refuse_loss", lambda *_: None)
    taught = teach(fitted, fitted, site_labels.read(few, abroad, fitted.taxonomy), abroad)
    assert taught.fitted.models == fitted.models
    assert taught.fitted.conformal.counts.sum() == 32
    assert any("left out" in sentence for sentence in taught.sentences)


def test_a_loss_is_refused_with_its_figures_and_nothing_is_written(
    tiny_bundle: Path, abroad: Manifest, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = Trial.of
    codes = files.read(tiny_bundle).taxonomy.codes

    def lost(labels: site_labels.SiteLabels, *said: np.ndarray) -> Trial:
        right = np.array([codes.index("SNE" if c == "NE" else c) for c in labels.labels])
        wrong = np.roll(right, 1)
        return of(labels, right, wrong, wrong)

    monkeypatch.setattr(Trial, "of", lost)
    with pytest.raises(NotEstimableError, match="no gain: of the labelled cells"):
        adapting.adapt(tiny_bundle, abroad, tmp_path / "new", labels=few)
    assert not (tmp_path / "new").exists()


def test_a_site_that_looks_like_home_learns_from_labels_too(
    tiny_bundle: Path, abroad: Manifest, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting.Shift, "is_alarm", property(lambda _: False))
    made = adapting.adapt(tiny_bundle, abroad, tmp_path / "new", labels=few)
    assert made.fitted.site is not None
    assert not made.fitted.site.is_standardised
    assert made.fitted.site.has_labels
    index = json.loads((tmp_path / "new" / "bundle.json").read_text())
    assert index["site"]["record"]["labels"]["cells"]["NE"] == 8
