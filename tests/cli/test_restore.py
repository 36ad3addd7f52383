"""`restore` through the command line: pictures, tables, refusals, and a killed run."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import buffycoat
from buffycoat import images
from buffycoat.bundle import files
from buffycoat.cli.main import app
from buffycoat.errors import ManifestError, OutputError
from buffycoat.predict import frames, predictor, restore_folder, restore_plan
from buffycoat.predict.restore_journal import JOURNAL, Journal
from buffycoat.restore.classical import FlatField
from buffycoat.simulate.degrade import degrade
from buffycoat.simulate.render import render_cell

ABOVE = 1.5


def _restore(*arguments: object):
    result = CliRunner().invoke(app, ["restore", *map(str, arguments)])
    return result, " ".join(result.stderr.split())


def _files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Six photographs of different sizes at different depths; every second one is degraded."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "cells"
    for row, name in enumerate(("a.png", "b.jpg", "deep/a.png", "deep/c.d.jpg", "e.png", "f.png")):
        cell = np.ascontiguousarray(render_cell("LY", rng, 100).image[: 80 + 3 * row])
        cell = degrade(cell, 4, rng, ["gamma", "uneven_light"]) if row % 2 else cell
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(cell).save(folder / name)
    return folder


@pytest.fixture
def bundle(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle that restores by flat field and accepts all of it."""
    fitted = buffycoat.load(tiny_bundle).fitted
    config = fitted.config.restore.model_copy(update={"restore_above": ABOVE})
    restoration = replace(fitted.restoration, restorer=FlatField(), gate=None, config=config)
    fitted = replace(fitted, restoration=restoration)
    monkeypatch.setattr(
        predictor.Pipeline, "load", lambda path: predictor.Pipeline(fitted, files.checksum(path))
    )
    monkeypatch.setattr(restore_folder, "FRAMES_AT_ONCE", 2)
    return tiny_bundle


@pytest.mark.slow
def test_pictures_keep_folder_stem_and_size(bundle: Path, cells: Path, tmp_path: Path) -> None:
    before = _files(cells)
    out = tmp_path / "out"
    result, said = _restore(cells, out, "--bundle", bundle)
    assert result.exit_code == 0, result.output
    assert "ot a medical device" in said
    assert "human review" in result.stdout
    pictures = {name for name in _files(out) if name.endswith(".png")} - {images.CONTACT_SHEET}
    assert pictures == {"a.png", "b.png", "deep/a.png", "deep/c.d.png", "e.png", "f.png"}
    table = pd.read_csv(out / restore_plan.TABLE, keep_default_na=False)
    assert set(table["is_restored"]) == {True, False}
    for _, row in table.iterrows():
        original, picture = images.read(row["path"]), images.read(out / row["out"])
        assert original.shape == picture.shape
        assert row["is_restored"] != np.array_equal(original, picture)
        assert row["is_restored"] == (row["severity"] >= ABOVE)
        assert row["is_restored"] or row["degradation"] == ""
    assert _files(cells) == before
    assert not (out / restore_plan.BAD).exists()


@pytest.mark.slow
def test_the_table_has_what_predict_says_and_what_the_gate_measured(
    tiny_bundle: Path, cells: Path, tmp_path: Path
) -> None:
    result, _ = _restore(cells, tmp_path / "out", "--bundle", tiny_bundle)
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "out" / restore_plan.TABLE)
    paths = images.list_images(cells)
    said = buffycoat.load(tiny_bundle).predict([images.read(path) for path in paths])
    assert table["severity"].tolist() == [cell.severity for cell in said]
    was_tried = ~table["reason"].str.contains("pristine|is off|not estimable|not be estimated")
    assert (table["severity_before"].notna() | ~was_tried).all()
    assert (
        table.loc[table["reason"].str.startswith("near pristine"), "severity_before"].isna().all()
    )


@pytest.mark.slow
def test_a_killed_run_goes_on(
    bundle: Path, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _restore(cells, tmp_path / "whole", "--bundle", bundle)
    computed: list[int] = []
    plain = frames.restore_frames

    def count(batch, fitted, scales):
        if len(computed) == 2 and not (tmp_path / "go on").exists():
            raise KeyboardInterrupt
        computed.append(len(batch))
        return plain(batch, fitted, scales)

    monkeypatch.setattr(frames, "restore_frames", count)
    out = tmp_path / "out"
    result, said = _restore(cells, out, "--bundle", bundle)
    assert result.exit_code == 130
    assert "Stopped" in said
    assert not (out / restore_plan.TABLE).exists()
    (tmp_path / "go on").touch()
    with (out / JOURNAL).open("ab") as journal:
        journal.write(b'{"entry": "torn')  # as a kill in the middle of a line leaves it
    result, _ = _restore(cells, out, "--bundle", bundle)
    assert result.exit_code == 0, result.output
    assert sum(computed) == 6
    assert _files(out) == _files(tmp_path / "whole")

    _restore(cells, out, "--bundle", bundle)
    assert sum(computed) == 6  # a finished run has nothing to compute
    assert _files(out) == _files(tmp_path / "whole")


@pytest.mark.slow
def test_only_what_changed_is_computed_again(
    bundle: Path, cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    _restore(cells, out, "--bundle", bundle)
    expected = _files(out)
    computed: list[int] = []
    plain = frames.restore_frames

    def count(batch, fitted, scales):
        computed.append(len(batch))
        return plain(batch, fitted, scales)

    monkeypatch.setattr(frames, "restore_frames", count)
    (out / "a.png").write_bytes(b"not what was written")
    lines = (out / JOURNAL).read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"severity", b"severely", 1)
    (out / JOURNAL).write_bytes(b"".join(lines))
    _restore(cells, out, "--bundle", bundle)
    assert sum(computed) == 2
    assert _files(out) == expected

    (cells / "b.jpg").write_bytes((cells / "deep" / "c.d.jpg").read_bytes())
    _restore(cells, out, "--bundle", bundle)
    assert sum(computed) == 3
    other = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    (other / "bundle.json").write_text((other / "bundle.json").read_text() + "\n")
    _restore(cells, out, "--bundle", other)
    assert sum(computed) == 9


@pytest.mark.slow
def test_bad_files_are_listed_and_the_others_written(
    bundle: Path, cells: Path, tmp_path: Path
) -> None:
    whole = (cells / "b.jpg").read_bytes()
    (cells / "deep" / "torn.jpg").write_bytes(whole[: len(whole) // 2])
    (cells / "empty.png").write_bytes(b"")
    out = tmp_path / "out"
    result, said = _restore(cells, out, "--bundle", bundle, "--allow-bad", 1)
    assert result.exit_code == 3
    assert "torn.jpg" in said
    bad = pd.read_csv(out / restore_plan.BAD).set_index("ID")["reason"]
    assert {Path(name).name for name in bad.index} == {"torn.jpg", "empty.png"}
    assert any("0 bytes" in reason for reason in bad)
    assert len(pd.read_csv(out / restore_plan.TABLE)) == 6
    assert not (out / "empty.png").exists()
    result, _ = _restore(cells, out, "--bundle", bundle, "--allow-bad", 2)
    assert result.exit_code == 0
    for name in ("deep/torn.jpg", "empty.png"):
        (cells / name).unlink()
    result, _ = _restore(cells, out, "--bundle", bundle)
    assert result.exit_code == 0
    assert not (out / restore_plan.BAD).exists()


@pytest.mark.slow
def test_one_image_or_a_table_may_be_given(bundle: Path, cells: Path, tmp_path: Path) -> None:
    result, _ = _restore(cells / "b.jpg", tmp_path / "one", "--bundle", bundle)
    assert result.exit_code == 0, result.output
    (cells / "cells.csv").write_text("path\ndeep/a.png\ne.png\n")
    result, _ = _restore(cells / "cells.csv", tmp_path / "table", "--bundle", bundle)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "one" / "b.png").exists()
    assert (tmp_path / "table" / "deep" / "a.png").exists()
    assert len(pd.read_csv(tmp_path / "table" / restore_plan.TABLE)) == 2


def test_two_cells_of_one_picture_are_both_named(cells: Path, tmp_path: Path) -> None:
    shutil.copy(cells / "a.png", cells / "a.jpg")
    shutil.copy(cells / "a.png", cells / "contact-sheet.tif")
    result, said = _restore(cells, tmp_path / "out")
    assert result.exit_code == 2
    said = said.replace(" ", "")
    assert f"{cells / 'a.png'}and{cells / 'a.jpg'}would" in said
    assert "contact-sheet.tif" in said
    assert not (tmp_path / "out").exists()


def test_numbers_after_a_dot_are_names_not_suffixes(tmp_path: Path) -> None:
    from buffycoat.sources.read import read

    folder = tmp_path / "export"
    folder.mkdir()
    for name in ("IM.0001", "IM.0002", "IM", "a.jfif"):
        Image.new("RGB", (32, 32), "pink").save(folder / name, "JPEG")
    jobs = restore_plan.plan(read(folder, "images"), folder, tmp_path / "out")
    assert [job.out for job in jobs] == ["IM.png", "IM.0001.png", "IM.0002.png", "a.png"]


@pytest.mark.parametrize("place", ["", "deep", "new/er"])
def test_results_may_not_lie_among_the_originals(cells: Path, place: str) -> None:
    before = _files(cells)
    result, said = _restore(cells, cells / place)
    assert result.exit_code == 2
    assert str(cells) in said
    assert "Choose a folder beside it" in said
    assert _files(cells) == before


def test_an_original_is_never_written_over(cells: Path) -> None:
    before = _files(cells)
    result, said = _restore(cells / "a.png", cells)
    assert result.exit_code == 2
    assert "over the original" in said
    assert _files(cells) == before


def test_somebody_else_s_files_are_not_written_over(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "a.png").write_bytes(b"mine")
    result, said = _restore(cells, tmp_path / "out")
    assert result.exit_code == 2
    assert "deep/a.png" in said
    assert list(_files(tmp_path / "out")) == ["deep/a.png"]


def test_cells_of_parquet_tables_are_named_by_their_id(tmp_path: Path) -> None:
    from buffycoat.cells import Manifest

    def jobs(*cell_ids: str):
        rows = [
            {"cell_id": cell_id, "path": f"{tmp_path}/t.parquet#{row}", "split": "test"}
            for row, cell_id in enumerate(cell_ids)
        ]
        manifest = Manifest.from_frame(pd.DataFrame(rows).assign(label=None), "test")
        return [
            job.out for job in restore_plan.plan(manifest, tmp_path, tmp_path.parent / "results")
        ]

    assert jobs("1.jpg", "2", "x/3.png", "v1.2") == ["1.png", "2.png", "x/3.png", "v1.2.png"]
    assert jobs("../../up.jpg", "/root.png") == ["up.png", "root.png"]
    with pytest.raises(ManifestError, match=r"1\.png"):
        jobs("1.jpg", "1.png")


def test_a_journal_believes_only_whole_lines(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"picture")
    journal = Journal(tmp_path, "bundle")
    journal.add("a.png", journal.key(b"data", None), {"severity": 1.0})
    journal.close()
    whole = journal.path.read_bytes()
    for data, is_found in (
        (whole, True),
        (b"\xff\xfe[1]\n" + whole, True),
        (whole[:-5], False),
        (json.dumps({"entry": "{}", "check": "0"}).encode(), False),
        (json.dumps({"entry": "{}", "check": hashlib.sha256(b"{}").hexdigest()}).encode(), False),
    ):
        journal.path.write_bytes(data)
        again = Journal(tmp_path, "bundle")
        assert (again.find("a.png", again.key(b"data", None)) is not None) == is_found
        assert again.find("a.png", again.key(b"other", None)) is None
        assert again.find("a.png", again.key(b"data", 0.25)) is None  # framed otherwise
        again.close()
    other = Journal(tmp_path, "another bundle")
    assert other.key(b"data", None) != journal.key(b"data", None)
    other.close()


def test_help_has_an_example() -> None:
    shown = CliRunner().invoke(app, ["restore", "--help"], terminal_width=200).stdout
    assert "buffycoat restore cells/ restored/" in shown
    assert "--allow-bad" in shown
    assert "starter" in shown


def test_an_unwritable_folder_is_refused_before_any_work(cells: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file")
    result, _ = _restore(cells, tmp_path / "file" / "out", "--bundle", cells)
    assert result.exit_code == 2
    assert not isinstance(result.exception, OutputError)
