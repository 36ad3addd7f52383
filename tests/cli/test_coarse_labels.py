"""Labels coarser than a class, from the training cells to the scores, through the commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

pytestmark = pytest.mark.slow

MEMBERS = ("SNE", "BNE")
FIVE = ("NE", "LY", "MO", "EO", "BA")


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return " ".join(result.output.split())


def train(data: Path, out: Path, changes: tuple[str, ...], *options: str) -> str:
    settings = [part for change in ("taxonomy=auto", *changes) for part in ("--set", change)]
    return run("train", data, "--preset", "demo", "--out", out, *settings, *options)


def table_of(cells: Path, out: Path, relabel: Callable[[str, int], str | None]) -> Path:
    """A table of the rendered cells, each with a label of its class and its number in it; None
    leaves it out."""
    rows = []
    for split, folder, labels in (
        ("train", "phase1", "phase1_label.csv"),
        ("train", "phase2/train", "phase2_train.csv"),
        ("eval", "phase2/eval", "phase2_eval.csv"),
    ):
        known = pd.read_csv(cells / labels)
        for name, group in known.groupby("labels"):
            for number, cell_id in enumerate(group["ID"]):
                label = relabel(str(name), number)
                if label is not None:
                    rows.append((cells / folder / cell_id, label, split))
    frame = pd.DataFrame(rows, columns=["path", "label", "split"])
    out.mkdir()
    frame["path"] = [
        shutil.copy(path, out / f"{n}{path.suffix}").name for n, path in frame["path"].items()
    ]
    frame.to_csv(out / "cells.csv", index=False)
    return out / "cells.csv"


def labels_of(table: Path, split: str, out: Path) -> Path:
    frame = pd.read_csv(table).query("split == @split")
    frame.rename(columns={"path": "ID", "label": "labels"})[["ID", "labels"]].to_csv(
        out, index=False
    )
    return out


@pytest.fixture(scope="module")
def mixed(
    rendered_cells: Path, tiny_overrides: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, str]:
    """A table in which some neutrophils are known only as such, the run on it, and what it said."""
    folder = tmp_path_factory.mktemp("mixed")
    table = table_of(
        rendered_cells, folder / "data", lambda code, n: "NE" if code in MEMBERS and n % 2 else code
    )
    frame = pd.read_csv(table)
    extra = frame[(frame["split"] == "eval") & frame["label"].isin(MEMBERS)].copy()
    extra["path"] = [
        Path(shutil.copy(folder / "data" / path, folder / "data" / f"copy-{path}")).name
        for path in extra["path"]
    ]
    pd.concat([frame, extra.assign(label="NE")]).to_csv(table, index=False)
    return table, folder / "run", train(table, folder / "run", tiny_overrides)


def test_training_says_how_coarse_cells_were_used(mixed: tuple[Path, Path, str]) -> None:
    table, out, _ = mixed
    frame = pd.read_csv(table).query("split == 'train'")
    n_coarse = int((frame["label"] == "NE").sum())
    assert n_coarse > 0
    record = json.loads((out / "bundle" / "bundle.json").read_text())
    assert record["coarse_counts"] == {"NE": n_coarse}
    assert sum(record["counts"]) == len(frame) - n_coarse
    (note,) = record["provenance"]["labels"]
    assert note.startswith(f"{n_coarse} cells are labelled NE (SNE or BNE)")
    for page in ("bundle/MODEL_CARD.md", "report.html"):
        assert f"{n_coarse} cells are labelled NE" in (out / page).read_text(encoding="utf-8")


def test_only_cells_of_known_class_are_scored_out_of_fold(mixed: tuple[Path, Path, str]) -> None:
    _, out, said = mixed
    assert not (pd.read_parquet(out / "out_of_fold.parquet")["label"] == "NE").any()
    assert not (pd.read_parquet(out / "held_out.parquet")["true_label"] == "NE").any()
    scored = json.loads((out / "metrics.json").read_text())["evaluations"]["eval"]
    assert "NE" not in scored["codes"]
    (group,) = scored["by_group"]
    assert (group["code"], group["n_fine"], group["n_coarse"]) == ("NE", 2, 2)
    assert "2 known only as NE" in said


def test_a_bundle_of_mixed_labels_predicts_classes_and_is_scored_at_each_label_s_grain(
    mixed: tuple[Path, Path, str], tmp_path: Path
) -> None:
    table, out, _ = mixed
    truth = labels_of(table, "eval", tmp_path / "truth.csv")
    cells = tmp_path / "cells.parquet"
    run("predict", out / "bundle", table, "--split", "eval", "--out", cells)
    assert "prob_SNE" in pd.read_parquet(cells)
    assert "NE" not in set(pd.read_parquet(cells)["label"])
    counts = ("--train-counts", out / "bundle")
    said = run("evaluate", cells, truth, "--out", tmp_path / "scores.json", *counts)
    assert "2 known only as NE" in said
    scored = json.loads((tmp_path / "scores.json").read_text())
    trained = json.loads((out / "metrics.json").read_text())["evaluations"]["eval"]
    for name in ("n", "macro_f1", "prior_weighted_macro_f1", "by_group", "right_at_grain"):
        assert scored[name] == trained[name], name

    # Where the truth knows no finer label, everything is at its grain.
    frame = pd.read_csv(truth).replace({"SNE": "NE", "BNE": "NE"})
    frame.to_csv(truth, index=False)
    run("evaluate", cells, truth, "--out", tmp_path / "scores.json")
    scored = json.loads((tmp_path / "scores.json").read_text())
    assert scored["codes"][0] == "NE"
    assert "SNE" not in scored["codes"]
    assert scored["n"] == len(frame)
    row = {r["code"]: r for r in scored["per_class"]}["NE"]
    assert row["support"] == 4
    assert np.isfinite(scored["calibration"]["ece"])


def test_compare_leaves_coarse_cells_out_and_says_so(
    mixed: tuple[Path, Path, str], tmp_path: Path
) -> None:
    table, out, _ = mixed
    truth = labels_of(table, "eval", tmp_path / "truth.csv")
    for name in ("a", "b"):
        run("predict", out / "bundle", table, "--split", "eval", "--out", tmp_path / f"{name}.csv")
    said = run("compare", tmp_path / "a.csv", tmp_path / "b.csv", truth)
    assert "2 cells left out: the label is coarser than a class" in said


def test_a_five_class_set_trains_and_predicts_neutrophils(
    rendered_cells: Path, tiny_overrides: tuple[str, ...], tmp_path: Path
) -> None:
    def relabel(code: str, _: int) -> str | None:
        code = "NE" if code in MEMBERS else code
        return code if code in FIVE else None

    table = table_of(rendered_cells, tmp_path / "data", relabel)
    out = tmp_path / "run"
    train(table, out, tiny_overrides)
    record = json.loads((out / "bundle" / "bundle.json").read_text())
    assert [c["code"] for c in record["taxonomy"]["classes"]][:2] == ["NE", "LY"]
    assert record["coarse_counts"] == {}
    assert record["provenance"]["labels"] == ["NE is a class here: no cell says SNE or BNE"]
    assert "segmented neutrophil" not in record["provenance"]["never_seen"]
    assert "neutrophil" not in record["provenance"]["never_seen"]

    cells = tmp_path / "cells.parquet"
    run("predict", out / "bundle", table, "--split", "eval", "--out", cells)
    frame = pd.read_parquet(cells)
    assert "prob_NE" in frame
    assert "prob_SNE" not in frame
    truth = labels_of(table, "eval", tmp_path / "truth.csv")
    counts = ("--train-counts", out / "bundle")
    run("evaluate", cells, truth, "--out", tmp_path / "scores.json", *counts)
    scored = json.loads((tmp_path / "scores.json").read_text())
    trained = json.loads((out / "metrics.json").read_text())["evaluations"]["eval"]
    assert scored["macro_f1"] == trained["macro_f1"]
    assert scored["prior_weighted_macro_f1"] == trained["prior_weighted_macro_f1"]

    # A finer truth is taken at the bundle's grain.
    finer = pd.read_csv(truth)
    neutrophils = finer.index[finer["labels"] == "NE"]
    finer.loc[neutrophils, "labels"] = ["SNE", "BNE"]
    finer.to_csv(truth, index=False)
    run("evaluate", cells, truth, "--out", tmp_path / "finer.json")
    assert json.loads((tmp_path / "finer.json").read_text())["confusion"] == scored["confusion"]

    frame["slide_id"] = "one"
    frame.to_parquet(cells)
    assert "NE" in run("differential", cells, "--by", "slide_id", "--max-doubtful", 100)


def test_a_group_of_which_one_class_is_known_becomes_a_class_and_says_how_to_keep_it(
    rendered_cells: Path, tiny_overrides: tuple[str, ...], tmp_path: Path
) -> None:
    def relabel(code: str, _: int) -> str | None:
        return {"SNE": "SNE", "BNE": "NE", "LY": "LY", "MO": "MO"}.get(code)

    table = table_of(rendered_cells, tmp_path / "data", relabel)
    train(table, tmp_path / "run", tiny_overrides)
    record = json.loads((tmp_path / "run" / "bundle" / "bundle.json").read_text())
    assert "NE" in [c["code"] for c in record["taxonomy"]["classes"]]
    (note,) = record["provenance"]["labels"]
    assert "only SNE has cells of its own" in note
    assert "--leave-out NE" in note
