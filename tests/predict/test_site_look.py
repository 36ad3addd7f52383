"""The look at a job's cells: one answer for whoever predicts, kept with the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from buffycoat.cells import Manifest
from buffycoat.errors import OutputError
from buffycoat.images import write_png
from buffycoat.predict import local, site_look
from buffycoat.predict.cells_file import write_cells
from buffycoat.predict.job import Job, Task, open_job, task_of
from buffycoat.predict.predictor import Pipeline
from buffycoat.progress import Silent
from buffycoat.simulate.render import render_cell
from buffycoat.sites.reference import SiteReference
from buffycoat.sites.shift import LEAST, Shift
from buffycoat.sources.read import read

N = 20
COLUMNS = ["cell_id", "label", "probability", "site_shift", "is_abstained", "reasons"]


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [render_cell(("SNE", "LY", "MO", "EO")[i % 4], rng, 96).image for i in range(N)]


@pytest.fixture(scope="module")
def cells(photographs: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("cells")
    for number, image in enumerate(photographs):
        write_png(folder / f"{number:02}.png", image)
    return read(folder, "images")


@pytest.fixture(scope="module")
def starter() -> Pipeline:
    return Pipeline.load("starter")


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("cells were looked at")

    monkeypatch.setattr(site_look, "load_work", fail)


def _task(cells: Manifest, pipeline: Pipeline) -> Task:
    return replace(task_of(cells, pipeline.bundle_sha256, COLUMNS, COLUMNS, None), part_cells=7)


def _run(folder: Path, cells: Manifest, pipeline: Pipeline, workers: int = 1) -> pd.DataFrame:
    with open_job(folder, _task(cells, pipeline), len(cells)) as job:
        write_cells(job, cells)
        site_look.begin(job, cells, pipeline.fitted)
        local.run(job, pipeline.fitted, Silent(), "starter", workers)
        tables = [job.read(part).to_pandas() for part in range(job.n_parts)]
    return pd.concat(tables, ignore_index=True)


def test_drawn_cells_raise_the_alarm_in_every_row_whoever_asks(
    starter: Pipeline, cells: Manifest, photographs: list[np.ndarray], tmp_path: Path
) -> None:
    table = _run(tmp_path / "job", cells, starter)
    (shift,) = set(table["site_shift"])
    assert shift > 1
    assert starter.fitted.abroad is not None
    is_low = table["probability"] < starter.fitted.abroad.abstain_below
    assert is_low.any()
    assert (table["reasons"].str.contains("unfamiliar_site") == is_low).all()
    pd.testing.assert_frame_equal(table, starter.predict_manifest(cells).frame[COLUMNS])
    found = starter.predict(photographs)
    assert [p.site_shift for p in found] == table["site_shift"].tolist()
    assert [p.probability for p in found] == table["probability"].tolist()
    assert [" ".join(p.reasons) for p in found] == table["reasons"].tolist()


def test_other_processes_are_told_the_same(
    starter: Pipeline, cells: Manifest, tmp_path: Path
) -> None:
    one, two = (_run(tmp_path / str(n), cells, starter, n) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)


@pytest.mark.usefixtures("never")
def test_too_few_cells_are_not_looked_at_and_nothing_is_said(
    starter: Pipeline, cells: Manifest, photographs: list[np.ndarray]
) -> None:
    few = cells.subset(np.arange(LEAST - 1))
    looks = site_look.look_ahead(few, starter.fitted)
    assert looks.of(few) == [None] * len(few)
    (found,) = starter.predict(photographs[:1])
    assert np.isnan(found.site_shift)
    assert "unfamiliar_site" not in found.reasons


@pytest.mark.usefixtures("never")
def test_a_bundle_that_does_not_know_its_home_compares_nothing(
    starter: Pipeline, cells: Manifest
) -> None:
    assert not site_look.look_ahead(cells, replace(starter.fitted, home=None)).shifts


def test_unreadable_cells_do_not_count(starter: Pipeline, cells: Manifest, tmp_path: Path) -> None:
    frame = cells.frame.copy()
    frame.loc[: N - LEAST, "path"] = str(tmp_path / "gone.png")
    assert not site_look.look_ahead(Manifest(frame), starter.fitted).shifts


def _moved(home: SiteReference, reply: Callable[[int], float]) -> SiteReference:
    """A home whose comparison counts the cells that it is given."""

    class Counting(type(home.shift)):
        def score(self, values: object, classes: np.ndarray) -> Shift:
            return Shift({"colour": reply(len(classes))}, {"colour": 1.0})

    return replace(home, shift=Counting(home.shift.groups))


def test_each_site_of_a_table_has_a_look_of_its_own(starter: Pipeline, cells: Manifest) -> None:
    both = pd.concat([cells.frame, cells.frame.assign(cell_id=[f"b{i}" for i in range(N)])])
    both = both.reset_index(drop=True)
    both["site"] = pd.array(["north"] * (N - 2) + [None, None] + ["south"] * N, dtype="string")
    seen: list[int] = []

    def reply(n: int) -> float:
        seen.append(n)
        return float(n)

    assert starter.fitted.home is not None
    fitted = replace(starter.fitted, home=_moved(starter.fitted.home, reply))
    looks = site_look.look_ahead(Manifest(both), fitted)
    assert seen == [N - 2, N]
    found = looks.of(Manifest(both))
    assert [None if s is None else s.score for s in found] == (
        [N - 2] * (N - 2) + [None, None] + [N] * N
    )


def _job(folder: Path, cells: Manifest, pipeline: Pipeline) -> Job:
    with open_job(folder, _task(cells, pipeline), len(cells)) as job:
        return job


def test_a_job_that_goes_on_does_not_look_again(
    starter: Pipeline, cells: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = _job(tmp_path / "job", cells, starter)
    first = site_look.begin(job, cells, starter.fitted)
    monkeypatch.setattr(site_look, "look", lambda *_: pytest.fail("looked again"))
    assert site_look.begin(job, cells, starter.fitted) == first
    assert site_look.read(job) == first
    assert first.shifts[""].words().startswith("colour differs by ") or first.shifts[""].is_alarm


def test_a_look_that_is_missing_or_damaged_is_named(
    starter: Pipeline, cells: Manifest, tmp_path: Path
) -> None:
    job = _job(tmp_path / "job", cells, starter)
    with pytest.raises(OutputError, match=r"_site\.json: cannot be read.*see the folder"):
        site_look.read(job)
    (job.folder / site_look.NAME).write_text('{"": [')
    with pytest.raises(OutputError, match=r"_site\.json"):
        site_look.begin(job, cells, starter.fitted)


def test_cells_of_another_site_are_another_job(starter: Pipeline, cells: Manifest) -> None:
    moved = Manifest(cells.frame.assign(site=pd.array(["north"] * N, dtype="string")))
    assert _task(cells, starter).cells_sha256 != _task(moved, starter).cells_sha256
