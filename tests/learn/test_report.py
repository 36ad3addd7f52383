"""The report is made again from what a run left, and never shows what the run did not score."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from buffycoat.bundle import files
from buffycoat.errors import RunError
from buffycoat.images import read as read_picture
from buffycoat.images import to_work
from buffycoat.learn import run_folder
from buffycoat.learn.report import make_report, report_data
from buffycoat.learn.shown_cells import _Chosen, _examples
from buffycoat.predict import predictor
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE
from buffycoat.sources.read import read
from buffycoat.taxonomy import WBCBENCH


@pytest.fixture(scope="module")
def fitted(tiny_bundle):
    return files.read(tiny_bundle)


@pytest.fixture
def left(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy of what the tiny run left, without its caches: they are not needed."""
    folder = tmp_path / "run"
    skip = shutil.ignore_patterns("cache", "stages", "report.html", "tables")
    shutil.copytree(tiny_bundle.parent, folder, ignore=skip)
    return folder


def _change_first(path: Path, column: str, value: object) -> None:
    table = pd.read_parquet(path)
    table.loc[0, column] = value
    table.to_parquet(path)


def test_the_page_of_training_is_made_again_to_the_byte(tiny_bundle, fitted, left):
    folder = make_report(fitted, run_folder.read(left), left / "report.html")
    first = tiny_bundle.parent
    assert (left / "report.html").read_bytes() == (first / "report.html").read_bytes()
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in (first / "tables").iterdir()}
    assert {"classes.csv", "confusion.csv", "curves.csv", "ablation.csv"} <= names
    for name in names:
        assert (folder / name).read_bytes() == (first / "tables" / name).read_bytes()


def test_the_cells_are_what_predict_says_of_them(tiny_bundle, fitted, rendered_cells):
    held_out = pd.read_parquet(tiny_bundle.parent / run_folder.HELD_OUT)
    cells = read(rendered_cells).of_split("eval")
    said = predictor.Pipeline(fitted).predict_manifest(cells).frame
    same = ["cell_id", "label", "conformal_set", "is_restored", "is_rescued", "is_abstained"]
    pd.testing.assert_frame_equal(held_out[same], said[same], check_dtype=False)
    probs = said.filter(like="prob_").columns
    np.testing.assert_allclose(held_out[probs], said[probs], atol=1e-5)
    assert held_out["true_label"].tolist() == cells.frame["label"].tolist()


def test_pictures_have_the_frame_that_was_scored(fitted, left):
    by_scale = fitted.config.images.model_copy(
        update={"photograph_um": 20.0, "frame_fraction": 0.8}
    )
    scaled = replace(fitted, config=fitted.config.model_copy(update={"images": by_scale}))
    path = left / run_folder.HELD_OUT
    table = pd.read_parquet(path)
    assert table["um_per_px"].isna().all()
    table.assign(um_per_px=0.3).to_parquet(path)  # 96 px show 29 um, of which 16 are kept
    row = report_data(scaled, run_folder.read(left), None).cells.examples[0]
    whole = read_picture(table.set_index("cell_id").loc[row.caption, "path"])
    expected = to_work(whole, by_scale.work_px, 0.8 * 20.0 / (0.3 * 96))
    assert np.array_equal(row.image, expected)


def test_data_that_moved_are_found_by_name(fitted, left, rendered_cells, tmp_path):
    moved = tmp_path / "moved"
    shutil.copytree(rendered_cells, moved)
    _change_first(left / run_folder.HELD_OUT, "path", str(tmp_path / "gone.png"))
    run = run_folder.read(left)
    lost = run.held_out["cell_id"][0]
    before = report_data(fitted, run, None).cells
    assert "not available: where the cells lay in training" in before.note
    assert lost in [cell.caption for cell in before.examples if cell.image is None]
    after = report_data(fitted, run, read(moved)).cells
    assert after.note == ""
    assert all(cell.image is not None for cell in after.examples)


def test_another_file_of_the_same_name_is_no_picture_of_the_cell(
    fitted, left, rendered_cells, tmp_path
):
    other = tmp_path / "other"
    shutil.copytree(rendered_cells, other)
    manifest = read(other)
    first, second = manifest.of_split("eval").frame["path"][:2]
    shutil.copy(second, first)
    cells = report_data(fitted, run_folder.read(left), manifest).cells
    name = manifest.of_split("eval").frame["cell_id"][0]
    blind = {cell.caption for cell in cells.examples if cell.image is None}
    assert blind == {name}
    assert f"(first: {name})" in cells.note


def test_a_run_that_kept_no_cells_says_so(fitted, left):
    (left / run_folder.HELD_OUT).unlink()
    make_report(fitted, run_folder.read(left), left / "report.html")
    page = (left / "report.html").read_text("utf-8")
    assert "This run left no predictions of single cells" in page
    assert NOT_A_MEDICAL_DEVICE in page
    assert "<img" not in page


def test_a_run_without_held_out_labels_shows_the_folds(fitted, left):
    metrics = json.loads((left / run_folder.METRICS).read_text())
    del metrics["evaluations"]["eval"]
    for kind in ("coverage", "abstention"):
        del metrics["doubt"][kind]["eval"]
    (left / run_folder.METRICS).write_text(json.dumps(metrics | {"ablation": []}))
    make_report(fitted, run_folder.read(left), left / "report.html")
    page = (left / "report.html").read_text("utf-8")
    assert "Scores of each class on the training cells (out of fold)" in page
    assert "This run had no labelled held-out cells" in page
    assert "What each stage adds is measured on labelled cells of an evaluation split." in page
    assert "the table above" not in page  # there is none


def test_cells_of_another_run_are_refused(fitted, left):
    labels = pd.read_parquet(left / run_folder.HELD_OUT)["label"]
    _change_first(left / run_folder.HELD_OUT, "label", "LY" if labels[0] != "LY" else "MO")
    with pytest.raises(RunError, match="not those whose figures"):
        make_report(fitted, run_folder.read(left), left / "report.html")


def test_what_is_no_run_is_refused_with_the_remedy(left, tmp_path):
    with pytest.raises(RunError, match="not a finished run"):
        run_folder.read(tmp_path)
    with pytest.raises(RunError, match="not a finished run"):
        run_folder.read(left / "bundle")  # the bundle has metrics too
    (left / run_folder.METRICS).write_text("{}")
    with pytest.raises(RunError, match="no evaluations"):
        run_folder.read(left)
    (left / run_folder.METRICS).write_text("{")
    with pytest.raises(RunError, match="cannot be read"):
        run_folder.read(left)


def test_a_damaged_or_older_table_is_refused(left):
    path = left / run_folder.HELD_OUT
    pd.read_parquet(path).drop(columns="sha256").to_parquet(path)
    with pytest.raises(RunError, match="lacks the columns sha256"):
        run_folder.read(left)
    path.write_bytes(b"PAR1")
    with pytest.raises(RunError, match="cannot be read"):
        run_folder.read(left)


def test_an_audit_is_taken_from_the_run_or_by_name(left, tmp_path):
    assert run_folder.read(left).audit is None
    known = json.loads((left / run_folder.DATA).read_text())["cells_sha256"]
    audit = {"data": "cells", "n_cells": 3, "checks": [], "cells_sha256": known[0]}
    (left / "audit.json").write_text(json.dumps(audit))
    assert run_folder.read(left).audit == audit
    other = tmp_path / "other.json"
    other.write_text(json.dumps(audit | {"data": "others"}))
    found = run_folder.read(left, other).audit
    assert found is not None
    assert found["data"] == "others"
    other.write_text("[]")
    with pytest.raises(RunError, match="not an audit"):
        run_folder.read(left, other)


def _frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    plain = {
        "path": "p",
        "sha256": "",
        "is_rescued": False,
        "is_restored": False,
        "restore_change": "{}",
        "severity": 0.0,
        "is_abstained": True,
    }
    evidence = {
        "low probability": [{"stage": "classify", "code": "low_probability", "text": "low"}],
        "unlike the training cells": [{"stage": "embed", "code": "outlier", "text": "far"}],
    }
    whole = [{**plain, "evidence": json.dumps(evidence[row.pop("why")]), **row} for row in rows]
    return pd.DataFrame(whole).assign(cell_id=[str(n) for n in range(len(whole))])


def test_each_reason_for_doubt_comes_early():
    def row(why: str, probability: float, label: str, true: str):
        return {"why": why, "probability": probability, "label": label, "true_label": true}

    chosen = _Chosen.of(
        _frame(
            [
                row("low probability", 0.3, "LY", "LY"),
                row("low probability", 0.2, "LY", "LY"),
                row("low probability", 0.4, "SNE", "LY"),
                row("unlike the training cells", 0.9, "SNE", "SNE"),
                row("unlike the training cells", 0.8, "SNE", "SNE"),
            ]
        ),
        WBCBENCH.codes,
    )
    assert chosen.doubtful["cell_id"].tolist() == ["1", "4", "0", "3", "2"]
    assert chosen.doubtful["why"].tolist() == [
        *["low probability", "unlike the training cells"] * 2,
        "low probability",
    ]
    assert not len(chosen.rescued)
    assert not len(chosen.tried)


def test_reasons_name_what_is_seen_as_on_the_review_page():
    said = {"stage": "refine", "code": "unusual_feature",
            "text": "nc_ratio 0.521 > 0.504 (MO 99th percentile)"}  # fmt: skip
    row = {"why": "low probability", "probability": 0.3, "label": "MO", "true_label": "MO"}
    frame = _frame([row]).assign(evidence=json.dumps([said]), conformal_set="MO LY")
    (cell,) = _examples(_Chosen.of(frame, WBCBENCH.codes).doubtful, {})
    assert cell.evidence == ["nucleus is large for the cell: 0.521, 99th percentile of MO 0.504"]


def test_a_class_has_right_doubtful_and_wrong_cells_and_confusions_their_surest():
    def row(true: str, label: str, probability: float, is_abstained: bool = False):
        plain = {"why": "low probability", "true_label": true, "label": label}
        return plain | {"probability": probability, "is_abstained": is_abstained}

    chosen = _Chosen.of(
        _frame(
            [
                row("LY", "LY", 0.7),
                row("LY", "LY", 0.9),
                row("LY", "MO", 0.8),
                row("LY", "LY", 0.3, True),
                row("LY", "MO", 0.2, True),
                row("SNE", "BNE", 0.6),
                row("SNE", "BNE", 0.95),
                row("SNE", "SNE", 0.5),
                *(row("MO", "MO", 0.5) for _ in range(8)),
                row("MO", "LY", 0.99),
            ]
        ),
        WBCBENCH.codes,
    )
    of_class = chosen.examples.loc[chosen.examples["true_label"] == "LY"]
    assert of_class["cell_id"].tolist() == ["1", "0", "4", "3", "2"]
    assert of_class["why"].tolist() == ["right", "right", "doubtful", "doubtful", "wrong"]
    assert (chosen.examples["true_label"] == "MO").sum() == 6 + 1  # no more than fit
    assert chosen.confused["cell_id"].tolist() == ["6", "5", "2", "4", "16"]


def test_the_map_has_every_class_and_is_the_same_each_time(fitted, left, rendered_cells):
    run, data = run_folder.read(left), read(rendered_cells)
    first, again = (report_data(fitted, run, data).points for _ in range(2))
    assert [(of.caption, of.kind, of.x, of.y) for of in first] == [
        (of.caption, of.kind, of.x, of.y) for of in again
    ]
    training = [of for of in first if of.kind == "training"]
    codes = fitted.taxonomy.codes
    assert {of.code for of in training} == {codes[n] for n in set(fitted.gallery.targets.tolist())}
    assert all(0 <= of.x <= 1 and 0 <= of.y <= 1 for of in first)
    assert all(of.image is not None for of in first if of.kind != "training")


def test_restored_pairs_alternate_between_accepted_and_refused():
    rows = [
        {"why": "low probability", "probability": 0.5, "label": "LY", "true_label": "LY",
         "is_restored": is_restored, "restore_change": '{"a": 1.0}', "severity": severity}
        for is_restored, severity in ((True, 1.0), (True, 3.0), (True, 2.0), (False, 1.0))
    ]  # fmt: skip
    tried = _Chosen.of(_frame(rows), WBCBENCH.codes).tried
    assert tried["cell_id"].tolist() == ["1", "3", "2", "0"]
