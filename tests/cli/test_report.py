"""`report` through the command line."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.images import write_png
from buffycoat.sources.fingerprint import fingerprint, fingerprints
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read
from buffycoat.sources.several import read_sites


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


def _audit(path: Path, cells_sha256: str) -> Path:
    table = {"data": "MY-CELLS", "n_cells": 3, "checks": [], "cells_sha256": cells_sha256}
    path.write_text(json.dumps(table))
    return path


def test_another_page_and_another_audit(left: Path, rendered_cells: Path, tmp_path: Path):
    audit = _audit(tmp_path / "audit.json", fingerprint(read(rendered_cells)))
    out = tmp_path / "new" / "page.html"
    result, _ = _report(left, "--audit", audit, "--out", out)
    assert result.exit_code == 0, result.output
    assert "MY-CELLS" in out.read_text("utf-8")
    assert (tmp_path / "new" / "page-tables" / "audit.csv").exists() is False  # no checks, no rows
    assert (tmp_path / "new" / "page-tables" / "metrics.csv").exists()
    assert not (left / "report.html").exists()


@pytest.mark.parametrize("cells_sha256", ["0" * 64, ""])
def test_an_audit_of_other_cells_is_refused(left: Path, tmp_path: Path, cells_sha256: str):
    audit = _audit(tmp_path / "audit.json", cells_sha256)
    result, said = _report(left, "--audit", audit)
    assert result.exit_code == 2, result.output
    assert "3 of MY-CELLS" in said
    assert "buffycoat audit DATA --out FOLDER" in said
    assert not (left / "report.html").exists()


def test_an_audit_of_other_cells_in_the_folder_stops_a_training_before_it_begins(
    left: Path, rendered_cells: Path
):
    _audit(left / "audit.json", "0" * 64)
    arguments = ["train", str(rendered_cells), "--preset", "demo", "--out", str(left)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2, result.output
    assert "is of other cells (3 of MY-CELLS)" in " ".join(result.stderr.split())


def test_the_audit_of_a_data_set_is_of_the_run_that_learned_from_it(
    left: Path, rendered_cells: Path
):
    known = json.loads((left / "data.json").read_text("utf-8"))["cells_sha256"]
    assert known == [fingerprint(read(rendered_cells))]


def test_of_several_sites_an_audit_of_one_is_taken(tmp_path: Path):
    places = {}
    for site in ("north", "south"):
        places[site] = tmp_path / f"{site}.csv"
        write_png(tmp_path / f"{site}.png", np.zeros((64, 64, 3), np.uint8))
        places[site].write_text(f"path,label\n{site}.png,LY\n")
    both = fingerprints(read_sites(places, "auto", Reading()))
    assert both[1:] == [fingerprint(read(place)) for place in places.values()]


def test_a_few_missing_pictures_are_said_in_the_terminal_too(
    left: Path, rendered_cells: Path, tmp_path: Path
):
    cells = tmp_path / "cells"
    shutil.copytree(rendered_cells, cells)
    scored = pd.read_parquet(left / "held_out.parquet")["path"].tolist()
    first = next(path for path in cells.rglob("*") if path.name == Path(scored[0]).name)
    shutil.copy(scored[1], first)
    result, said = _report(left, "--data", cells)
    assert result.exit_code == 0, result.output
    assert re.search(r"[Tt]he pictures? of .* not available: ", said)


def test_a_page_that_shows_cells_is_not_replaced_by_one_that_shows_none(
    left: Path, rendered_cells: Path, tmp_path: Path
):
    image = next(rendered_cells.rglob("*.jpg"), None) or next(rendered_cells.rglob("*.png"))
    (tmp_path / "others.csv").write_text(f"cell_id,path\nanother,{image}\n")
    (left / "report.html").write_text("with pictures")
    result, said = _report(left, "--data", tmp_path / "others.csv")
    assert result.exit_code == 2, result.output
    assert "not written, since it would show no cell" in said
    assert re.search(r"[Tt]he pictures? of .* not available: ", said)
    held_out = pd.read_parquet(left / "held_out.parquet")
    held_out.assign(path="gone.png").to_parquet(left / "held_out.parquet")
    assert _report(left)[0].exit_code == 2  # moved since, and the old page would be lost
    assert (left / "report.html").read_text() == "with pictures"
    result, said = _report(left, "--out", tmp_path / "bare.html")  # the figures are there
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
