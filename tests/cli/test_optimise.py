"""`--optimise`: only labels move, every row says so, and a job is of one objective."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import buffycoat
from buffycoat.bundle import files
from buffycoat.cli.main import app
from buffycoat.fuse.label_rule import PowerFit
from buffycoat.fuse.prior import apply_prior, uniform
from buffycoat.sources.read import read
from buffycoat.taxonomy import WBCBENCH

pytestmark = pytest.mark.slow  # they wait for a bundle to be trained

K = len(WBCBENCH)


def _run(command: str, *parts: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [command, *map(str, parts)])
    return result.exit_code, " ".join(result.output.split())


def _predict(bundle: Path, cells: Path, out: Path, *options: object) -> tuple[pd.DataFrame, str]:
    code, said = _run("predict", bundle, cells, "--split", "eval", "--out", out, *options)
    assert code == 0, said
    return pd.read_parquet(out), said


def _changed(bundle: Path, folder: Path, **values: object) -> Path:
    """A copy of a bundle with other values in its index."""
    shutil.copytree(bundle, folder)
    index = json.loads((folder / files.INDEX).read_text())
    (folder / files.INDEX).write_text(json.dumps(index | values))
    return folder


@pytest.fixture(scope="module")
def skewed(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle as if nearly all of its training cells had been of the last class."""
    counts = [10**6 if column == K - 1 else 1 for column in range(K)]
    return _changed(tiny_bundle, tmp_path_factory.mktemp("skewed") / "bundle", counts=counts)


def _labels_from(probs: np.ndarray, power: float, counts: np.ndarray) -> list[str]:
    weighted = np.log(probs) + power * np.log(counts / counts.sum())
    return [WBCBENCH.codes[column] for column in weighted.argmax(axis=1)]


def test_only_labels_move_and_the_rows_say_so(skewed, rendered_cells, tmp_path) -> None:
    plain, said = _predict(skewed, rendered_cells, tmp_path / "plain.parquet")
    assert "maximise" not in said
    assert not plain["is_moved"].any()
    moved, said = _predict(
        skewed, rendered_cells, tmp_path / "moved.parquet", "--optimise", "accuracy"
    )
    n_moved = int(moved["is_moved"].sum())
    assert n_moved > 0
    assert f"Labels maximise accuracy at the training class mix: {n_moved} of {len(moved)}" in said
    same = [c for c in plain if c not in ("label", "probability", "is_moved", "evidence")]
    pd.testing.assert_frame_equal(plain[same], moved[same])
    assert (plain["label"] != moved["label"]).tolist() == moved["is_moved"].tolist()
    probs = moved.filter(like="prob_").to_numpy()
    counts = files.read(skewed).counts
    expected = apply_prior(probs, uniform(K), counts / counts.sum()).argmax(axis=1)
    assert moved["label"].tolist() == [WBCBENCH.codes[column] for column in expected]
    row = moved.loc[moved["is_moved"]].iloc[0]
    assert row["probability"] == row[f"prob_{row['label']}"]
    (why,) = [e for e in json.loads(row["evidence"]) if e["code"] == "moved"]
    assert why["text"].endswith("for accuracy at the training class mix")


def test_a_bundle_without_a_fit_says_where_its_power_is_from(
    skewed, rendered_cells, tmp_path
) -> None:
    bare = _changed(skewed, tmp_path / "bare", labels=None)
    table, said = _predict(bare, rendered_cells, tmp_path / "p.parquet", "--optimise", "macro-f1")
    assert "0.25 of the prior is given back, as won on other data: nothing is fitted" in said
    probs = table.filter(like="prob_").to_numpy()
    assert table["label"].tolist() == _labels_from(probs, 0.25, files.read(skewed).counts)


def test_a_bundle_may_do_it_by_itself_and_options_overrule_it(
    skewed, rendered_cells, tmp_path
) -> None:
    fit = PowerFit(0.6, (0.0,) * K, True, {"rows": 100}, "won")
    own = _changed(skewed, tmp_path / "own", labels=fit.to_dict())
    table, said = _predict(own, rendered_cells, tmp_path / "a.parquet")
    probs, counts = table.filter(like="prob_").to_numpy(), files.read(own).counts
    assert table["label"].tolist() == _labels_from(probs, 0.6, counts)
    assert "macro-F1 at the training class mix (0.6 of the prior is given back, fitted out" in said
    none, said = _predict(own, rendered_cells, tmp_path / "b.parquet", "--optimise", "none")
    stated, _ = _predict(own, rendered_cells, tmp_path / "c.parquet", "--prior", "uniform")
    for other in (none, stated):
        assert other["label"].tolist() == _labels_from(probs, 0.0, counts)
        assert not other["is_moved"].any()
    python = buffycoat.load(own)
    cells = read(rendered_cells).of_split("eval")
    assert python.predict_manifest(cells).frame["label"].tolist() == table["label"].tolist()
    bare = python.optimising("none").predict_manifest(cells).frame
    assert bare["label"].tolist() == none["label"].tolist()


def test_costs_and_a_mix_of_one_s_own(tiny_bundle, rendered_cells, tmp_path) -> None:
    costs = tmp_path / "costs.toml"
    costs.write_text("[PC]\n" + "".join(f"{c} = 1e6\n" for c in WBCBENCH.codes if c != "PC"))
    options = ("--optimise", costs, "--mix", "uniform")
    table, said = _predict(tiny_bundle, rendered_cells, tmp_path / "p.parquet", *options)
    assert "Labels maximise the least expected cost at equally frequent classes" in said
    assert (table["label"] == "PC").all(), "a missed plasma cell costs a million others"
    mix = ",".join(f"{code}={int(code == 'LY')}" for code in WBCBENCH.codes)
    options = ("--optimise", "balanced-recall", "--mix", mix)
    table, _ = _predict(tiny_bundle, rendered_cells, tmp_path / "q.parquet", *options)
    assert (table["label"] == "LY").all(), "no other class occurs"


def test_parts_of_another_objective_are_not_gone_on_with(
    tiny_bundle, rendered_cells, tmp_path
) -> None:
    options = ("predict", tiny_bundle, rendered_cells, "--split", "eval", "--out", tmp_path / "out")
    assert _run(*options)[0] == 0
    code, said = _run(*options, "--optimise", "accuracy")
    assert code == 2
    assert "what differs: what labels maximise" in said


def test_workers_maximise_the_same(skewed, rendered_cells, tmp_path) -> None:
    options = ("--optimise", "accuracy")
    alone, _ = _predict(skewed, rendered_cells, tmp_path / "a.parquet", *options)
    two, _ = _predict(skewed, rendered_cells, tmp_path / "b.parquet", *options, "--workers", 2)
    assert alone["label"].tolist() == two["label"].tolist()


def test_explain_says_that_a_label_moved(skewed, rendered_cells, tmp_path) -> None:
    table, _ = _predict(skewed, rendered_cells, tmp_path / "p.parquet", "--optimise", "accuracy")
    name = table.loc[table["is_moved"], "cell_id"].iloc[0]
    (cell,) = [ref.path for ref in read(rendered_cells).refs() if ref.path.endswith(name)]
    out = tmp_path / "why.png"
    code, said = _run("explain", skewed, cell, "--out", out, "--optimise", "accuracy")
    assert code == 0, said
    assert "though another class is more probable" in said
    assert "for accuracy at the training class mix" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--optimise", "f1"), "expected macro-f1, balanced-recall, accuracy, none, or a .csv"),
        (("--mix", "train"), "Give --optimise with it"),
        (("--optimise", "none", "--mix", "uniform"), "Give --optimise with it"),
        (("--optimise", "accuracy", "--mix", "natural"), "expected train, uniform or a mix"),
        (("--optimise", "accuracy", "--mix", "SNE=1"), "LY is missing"),
        (("--optimise", "none.csv"), "costs cannot be read"),
    ],
)
def test_options_that_mean_nothing_are_refused_before_anything_is_decoded(
    tiny_bundle, rendered_cells, tmp_path, options, said
) -> None:
    out = tmp_path / "p.csv"
    code, found = _run("predict", tiny_bundle, rendered_cells, "--out", out, *options)
    assert (code, said in found) == (2, True), found
    assert [path.name for path in tmp_path.iterdir()] == []


def test_scores_of_unknown_mix_are_refused(tiny_bundle, rendered_cells, tmp_path) -> None:
    config = files.read(tiny_bundle).config.model_dump(mode="json")
    config["fuse"]["prior"] = "as_trained"
    bundle = _changed(tiny_bundle, tmp_path / "bundle", config=config, labels=None)
    options = ("predict", bundle, rendered_cells, "--out", tmp_path / "p.csv")
    code, said = _run(*options, "--optimise", "accuracy")
    assert code == 2
    assert "labels cannot maximise accuracy" in said
    assert "Train with fuse.prior=uniform" in said
