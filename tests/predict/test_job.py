"""Parts: a job that is killed, cut, changed or begun twice ends with what one run gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image

from buffycoat.cells import Manifest
from buffycoat.errors import OutputError
from buffycoat.images import BadCell
from buffycoat.predict import job as jobs
from buffycoat.predict import local, results, rows, site_look, workers
from buffycoat.predict.batches import in_batches
from buffycoat.predict.cells_file import write_cells
from buffycoat.predict.job import Job, Task, open_job, task_of
from buffycoat.predict.predictor import Pipeline
from buffycoat.predict.site_look import SiteLooks
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read

COLUMNS = ["cell_id", *rows.COUNTED]
TASK = Task("bundle", "cells", ("label",), tuple(COLUMNS), None, None, part_cells=4)


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    folder = tmp_path / "cells"
    for number in range(10):
        path = folder / f"{number % 2}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        label = ("SNE", "LY", "MO")[number % 3]
        Image.fromarray(render_cell(label, np.random.default_rng(number), 128).image).save(path)
    (folder / "0/2.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    return folder


def _table(ids: list[str]) -> pa.Table:
    frame = pd.DataFrame({"cell_id": ids}).assign(
        label="LY",
        is_abstained=False,
        reasons="",
        conformal_set="LY",
        is_restored=False,
        is_moved=False,
    )
    return pa.Table.from_pandas(frame, rows.schema(COLUMNS), preserve_index=False)


def _run(folder: Path, manifest: Manifest, pipeline: Pipeline, part_cells: int = 3) -> Task:
    asked = ["cell_id", "label", "probability"]
    task = task_of(manifest, pipeline.bundle_sha256, asked, [*COLUMNS, "probability"], None)
    task = replace(task, part_cells=part_cells)
    with open_job(folder, task, len(manifest)) as job:
        write_cells(job, manifest)
        site_look.begin(job, manifest, pipeline.fitted)
        local.run(job, pipeline.fitted, Silent())
    return task


def _all(folder: Path, task: Task, n_cells: int) -> tuple[pd.DataFrame, list[BadCell]]:
    job = Job(folder, task, n_cells)
    parts = [job.read(part).to_pandas() for part in range(job.n_parts)]
    return pd.concat(parts, ignore_index=True), list(job.bad())


def test_parts_of_any_size_make_the_same_table(cells: Path, tmp_path: Path) -> None:
    pipeline, manifest = Pipeline.load("starter"), read(cells, "images")
    whole = _all(tmp_path / "a", _run(tmp_path / "a", manifest, pipeline, 100), 10)
    small = _all(tmp_path / "b", _run(tmp_path / "b", manifest, pipeline, 3), 10)
    pd.testing.assert_frame_equal(whole[0], small[0])
    assert whole[1] == small[1]
    assert [cell.cell_id for cell in whole[1]] == ["0/2.png"]
    memory = pipeline.predict_manifest(manifest, allow_bad=1).frame
    pd.testing.assert_frame_equal(
        whole[0][["cell_id", "label", "probability"]], memory[["cell_id", "label", "probability"]]
    )


def test_several_processes_make_the_same_table(cells: Path, tmp_path: Path) -> None:
    pipeline, manifest = Pipeline.load("starter"), read(cells, "images")
    columns = pipeline.columns(manifest)
    task = replace(task_of(manifest, pipeline.bundle_sha256, columns, columns, None), part_cells=4)
    tables = []
    for n_workers, name in ((1, "one"), (2, "two")):
        with open_job(tmp_path / name, task, 10) as job:
            write_cells(job, manifest)
            site_look.begin(job, manifest, pipeline.fitted)
            local.run(job, pipeline.fitted, Silent(), "starter", n_workers)
        tables.append(_all(tmp_path / name, task, 10))
    pd.testing.assert_frame_equal(tables[0][0], tables[1][0])
    assert tables[0][1] == tables[1][1]


def test_processes_that_are_killed_are_replaced(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches = list(in_batches(read(cells, "images"), 4))
    pools: list[int] = []

    def dying(begun: deque[Manifest], rest: Iterator[Manifest], *_: object) -> Iterator[str]:
        """Takes two batches ahead, ends one, and dies unless it is the third pool."""
        pools.append(len(begun))
        begun.extend(islice(rest, 2 - len(begun)))
        while begun:
            yield begun.popleft().frame["cell_id"].iloc[0]
            begun.extend(islice(rest, 1))
            if len(pools) < 3:
                raise BrokenProcessPool

    monkeypatch.setattr(workers, "_predict_from", dying)
    found = list(workers.predict_parallel(batches, "starter", TASK, SiteLooks({}), 2))
    assert pools == [0, 2, 1]
    assert found == [batch.frame["cell_id"].iloc[0] for batch in batches]

    def dead(begun: deque[Manifest], rest: Iterator[Manifest], *_: object) -> Iterator[str]:
        begun.extend(islice(rest, 1))
        raise BrokenProcessPool
        yield

    monkeypatch.setattr(workers, "_predict_from", dead)
    with pytest.raises(OutputError, match="--workers 1"):
        list(workers.predict_parallel(batches, "starter", TASK, SiteLooks({}), 2))


def test_parts_that_are_missing_or_cut_are_predicted_anew(cells: Path, tmp_path: Path) -> None:
    pipeline, manifest, folder = Pipeline.load("starter"), read(cells, "images"), tmp_path / "job"
    task = _run(folder, manifest, pipeline)
    expected = _all(folder, task, 10)
    job = Job(folder, task, 10)
    job.path(0).unlink()
    job.path(2).write_bytes(job.path(2).read_bytes()[:-20])
    kept = job.path(1).stat().st_mtime_ns
    assert job.missing() == [0, 2]
    _run(folder, manifest, pipeline)
    again = _all(folder, task, 10)
    pd.testing.assert_frame_equal(expected[0], again[0])
    assert expected[1] == again[1]
    assert job.path(1).stat().st_mtime_ns == kept


def test_a_part_that_rots_is_named(tmp_path: Path) -> None:
    with open_job(tmp_path / "job", TASK, 4) as job:
        job.write(0, _table(["a", "b", "c", "d"]), [])
        data = bytearray(job.path(0).read_bytes())
        data[len(data) // 8] ^= 0xFF
        job.path(0).write_bytes(data)
        with pytest.raises(OutputError, match=r"part-0000000\.parquet: damaged.*Remove it"):
            job.read(0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"bundle_sha256": "other"}, "the bundle"),
        ({"cells_sha256": "other"}, "the cells"),
        ({"asked": ("evidence",)}, "the columns"),
        ({"prior": "train"}, "the prior"),
    ],
)
def test_another_task_is_refused(tmp_path: Path, changed: dict[str, object], words: str) -> None:
    with open_job(tmp_path / "job", TASK, 4):
        pass
    with (
        pytest.raises(OutputError, match=words),
        open_job(tmp_path / "job", replace(TASK, **changed), 4),  # pyright: ignore
    ):
        pass
    with open_job(tmp_path / "job", TASK, 4):
        pass


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with (
        open_job(tmp_path / "job", TASK, 4),
        pytest.raises(OutputError, match="another command writes into"),
        open_job(tmp_path / "job", TASK, 4),
    ):
        pass


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is no job"), open_job(tmp_path, TASK, 4):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_full_disk_leaves_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with open_job(tmp_path / "job", TASK, 4) as job:
        monkeypatch.setattr(jobs.pq, "write_table", full)
        with pytest.raises(OutputError, match="No space left"):
            job.write(0, _table(["a", "b", "c", "d"]), [])
        assert job.missing() == [0]
        assert not list(job.folder.glob("*.parquet"))


def test_counts_are_those_of_all_parts(tmp_path: Path) -> None:
    with open_job(tmp_path / "job", TASK, 6) as job:
        job.write(1, _table(["e"]), [BadCell("f", "f.png", "torn")])
        job.write(0, _table(["a", "b", "c", "d"]), [])
        counts = results.count(job)
        results.write_csv(job, tmp_path / "out.csv", ["ID", "labels"], ["cell_id", "label"])
    assert (counts.n_cells, counts.n_bad, counts.labels["LY"]) == (5, 1, 5)
    assert pd.read_parquet(tmp_path / "job")["cell_id"].tolist() == list("abcde")
    assert (tmp_path / "out.csv").read_text().split() == [
        "ID,labels",
        *(f"{c},LY" for c in "abcde"),
    ]


@pytest.fixture
def killed(cells: Path, tmp_path: Path) -> list[str]:
    code = (
        "import sys; from buffycoat.predict import job; job.PART_CELLS = 2; "
        "from buffycoat.cli.main import app; sys.argv = ['buffycoat', *sys.argv[1:]]; app()"
    )
    out = tmp_path / "out.csv"
    return [sys.executable, "-c", code, "predict", "starter", str(cells), "--out", str(out)]


def test_a_killed_run_goes_on(killed: list[str], tmp_path: Path) -> None:
    parts = tmp_path / "out.csv.parts"
    first = subprocess.Popen(killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list(parts.glob("part-*.parquet")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    done = subprocess.run(killed, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr  # one picture is torn
    table = pd.read_csv(tmp_path / "out.csv")
    whole = subprocess.run(
        [*killed[:-1], str(tmp_path / "whole.csv")], capture_output=True, check=False
    )
    assert whole.returncode == 3
    pd.testing.assert_frame_equal(table, pd.read_csv(tmp_path / "whole.csv"))
    assert not parts.exists()
    bad = pd.read_csv(tmp_path / "out.csv.bad.csv")
    assert bad["ID"].tolist() == ["2.png"]


def test_the_index_says_what_the_job_is_of(tmp_path: Path) -> None:
    with open_job(tmp_path / "job", TASK, 4) as job:
        index = json.loads((job.folder / "_job.json").read_text())
    assert index["bundle_sha256"] == "bundle"
    assert index["asked"] == ["label"]


@pytest.mark.parametrize("column", ["patient_id", "slide_id", "um_per_px"])
def test_a_corrected_table_is_another_task(cells: Path, column: str) -> None:
    manifest = read(cells, "images")

    def task(value: object) -> Task:
        frame = manifest.frame.assign(**{column: value})
        return task_of(Manifest.from_frame(frame, "test"), "bundle", COLUMNS, COLUMNS, None)

    plain = task_of(manifest, "bundle", COLUMNS, COLUMNS, None)
    found = {task(value).cells_sha256 for value in (pd.NA, 1, 2)}
    assert len(found) == 3
    assert plain.cells_sha256 in found
