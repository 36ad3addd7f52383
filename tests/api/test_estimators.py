"""The estimators keep scikit-learn's contract, and classify cells."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import parametrize_with_checks

import buffycoat
from buffycoat import images
from buffycoat.api import features
from buffycoat.bundle import files
from buffycoat.errors import BadCellsError, BundleError, ConfigError, ManifestError, ShapeError
from buffycoat.refine.features import NAMES
from buffycoat.simulate.render import render_cell

CODES = ("EO", "LY", "SNE")


@parametrize_with_checks([buffycoat.CellClassifier("passthrough")])
def test_the_classifier_keeps_the_contract_on_numbers(estimator, check) -> None:
    """Every check of scikit-learn's applies where X holds numbers."""
    check(estimator)


WITHOUT_NUMBERS = (
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_mixin_order",
)
"""Checks that hand no table of numbers over. All others do, and photographs are none."""


@pytest.mark.parametrize("name", WITHOUT_NUMBERS)
@pytest.mark.parametrize("kind", [buffycoat.CellFeatures, buffycoat.CellClassifier])
def test_estimators_on_photographs_keep_the_rest(kind: type, name: str) -> None:
    getattr(estimator_checks, name)(kind.__name__, kind())


@pytest.fixture(scope="module")
def cells() -> tuple[list[np.ndarray], np.ndarray]:
    """Thirty-six photographs and their classes."""
    rng = np.random.default_rng(0)
    y = np.array(CODES * 12)
    return [render_cell(code, rng, 96).image for code in y], y


@pytest.fixture(scope="module")
def rows(cells: tuple[list[np.ndarray], np.ndarray]) -> np.ndarray:
    return buffycoat.CellFeatures().fit_transform(cells[0])


def test_rows_are_embedding_and_morphology(cells, rows: np.ndarray) -> None:
    made = buffycoat.CellFeatures().fit(cells[0])
    assert rows.shape == (36, len(made.get_feature_names_out()))
    assert made.get_feature_names_out()[-len(NAMES) :].tolist() == list(NAMES)
    width = rows.shape[1] - len(NAMES) - 1
    assert np.linalg.norm(rows[:, :width], axis=1) == pytest.approx(1.0)
    table = buffycoat.measure(cells[0])[list(NAMES)].to_numpy()
    assert np.array_equal(rows[:, width + 1 :], table, equal_nan=True)
    assert np.array_equal(made.transform(cells[0][5:6]), rows[5:6], equal_nan=True)
    only = buffycoat.CellFeatures(morphology=False).fit_transform(cells[0][:2])
    assert np.array_equal(only, rows[:2, :width])


def test_a_pipeline_takes_paths_in_every_form(cells, rows: np.ndarray, tmp_path: Path) -> None:
    paths = []
    for number, image in enumerate(cells[0]):
        paths.append(tmp_path / f"{number}.png")
        images.write_png(paths[-1], image)
    made = buffycoat.CellFeatures(embedding=False, cache=tmp_path / "cache")
    expected = made.fit_transform(cells[0])
    frame = pd.DataFrame({"path": list(map(str, paths)), "site": "a"})
    column = np.array(paths, dtype=object)
    for form in (paths, column, column[:, None], frame, frame["path"], frame[["path"]]):
        assert np.array_equal(made.transform(form), expected, equal_nan=True)
    assert np.array_equal(made.transform(paths[:1] * 2), expected[[0, 0]], equal_nan=True)
    both = ColumnTransformer([("cells", clone(made), "path")]).fit_transform(frame)
    assert np.array_equal(both, expected, equal_nan=True)
    piped = make_pipeline(clone(made), SimpleImputer(), StandardScaler(), LogisticRegression())
    assert cross_val_score(piped, np.array(list(map(str, paths))), cells[1], cv=3).mean() > 0.8
    shown = clone(made).set_output(transform="pandas").fit_transform(paths)
    assert shown.columns.tolist() == ["mask_quality", *NAMES]


@pytest.fixture(scope="module")
def by_scale(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The starter, as if it had been trained on photographs of 20 micrometres."""
    folder = tmp_path_factory.mktemp("by_scale") / "bundle"
    shutil.copytree(files.locate("starter"), folder)
    index = json.loads((folder / files.INDEX).read_text(encoding="utf-8"))
    index["config"]["images"] |= {"photograph_um": 20.0, "frame_fraction": 0.8}
    files.write_index(folder, index)
    return folder


def test_a_scale_that_is_stated_counts(cells, by_scale: Path, tmp_path: Path) -> None:
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, image in zip(paths, cells[0], strict=False):
        images.write_png(path, image)
    told = [0.3, 0.25, None]
    frame = pd.DataFrame({"path": list(map(str, paths)), "um_per_px": told})
    made = buffycoat.CellFeatures(by_scale).fit(frame)
    found = made.set_output(transform="pandas").transform(frame)
    pipeline = buffycoat.load(by_scale)
    settings = pipeline.fitted.config.images
    work = np.stack([images.framed(c, settings, um) for c, um in zip(cells[0], told, strict=False)])
    width = pipeline.fitted.encoder.width
    embedded = found.to_numpy()[:, :width]
    assert embedded == pytest.approx(pipeline.fitted.encoder.encode(work), abs=1e-5)
    unscaled = buffycoat.CellFeatures(by_scale, morphology=False).fit_transform(paths)
    assert unscaled[2] == pytest.approx(embedded[2], abs=1e-5)
    assert unscaled[0] != pytest.approx(embedded[0], abs=1e-3)
    assert found["cell_diameter_um"].tolist() == pytest.approx(
        (found["cell_diameter_px"] * [0.3, 0.25, np.nan]).tolist(), nan_ok=True
    )
    one = buffycoat.CellFeatures(um_per_px=0.2, embedding=False).fit_transform(cells[0][:2])
    table = buffycoat.measure(cells[0][:2], um_per_px=0.2)
    names = buffycoat.CellFeatures(um_per_px=0.2, embedding=False).fit(cells[0][:2])
    expected = table[names.get_feature_names_out().tolist()].to_numpy()
    assert np.array_equal(one, expected, equal_nan=True)


def test_a_scale_that_nothing_looks_at_is_refused(cells) -> None:
    for um_per_px, options, words in (
        (30.0, {}, r"um_per_px: expected micrometres from 0\.01 to 5"),
        (0.2, {"morphology": False}, "um_per_px: this bundle frames cells by the size of the"),
    ):
        with pytest.raises(ConfigError, match=words):
            buffycoat.CellFeatures(um_per_px=um_per_px, **options).fit(cells[0][:2])
    frame = pd.DataFrame({"path": ["a.png", "b.png"], "um_per_px": ["0.1", "wide"]})
    with pytest.raises(ConfigError, match="X: column um_per_px: expected micrometres"):
        buffycoat.CellFeatures().fit(frame)


def test_a_cache_gives_the_same_rows(cells, rows: np.ndarray, tmp_path: Path) -> None:
    for _ in range(2):
        found = buffycoat.CellFeatures(cache=tmp_path).fit_transform(cells[0][:4])
        assert np.array_equal(found, rows[:4], equal_nan=True)
    assert any(tmp_path.rglob("*.safetensors"))


def test_the_classifier_learns_cells_and_is_searched(cells, rows: np.ndarray) -> None:
    photographs, y = cells
    model = buffycoat.CellClassifier().fit(photographs[:24], y[:24])
    assert model.score(photographs[24:], y[24:]) > 0.8
    assert model.classes_.tolist() == list(CODES)
    probs = model.predict_proba(photographs[24:])
    assert probs.sum(axis=1) == pytest.approx(1)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict_proba(photographs[24:]), probs)
    assert len(pickle.dumps(model)) < 500_000
    plain = buffycoat.CellClassifier("passthrough").fit(rows[:24], y[:24])
    assert plain.predict_proba(rows[24:]) == pytest.approx(probs)
    search = GridSearchCV(clone(plain), {"C": [0.01, 1.0], "prior": ["uniform", "train"]}, cv=3)
    assert search.fit(rows, y).best_score_ > 0.8
    nested = buffycoat.CellClassifier(buffycoat.CellFeatures(embedding=False))
    search = GridSearchCV(nested, {"features__morphology": [True], "C": [1.0]}, cv=2)
    assert search.fit(photographs, y).best_score_ > 0.6


def test_a_prior_moves_probabilities_and_not_their_order_within_a_class(rows: np.ndarray) -> None:
    y = np.array(["LY"] * 30 + ["PMY"] * 6)
    even, train, mine = (
        buffycoat.CellClassifier("passthrough", prior=prior).fit(rows, y).predict_proba(rows)[:, 1]
        for prior in ("uniform", "train", {"LY": 99, "PMY": 1})
    )
    assert (mine < train).all()
    assert (train < even).all()
    odds = (even / (1 - even)) / (train / (1 - train))
    assert odds == pytest.approx(5.0, rel=1e-6)
    for prior in ("even", {"LY": 1}, {"LY": -1, "PMY": 2}):
        with pytest.raises(ConfigError, match="prior"):
            buffycoat.CellClassifier("passthrough", prior=prior).fit(rows, y)


def test_faults_are_named(cells, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photographs, y = cells
    (tmp_path / "bad.png").write_bytes(b"no image")
    made = buffycoat.CellFeatures(embedding=False).fit(photographs)
    with pytest.raises(BadCellsError, match=r"2 of 3 cells cannot be read[\s\S]*gone.png"):
        made.transform([tmp_path / "bad.png", tmp_path / "gone.png", photographs[0]])
    refused = (
        ([], "no cells"),
        ([1.5], "1.5"),
        ([np.zeros((4, 4))], "float64"),
        ([np.zeros((90, 90, 4), np.uint8)], r"\(90, 90, 4\), uint8"),
        (str(tmp_path), "got one path"),
    )
    for wrong, words in refused:
        with pytest.raises(ShapeError, match=words):
            made.transform(wrong)
    with pytest.raises(ShapeError, match="one column of paths; it has a, b"):
        made.transform(pd.DataFrame({"a": ["x"], "b": ["y"]}))
    with pytest.raises(ConfigError, match="both off"):
        buffycoat.CellFeatures(embedding=False, morphology=False).fit(photographs)
    with pytest.raises(ConfigError, match="expected a CellFeatures"):
        buffycoat.CellClassifier("numbers").fit(photographs, y)
    with pytest.raises(ShapeError, match="Give the class of each cell"):
        buffycoat.CellClassifier().fit(photographs, None)
    with pytest.raises(ShapeError, match="35 labels for 36 cells"):
        buffycoat.CellClassifier().fit(photographs, y[1:])
    features._fitted.cache_clear()
    changed = buffycoat.CellFeatures(morphology=False).fit(photographs)
    changed.bundle_sha256_ = "0" * 64
    with pytest.raises(BundleError, match="changed since `fit`"):
        changed.transform(photographs[:1])


@pytest.mark.parametrize("nothing", [None, pd.NA, np.nan, " ", "nan"])
@pytest.mark.parametrize("form", [list, np.array, pd.Series])
def test_cells_without_a_label_are_named(nothing: object, form, rows: np.ndarray) -> None:
    y = ["LY", "EO"] * 18
    y[3] = y[7] = nothing  # type: ignore[call-overload]
    with pytest.raises(ManifestError, match=r"no label for 2 of 36 cells, rows from 0: 3, 7\. L"):
        buffycoat.CellClassifier("passthrough").fit(rows, form(y))
    y = [nothing] * 36
    with pytest.raises(ManifestError, match=r"36 of 36 cells, rows .* 9 and 26 more"):
        buffycoat.CellClassifier("passthrough").fit(rows, form(y))


def test_categories_and_numbers_are_labels(rows: np.ndarray) -> None:
    for y in (pd.Series(["LY", "EO"] * 18, dtype="category"), [0, 1] * 18):
        assert len(buffycoat.CellClassifier("passthrough").fit(rows, y).classes_) == 2
