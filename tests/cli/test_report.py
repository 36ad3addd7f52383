"""`report` through the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app


def _report(*arguments: object):
    result = CliRunner().invoke(app, ["report", *map(str, arguments)])
    return result, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def left(tiny_bundle: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    skip = shutil.ignore_patterns("cache", "stages", "report.html", "tables")
    shutil.copytree(tiny_bundle.parent, folder, ignore=skip)
    return folder


def test_the_page_lies_in_the_run_and_its_tables_beside_it(left: Path, rendered_cells: Path):
    result, said = _report(left, "--data", rendered_cells)
    assert result.exit_code == 0, result.output
    assert (left / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert (left / "tables" / "classes.csv").exists()
    assert f"Report: {left / 'report.html'}" in said
    assert "not available" not in said


def test_another_page_and_another_audit(left: Path, tmp_path: Path):
    audit = tmp_path / "audit.json"
    audit.write_text(json.dumps({"data": "MY-CELLS", "n_cells": 3, "checks": []}))
    out = tmp_path / "new" / "page.html"
    result, _ = _report(left, "--audit", audit, "--out", out)
    assert result.exit_code == 0, result.output
    assert "MY-CELLS" in out.read_text("utf-8")
    assert (tmp_path / "new" / "page-tables" / "audit.csv").exists() is False  # no checks, no rows
    assert (tmp_path / "new" / "page-tables" / "metrics.csv").exists()
    assert not (left / "report.html").exists()


def test_missing_pictures_are_said_in_the_terminal_too(
    left: Path, rendered_cells: Path, tmp_path: Path
):
    image = next(rendered_cells.rglob("*.jpg"), None) or next(rendered_cells.rglob("*.png"))
    (tmp_path / "others.csv").write_text(f"cell_id,path\nanother,{image}\n")
    result, said = _report(left, "--data", tmp_path / "others.csv")
    assert result.exit_code == 0, result.output
    assert "are not available: " in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--out", "page.pdf"), "ends in .html"),
        (("--audit", "absent.json"), "absent.json: cannot be read"),
        (("--data", "absent"), "absent"),
    ],
)
def test_faults_are_explained_and_nothing_is_written(left: Path, arguments, words: str):
    result, said = _report(left, *arguments)
    assert result.exit_code == 2, result.output
    assert words in said
    assert not (left / "report.html").exists()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    result, said = _report(tmp_path)
    assert result.exit_code == 2
    assert "not a finished run" in said
    assert list(tmp_path.iterdir()) == []
