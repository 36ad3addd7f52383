"""The public functions give what the commands give, and importing them loads nothing heavy."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import buffycoat
from buffycoat import errors, images
from buffycoat.api.cells import manifest_of
from buffycoat.cli.main import app
from buffycoat.learn import adapt as adapting
from buffycoat.learn import site_checks
from buffycoat.simulate.fields import Placed, render_field
from buffycoat.simulate.render import render_cell

CODES = ("SNE", "LY", "MO", "EO")


def _run(*words: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == code, (done.output, done.exception)
    return done.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight rendered cells."""
    place = tmp_path_factory.mktemp("api") / "cells"
    rng = np.random.default_rng(0)
    for number in range(8):
        image = render_cell(CODES[number % 4], rng, 96 + 8 * number).image
        images.write_png(place / f"{number}.png", image)
    return place


@pytest.fixture(scope="module")
def predicted(folder: Path) -> pd.DataFrame:
    return buffycoat.predict(folder)


def test_predict_gives_the_table_of_the_command(
    folder: Path, predicted: pd.DataFrame, tmp_path: Path
) -> None:
    _run("predict", "starter", folder, "--out", tmp_path / "all.parquet")
    pd.testing.assert_frame_equal(predicted, pd.read_parquet(tmp_path / "all.parquet"))
    options = ("--columns", "doubt", "--prior", "train", "--optimise", "macro-f1")
    _run("predict", "starter", folder, "--out", tmp_path / "few.parquet", *options)
    few = buffycoat.predict(folder, columns="doubt", prior="train", optimise="macro-f1")
    pd.testing.assert_frame_equal(few, pd.read_parquet(tmp_path / "few.parquet"))


def test_all_forms_of_cells_give_the_same_numbers(folder: Path, predicted: pd.DataFrame) -> None:
    paths = images.list_images(folder)
    photographs = [images.read(path) for path in paths]
    table = pd.DataFrame({"path": paths, "slide_id": "one", "mine": range(8)})
    forms = (paths, [str(p) for p in paths], np.array(paths, str), table, photographs)
    forms = (*forms, buffycoat.read_cells(folder, "images"))
    bundle = buffycoat.load("starter")
    for cells in forms:
        found = buffycoat.predict(cells, bundle)
        same = ["label", "probability", "outlier_score", "reasons", "evidence", "prob_LY"]
        pd.testing.assert_frame_equal(found[same], predicted[same], check_dtype=False)
    assert buffycoat.predict(table, bundle)["slide_id"].tolist() == ["one"] * 8
    assert buffycoat.predict(paths, bundle)["cell_id"].tolist() == [str(path) for path in paths]
    one = np.stack([images.read(paths[0])] * 2)
    assert buffycoat.predict(one, bundle, columns=["entropy"])["cell_id"].tolist() == ["0", "1"]


def test_parts_are_kept_and_not_predicted_twice(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = buffycoat.predict(folder, columns="label", parts=tmp_path / "parts")
    from buffycoat.predict import workers

    def fail(*_: object) -> None:
        raise AssertionError("predicted again")

    monkeypatch.setattr(workers, "predict_batches", fail)
    again = buffycoat.predict(folder, columns="label", parts=tmp_path / "parts")
    pd.testing.assert_frame_equal(first, again)


def test_unreadable_cells_are_refused_or_listed(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "bad.png").write_bytes(b"no image")
    paths = [folder / "0.png", tmp_path / "bad.png", tmp_path / "gone.png"]
    for function in (buffycoat.predict, buffycoat.measure):
        with pytest.raises(errors.BadCellsError, match="2 of 3 cells cannot be read") as caught:
            function(paths)
        assert [path for _, path, _ in caught.value.cells] == [str(path) for path in paths[1:]]
        with caplog.at_level(logging.WARNING):
            found = function(paths, allow_bad=2)
        assert len(found) == 1
        assert [row["path"] for row in found.attrs["bad_cells"]] == [str(p) for p in paths[1:]]
        assert "2 cells could not be read" in caplog.text


def test_what_is_asked_for_wrongly_is_refused_with_words(folder: Path) -> None:
    flat = np.zeros((4, 4), np.uint8)
    refused: tuple[tuple[dict[str, object], str], ...] = (
        ({"cells": flat}, r"got an array of shape \(4, 4\), uint8"),
        ({"cells": [np.zeros((4, 4, 3))]}, "float64"),
        ({"cells": [np.zeros((9, 90, 3), np.uint8)]}, "90 x 9 px, expected at least 16"),
        ({"cells": [flat, "a.png"]}, "ndarray and str"),
        ({"cells": [1, 2]}, "got int"),
        ({"cells": pd.DataFrame({"file": ["a"]})}, "column 'path' is missing; it has file"),
        ({"cells": folder / "gone"}, "no such file or folder"),
        ({"cells": folder, "columns": "labels,entropi"}, "Did you mean 'entropy'"),
        ({"cells": folder, "prior": "even"}, "prior"),
        ({"cells": folder, "mix": "train"}, "Give optimise with it"),
        ({"cells": folder, "bundle": folder}, "bundle"),
    )
    for arguments, words in refused:
        with pytest.raises(errors.BuffycoatError, match=words):
            buffycoat.predict(**arguments)  # type: ignore[arg-type]


def test_measure_gives_the_table_of_the_command(folder: Path, tmp_path: Path) -> None:
    _run("measure", folder, "--out", tmp_path / "f.parquet", "--um-per-px", "0.2")
    expected = pd.read_parquet(tmp_path / "f.parquet")
    pd.testing.assert_frame_equal(buffycoat.measure(folder, um_per_px=0.2), expected)
    photographs = [images.read(path) for path in images.list_images(folder)]
    found = buffycoat.measure(photographs, um_per_px=0.2)
    pd.testing.assert_frame_equal(found.drop(columns="cell_id"), expected.drop(columns="cell_id"))


def test_evaluate_and_differential_give_the_figures_of_the_commands(
    predicted: pd.DataFrame, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    ids = [f"{n}.png" for n in range(80)]
    truth = dict(zip(ids, [CODES[n % 4] for n in range(80)], strict=True))
    said = predicted.iloc[[n % 8 for n in range(80)]].assign(cell_id=ids, slide_id="one")
    patients = pd.Series([f"p{n % 7}" for n in range(80)], index=ids)
    severity = dict(zip(ids, rng.integers(0, 5, 80).tolist(), strict=True))
    said.to_parquet(tmp_path / "said.parquet", index=False)
    pd.DataFrame({"ID": ids, "labels": truth.values()}).to_csv(tmp_path / "truth.csv", index=False)
    pd.DataFrame({"ID": ids, "patient_id": patients.tolist()}).to_csv(
        tmp_path / "patients.csv", index=False
    )
    pd.DataFrame({"ID": ids, "severity": severity.values()}).to_csv(
        tmp_path / "severity.csv", index=False
    )
    out = tmp_path / "figures.json"
    _run("evaluate", tmp_path / "said.parquet", tmp_path / "truth.csv", "--train-counts", "starter",
         "--patients", tmp_path / "patients.csv", "--severity", tmp_path / "severity.csv",
         "--out", out)  # fmt: skip
    scores = buffycoat.evaluate(
        said, truth, patients=patients, severity=severity, train_counts="starter"
    )
    assert json.loads(json.dumps(scores.figures)) == json.loads(out.read_text())
    assert (scores.n, scores.level) == (80, "patient-level")
    assert scores.macro_f1 is not None
    assert scores.macro_f1.in_words() in str(scores)
    assert scores.confusion.to_numpy().sum() == 80
    assert scores.per_class.loc["LY", "support"] == 20
    _run("differential", tmp_path / "said.parquet", "--by", "slide_id", "--max-doubtful", 100,
         "--out", tmp_path / "d.csv")  # fmt: skip
    figures = buffycoat.differential(said, max_doubtful=100)
    expected = pd.read_csv(tmp_path / "d.csv")
    assert figures.columns.tolist() == expected.columns.tolist()
    assert figures["raw_high"].tolist() == pytest.approx(expected["raw_high"].tolist())
    assert figures["count"].tolist() == expected["count"].tolist()


def test_tables_in_memory_lose_nothing() -> None:
    ids = [f"{n}.png" for n in range(80)]
    truth = dict(zip(ids, [CODES[n % 4] for n in range(80)], strict=True))
    said = pd.Series(truth)
    double = pd.concat([said, pd.Series({"0.png": "EO"})])
    with pytest.raises(errors.ManifestError, match=r"'0\.png' is used twice"):
        buffycoat.evaluate(double, truth)
    frame = pd.DataFrame({"ID": ids, "label": list(truth.values())}).set_index("ID")
    frame.attrs["note"] = object()  # what JSON cannot hold
    scores = buffycoat.evaluate(said, frame)
    assert scores.n == 80
    values, counts = np.unique(list(truth.values()), return_counts=True)
    for given in (dict(zip(values, counts, strict=True)), said.value_counts()):
        other = buffycoat.evaluate(said, frame, train_counts=given)
        assert other.interval("prior_weighted_macro_f1") is not None
    assert frame.attrs.keys() == {"note"}
    with pytest.raises(errors.ManifestError, match="table of labels: none of its IDs") as caught:
        buffycoat.evaluate(said, {"x": "LY"})
    assert tempfile.gettempdir() not in str(caught.value)
    table = pd.DataFrame({"path": ["a.png", "b.png"], "patient_id": [3, np.nan]})
    assert manifest_of(table).frame["patient_id"].fillna("").tolist() == ["3", ""]


def test_a_cell_s_box_is_what_every_function_looks_at(folder: Path, tmp_path: Path) -> None:
    cells = [images.read(folder / f"{n}.png")[:96, :96] for n in range(2)]
    images.write_png(tmp_path / "two.png", np.hstack(cells))
    table = pd.DataFrame({"path": str(tmp_path / "two.png"), "box": ["0,0,96,96", "96,0,96,96"]})
    table["cell_id"], table["label"], table["split"] = ["a", "b"], ["SNE", "LY"], ["train", "test"]
    pd.testing.assert_frame_equal(
        buffycoat.measure(table).drop(columns="cell_id"),
        buffycoat.measure(cells).drop(columns="cell_id"),
    )
    same = ["label", "probability"]
    expected = buffycoat.predict(cells)[same]
    pd.testing.assert_frame_equal(buffycoat.predict(table)[same], expected, check_dtype=False)
    found = buffycoat.audit(table)
    assert "exact_copies" not in {one.name for one in found.of_state("found")}


def test_the_cells_that_find_gave_are_taken_as_they_are(tmp_path: Path) -> None:
    placed = [Placed("LY", 30, 30), Placed("SNE", 60, 60)]
    drawn = render_field(placed, np.random.default_rng(0), 360)
    images.write_png(tmp_path / "fields" / "a.png", drawn.image)
    found = buffycoat.find(tmp_path / "fields", tmp_path / "cells")
    cells = found.cells.assign(path=[str(found.folder / path) for path in found.cells["path"]])
    expected = buffycoat.predict(found.folder)
    table = buffycoat.predict(cells).set_index("cell_id").loc[expected["cell_id"]].reset_index()
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


def test_photographs_of_another_laboratory_are_told_as_files_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rng = np.random.default_rng(0)
    cells = [render_cell(CODES[n % 4], rng, 96).image // np.uint8(3) for n in range(20)]
    for number, image in enumerate(cells):
        images.write_png(tmp_path / f"{number:02}.png", image)
    said = []
    for given in (tmp_path, cells):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "buffycoat"):
            buffycoat.predict(given)
        said.append([one.getMessage().replace(str(tmp_path), "CELLS") for one in caplog.records])
    assert said[0]
    assert said[0] == said[1]


def test_find_gives_the_tables_of_the_command(tmp_path: Path) -> None:
    placed = [Placed("LY", 30, 30), Placed("SNE", 60, 60)]
    field = render_field(placed, np.random.default_rng(0), 360)
    images.write_png(tmp_path / "fields" / "a.png", field.image)
    (tmp_path / "fields" / "b.png").write_bytes(b"no image")
    _run("find", tmp_path / "fields", "--out", tmp_path / "command", "--allow-bad", 1)
    with pytest.raises(errors.BadCellsError, match="1 of 2 fields cannot be used"):
        buffycoat.find(tmp_path / "fields", tmp_path / "function")
    found = buffycoat.find(tmp_path / "fields", tmp_path / "function", allow_bad=1)
    expected = pd.read_parquet(tmp_path / "command" / "cells.parquet")
    pd.testing.assert_frame_equal(found.cells, expected)
    fields = pd.read_csv(tmp_path / "command" / "fields.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(found.fields, fields, check_dtype=False)
    assert found.bad["ID"].tolist() == ["b.png"]
    assert len(found.parts) == 0
    of_folder = [{p.name for p in (tmp_path / f).rglob("*.png")} for f in ("command", "function")]
    assert of_folder[0] == of_folder[1]


def test_audit_gives_what_the_command_gives(folder: Path, tmp_path: Path) -> None:
    table = pd.DataFrame({"path": images.list_images(folder), "label": CODES * 2})
    table["split"] = ["train"] * 6 + ["test"] * 2
    images.write_png(tmp_path / "copy.png", images.read(folder / "0.png"))
    table.loc[8] = [tmp_path / "copy.png", "SNE", "test"]
    table.astype(str).to_csv(tmp_path / "cells.csv", index=False)
    _run("audit", tmp_path / "cells.csv", "--out", tmp_path / "audit", code=4)
    written = json.loads((tmp_path / "audit" / "audit.json").read_text())
    found = buffycoat.audit(tmp_path / "cells.csv")
    assert json.loads(json.dumps(found.to_dict())) == written
    assert not found.is_clean
    states = {check["check"]: check["state"] for check in written["checks"]}
    assert {one.name: one.state for one in buffycoat.audit(table).results} == states
    with pytest.raises(errors.ConfigError, match="Options"):
        buffycoat.audit(table, ignore=["nothing"])


@pytest.mark.slow  # writes the graphs of two bundles
def test_adapt_gives_the_bundle_of_the_command(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_checks, "LARGEST_CLASS", 1.1)  # the tiny model calls all cells alike
    monkeypatch.setattr(adapting, "_sureness", lambda _: 0.5)
    rng = np.random.default_rng(0)
    for number in range(40):
        image = render_cell(CODES[number % 4], rng, 96).image * np.array((0.45, 0.6, 0.8))
        images.write_png(tmp_path / "north" / f"{number:03}.png", image.astype(np.uint8))
    output = " ".join(
        _run("adapt", tiny_bundle, tmp_path / "north", "--out", tmp_path / "a").split()
    )
    made = buffycoat.adapt(tmp_path / "north", tmp_path / "b", tiny_bundle)
    for sentence in made.sentences:
        assert " ".join(sentence.split()) in output
    one, other = (buffycoat.load(tmp_path / name) for name in "ab")
    assert one.fitted.site is not None
    assert other.fitted.site is not None
    assert other.fitted.site.name == one.fitted.site.name == "north"
    few = sorted((tmp_path / "north").iterdir())[:4]
    rows = ["label", "probability", "conformal_set"]
    found = [buffycoat.predict(few, bundle)[rows] for bundle in (one, made.pipeline)]
    pd.testing.assert_frame_equal(*found)


def test_a_refused_adaptation_leaves_no_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(errors.NotEstimableError):
        buffycoat.adapt(folder, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_progress_is_silent_unless_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    buffycoat.measure([folder / "0.png"])
    assert capsys.readouterr() == ("", "")
    buffycoat.measure([folder / "0.png"], progress=True)
    assert "measure" in capsys.readouterr().err
