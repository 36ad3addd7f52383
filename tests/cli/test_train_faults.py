"""Bad input to `train`: each is refused with a message, before anything is trained."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

Rows = list[list[str]]


def _train(data: Path, out: Path, *options: str):
    arguments = ["train", str(data), "--preset", "demo", "--out", str(out), *options]
    result = CliRunner().invoke(app, arguments)
    return result, " ".join(result.stderr.split())


@pytest.fixture
def kaggle(rendered_cells: Path, tmp_path: Path) -> Path:
    """A copy of the rendered benchmark that may be broken."""
    return Path(shutil.copytree(rendered_cells, tmp_path / "data"))


def _edit(path: Path, change: Callable[[Rows], Rows]) -> None:
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(change(rows))


def _drop_column(rows: Rows) -> Rows:
    return [[row[0], *row[2:]] for row in rows]


def _strange_label(rows: Rows) -> Rows:
    return [rows[0], [rows[1][0], "XYZ", *rows[1][2:]], *rows[2:]]


def _double(rows: Rows) -> Rows:
    return [*rows, rows[1]]


def _extra_id(rows: Rows) -> Rows:
    return [*rows, ["99999999.jpg", *rows[1][1:]]]


def _missing_id(rows: Rows) -> Rows:
    return [rows[0], *rows[2:]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_drop_column, "column 'labels' is missing"),
        (_strange_label, "'XYZ'"),
        (_double, "is used twice"),
        (_extra_id, "ID '99999999.jpg' has no file"),
        (_missing_id, "has no row in phase2_train.csv"),
    ],
)
def test_a_faulty_table_is_refused(
    kaggle: Path, tmp_path: Path, change: Callable[[Rows], Rows], message: str
) -> None:
    _edit(kaggle / "phase2_train.csv", change)
    result, said = _train(kaggle, tmp_path / "run")
    assert result.exit_code == 2, result.output
    assert message in said
    assert not (tmp_path / "run" / "bundle").exists()


def test_all_faults_are_listed_at_once(kaggle: Path, tmp_path: Path) -> None:
    _edit(kaggle / "phase2_train.csv", lambda rows: _double(_extra_id(rows)))
    _, said = _train(kaggle, tmp_path / "run")
    assert "has no file" in said
    assert "is used twice" in said


def test_unreadable_training_cells_are_listed_and_exit_with_3(kaggle: Path, tmp_path: Path) -> None:
    broken = sorted((kaggle / "phase2" / "train").iterdir())[:2]
    broken[0].write_bytes(b"")
    broken[1].write_bytes(broken[1].read_bytes()[:200])
    result, said = _train(kaggle, tmp_path / "run")
    assert result.exit_code == 3, result.output
    assert broken[0].name in said
    assert broken[1].name in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--preset", "cpuu"], "Did you mean 'cpu'"),
        (["--set", "classify.epoch=3"], "classify.epoch"),
        (["--set", "classify.folds=1"], "classify.folds"),
        (["--set", "epochs"], "expected section.key=value"),
        (["--layout", "kagle"], "Did you mean 'kaggle'"),
        (["--set", "classify.backbone=resnet5O"], "resnet5O"),
    ],
)
def test_faulty_settings_are_refused(
    rendered_cells: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    result, said = _train(rendered_cells, tmp_path / "run", *options)
    assert result.exit_code == 2, result.output
    assert message in said


def test_an_empty_folder_and_one_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for data, message in ((tmp_path / "empty", "empty"), (tmp_path / "gone", "no such file")):
        result, said = _train(data, tmp_path / "run")
        assert result.exit_code == 2
        assert message in said


def test_an_output_that_cannot_be_made_is_refused_first(
    rendered_cells: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result, said = _train(rendered_cells, tmp_path / "file" / "run")
    assert result.exit_code == 2
    assert "no work was started" in said


def test_a_table_without_labels_is_refused_by_what_it_lacks(
    rendered_cells: Path, tmp_path: Path
) -> None:
    picture = next(rendered_cells.rglob("*.png"), None) or next(rendered_cells.rglob("*.jpg"))
    table = tmp_path / "nolabel.csv"
    table.write_text(f"path,remark\n{picture},old\n")
    result, said = _train(table, tmp_path / "run")
    assert result.exit_code == 2, result.output
    assert "no labelled cells in split 'train'" in said
    assert "column 'label' is missing (or class, cell_type)" in said
    assert "it has path, remark" in said
    table.write_text(f"path,label,split\n{picture},LY,eval\n")
    result, said = _train(table, tmp_path / "run")
    assert result.exit_code == 2, result.output
    assert "labelled are 1 cell of eval" in said


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_settings_that_cannot_work_are_refused_before_an_image_is_read(
    rendered_cells: Path, tmp_path: Path, command: str
) -> None:
    change = {
        "train": "restore.take_from=starter",  # of other images
        "pretrain": "classify.backbone=no_such",
    }[command]
    out = tmp_path / "run"
    arguments = [command, str(rendered_cells), "--preset", "demo", "--out", str(out)]
    result = CliRunner().invoke(app, [*arguments, "--set", change])
    assert result.exit_code == 2, result.output
    assert change.partition("=")[0].rpartition(".")[2] in result.stderr
    assert not out.exists()


def test_devices_that_cannot_share_a_batch_are_refused_at_once(
    kaggle: Path, tmp_path: Path
) -> None:
    result, said = _train(kaggle, tmp_path / "run", "--devices", "3")
    assert result.exit_code == 2, result.output
    assert "cannot be shared by 3 devices evenly" in said
    assert not (tmp_path / "run" / "stages").exists()
