"""Ray over the parts of a job: the same bytes as the local loop, whatever dies meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from typer.testing import CliRunner

import buffycoat
from buffycoat.batch import ray_engine
from buffycoat.batch.ray_engine import MOST_TRIES, TRIES, Work, Worker
from buffycoat.cells import Manifest
from buffycoat.cli.main import app
from buffycoat.predict import local, site_look
from buffycoat.predict.cells_file import NAME, write_cells
from buffycoat.predict.job import Job, Task, open_job, task_of
from buffycoat.predict.predictor import Pipeline
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    folder.mkdir()
    for number in range(10):
        label = ("SNE", "LY", "MO")[number % 3]
        image = render_cell(label, np.random.default_rng(number), 128).image
        # gray ones among colour ones, and one that is torn
        Image.fromarray(image if number % 4 else image[..., 0]).save(folder / f"{number}.png")
    (folder / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    return folder


def _task(manifest: Manifest, columns: list[str]) -> Task:
    pipeline = Pipeline.load("starter")
    task = task_of(manifest, pipeline.bundle_sha256, columns, columns, None)
    return replace(task, part_cells=4)


@pytest.fixture
def job(cells: Path, tmp_path: Path) -> Job:
    """A job of three parts whose cells are written down."""
    manifest = read(cells, "images")
    with open_job(tmp_path / "job", _task(manifest, ["cell_id", "label"]), len(manifest)) as job:
        write_cells(job, manifest)
        site_look.begin(job, manifest, Pipeline.load("starter").fitted)
    return job


def _worker(job: Job, version: str = buffycoat.__version__) -> Worker:
    return Worker(Work(job, "starter", os.getcwd(), version))


def _bytes(job: Job) -> list[bytes]:
    return [job.path(part).read_bytes() for part in range(job.n_parts)]


def test_a_worker_writes_the_very_part_of_the_local_loop(
    job: Job, cells: Path, tmp_path: Path
) -> None:
    told = _worker(job)({"part": np.array([2, 0, 1])})
    assert told == {"part": [2, 0, 1], "error": [["", ""]] * 3}
    pipeline, manifest = Pipeline.load("starter"), read(cells, "images")
    with open_job(tmp_path / "local", job.task, len(manifest)) as alone:
        write_cells(alone, manifest)
        site_look.begin(alone, manifest, pipeline.fitted)
        local.run(alone, pipeline.fitted, Silent())
    assert _bytes(job) == _bytes(alone)
    assert [cell.cell_id for cell in job.bad()] == ["2.png"]
    assert not list(job.folder.glob(TRIES.format("*")))


def test_a_part_that_is_there_is_not_predicted_again(job: Job) -> None:
    worker = _worker(job)
    worker({"part": np.array([1])})
    written = job.path(1).stat().st_mtime_ns
    worker({"part": np.array([1])})
    assert job.path(1).stat().st_mtime_ns == written


def test_a_part_that_kills_its_worker_again_and_again_is_named(job: Job) -> None:
    (job.folder / TRIES.format("0000001")).write_bytes(b"." * MOST_TRIES)
    ((kind, words),) = _worker(job)({"part": np.array([1])})["error"]
    assert kind == "OutputError"
    assert f"cells 4 to 7 killed their worker {MOST_TRIES} times" in words
    assert "--workers" in words


def test_a_machine_that_cannot_help_says_why(job: Job) -> None:
    ((kind, words),) = _worker(job, "0.0.1")({"part": np.array([0])})["error"]
    assert kind == "BundleError"
    assert "Install the same on every machine" in words
    away = Worker(Work(job, "starter", "/not/there", buffycoat.__version__))
    ((kind, words),) = away({"part": np.array([0])})["error"]
    assert kind == "OutputError"
    assert "/not/there" in words
    (job.folder / NAME).unlink()
    ((kind, words),) = _worker(job)({"part": np.array([0])})["error"]
    assert kind == "OutputError"
    assert NAME in words


def test_a_bundle_that_changed_is_refused_by_workers(job: Job) -> None:
    other = replace(job, task=replace(job.task, bundle_sha256="of another"))
    ((kind, words),) = _worker(other)({"part": np.array([0])})["error"]
    assert kind == "BundleError"
    assert "was changed" in words


def test_without_ray_the_extra_is_named(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    out = tmp_path / "out.csv"
    command = ["predict", "starter", str(cells), "--out", str(out), "--engine", "ray"]
    found = CliRunner().invoke(app, command)
    assert found.exit_code != 0
    assert not out.exists()
    assert not out.with_name("out.csv.parts").exists()
    assert "buffycoat[scale]" in str(found.exception) + found.output


def _command(cells: Path, out: Path, engine: str) -> list[str]:
    run = "from buffycoat.cli.main import app; app()"
    program = [sys.executable, "-c", run, "predict", "starter", str(cells)]
    return [*program, "--out", str(out), "--engine", engine, "--workers", "2", "--allow-bad", "1"]


def _run(cells: Path, out: Path, engine: str) -> None:
    subprocess.run(_command(cells, out, engine), check=True, timeout=180, capture_output=True)


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_ray_gives_the_bytes_of_the_local_loop_also_when_the_command_was_killed(
    cells: Path, tmp_path: Path
) -> None:
    pytest.importorskip("ray.data")
    _run(cells, tmp_path / "local", "local")
    command = _command(cells, tmp_path / "ray", "ray")
    killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not (tmp_path / "ray" / NAME).exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    psutil.Process(killed.pid).kill()
    killed.wait()
    _run(cells, tmp_path / "ray", "ray")
    expected, found = ({p.name: p.read_bytes() for p in (tmp_path / name).glob("*.parquet")}
                       for name in ("local", "ray"))  # fmt: skip
    assert list(expected) == ["part-0000000.parquet"]
    assert found == expected
    bad = [(tmp_path / f"{name}.bad.csv").read_bytes() for name in ("local", "ray")]
    assert bad[0] == bad[1]


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")  # of its own settings, to itself
@pytest.mark.filterwarnings("ignore::ResourceWarning:ray")
def test_parts_from_two_workers_are_reported_and_equal(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.data")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    manifest, pipeline = read(cells, "images"), Pipeline.load("starter")
    task = _task(manifest, ["cell_id", "label", "probability"])
    done: list[int] = []

    class Counting(Silent):
        def advance(self, done_cells: int, total: int) -> None:
            done.append(done_cells)

    with open_job(tmp_path / "two", task, len(manifest)) as two:
        write_cells(two, manifest)
        site_look.begin(two, manifest, pipeline.fitted)
        ray_engine.run(two, Counting(), "starter", workers=2)
    assert not ray.is_initialized()
    assert sorted(done)[-1] == 10
    assert len(done) == 3
    with open_job(tmp_path / "one", task, len(manifest)) as one:
        write_cells(one, manifest)
        site_look.begin(one, manifest, pipeline.fitted)
        local.run(one, pipeline.fitted, Silent())
    assert _bytes(two) == _bytes(one)
