from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.api.output import new_folder
from buffycoat.cli.main import app
from buffycoat.cli.output import check_file, check_folder
from buffycoat.errors import OutputError


def test_a_file_that_can_be_written_passes_and_is_not_made(tmp_path: Path) -> None:
    check_file(tmp_path / "new" / "cells.csv", (".csv", ".parquet"))
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize("name", ["cells.txt", "cells"])
def test_another_suffix_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.csv or \.parquet"):
        check_file(tmp_path / name, (".csv", ".parquet"))


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cells.csv").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_file(tmp_path / "cells.csv", (".csv",))


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match=r"run: .*file is a file.*no work was started"):
        check_folder(tmp_path / "file" / "run")
    with pytest.raises(OutputError, match="file: is a file, and a folder is wanted there"):
        check_folder(tmp_path / "file")


def test_what_is_read_is_not_overwritten(tmp_path: Path) -> None:
    cells = tmp_path / "cells.csv"
    with pytest.raises(OutputError, match="would overwrite what is read"):
        check_file(tmp_path / "run" / ".." / "cells.csv", (".csv",), None, cells)
    check_file(tmp_path / "out.csv", (".csv",), None, cells)


def test_a_folder_for_work_that_fails_is_not_left_empty(tmp_path: Path) -> None:
    def work(folder: Path, *, is_begun: bool) -> None:
        with new_folder(folder):
            if is_begun:
                (folder / "done").touch()
            raise OutputError("refused")

    (tmp_path / "old").mkdir()
    for name, is_begun in (("new", False), ("begun", True), ("old", False)):
        with pytest.raises(OutputError, match="refused"):
            work(tmp_path / name, is_begun=is_begun)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["begun", "old"]


def test_the_folders_above_are_not_left_either(tmp_path: Path) -> None:
    def work() -> None:
        with new_folder(tmp_path / "a" / "b"):
            raise OutputError("refused")

    with pytest.raises(OutputError, match="refused"):
        work()
    assert not (tmp_path / "a").exists()


MISSING = {
    "adapt": "adapt starter GONE --out OUT",
    "agree": "agree GONE.csv GONE.csv --out OUT/a.csv --picture OUT/a.svg",
    "annotate": "annotate GONE --format coco --out OUT/a.json",
    "annotate-yolo": "annotate GONE --format yolo --out OUT",
    "audit": "audit GONE --out OUT",
    "bench-classify": "bench classify GONE --grid GONE.toml --out OUT",
    "bench-sites": "bench sites starter --site a=GONE --out OUT",
    "compare": "compare GONE.csv GONE.csv LABELS --out OUT",
    "crop": "crop GONE --out OUT",
    "differential": "differential GONE.csv --out OUT/d.csv --picture OUT/d.svg",
    "differential-name": "differential GONE --out OUT/d.csv",
    "differential-fields": "differential starter GONE --out OUT",
    "differential-bundle": "differential GONE EMPTY --out OUT",
    "differential-groups": "differential LABELS --groups GONE.csv --out OUT/d.csv",
    "evaluate": "evaluate GONE.csv LABELS --out OUT/m.json --picture OUT/p.svg",
    "evaluate-labels": "evaluate LABELS GONE.csv --out OUT/m.json",
    "explain": "explain starter GONE.png --out OUT/x.png",
    "export": "export GONE --onnx OUT/x.onnx",
    "find": "find GONE --out OUT --overlays OUT-overlays",
    "find-empty": "find EMPTY --out OUT",
    "measure": "measure GONE --out OUT/f.csv",
    "measure-empty": "measure EMPTY --out OUT/f.csv",
    "predict": "predict starter GONE --out OUT/p.csv",
    "predict-folder": "predict starter GONE --out OUT",
    "predict-bundle": "predict GONE EMPTY --out OUT",
    "pretrain": "pretrain GONE --out OUT",
    "report": "report GONE",
    "restore": "restore GONE OUT",
    "review": "review GONE.csv --images EMPTY",
    "review-export": "review export --database GONE.sqlite --out OUT/labels.csv",
    "send": "send GONE.csv --out OUT",
    "send-columns": "send LABELS --out OUT",
    "similar": "similar starter GONE.png --in EMPTY --out OUT/s.png",
    "similar-training": "similar starter GONE.png --out OUT/s.csv",
    "suggest": "suggest GONE.csv --out OUT/n.csv",
    "suspects": "suspects GONE --out OUT/n.csv",
    "train": "train GONE --out OUT",
    "train-unlabelled": "train CELLS --preset demo --unlabelled GONE --out OUT",
}


@pytest.mark.parametrize("words", MISSING.values(), ids=MISSING)
def test_what_is_not_there_leaves_no_folder_and_is_all_that_is_said(
    words: str, rendered_cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "LABELS").write_text("ID,labels\na.png,LY\n")
    before = sorted(tmp_path.rglob("*"))
    arguments = words.replace("OUT", "deep/new").replace("CELLS", str(rendered_cells)).split()
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert sorted(tmp_path.rglob("*")) == before
    said = result.stdout + result.stderr
    assert any(name in said for name in ("GONE", "EMPTY", "LABELS"))
    assert "medical device" not in said
