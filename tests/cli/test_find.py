"""`buffycoat find` from a folder of fields to cells that other commands take."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.fields import parts
from buffycoat.images import write_png
from buffycoat.simulate.fields import Placed, render_field
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over two rendered fields: FIELDS, cells and overlays in one folder."""
    folder = tmp_path_factory.mktemp("find")
    for seed in range(2):
        cells = [Placed("LY", 30, 30), Placed("SNE", 60, 60)]
        field = render_field(cells, np.random.default_rng(seed), 360)
        write_png(folder / "fields" / f"{seed}.png", field.image)
    done = _run(folder, "--overlays", str(folder / "overlays"))
    assert done.exit_code == 0, done.output
    assert "4 cells in 2 fields" in done.output
    return folder


def _run(folder: Path, *options: str):
    arguments = ["find", str(folder / "fields"), "--out", str(folder / "cells"), *options]
    return CliRunner().invoke(app, arguments)


def test_tables_say_what_is_where(found: Path) -> None:
    cells = pd.read_parquet(found / "cells" / "cells.parquet")
    fields = pd.read_csv(found / "cells" / "fields.csv")
    assert fields["cells"].tolist() == [2, 2]
    assert set(cells["field"]) == set(fields["field"]) == {"0.png", "1.png"}
    assert (cells["um_per_px"] / (90 / 360)).between(0.85, 1.15).all()
    assert {p.name for p in (found / "overlays").iterdir()} == {"0.png.png", "1.png.png"}


def test_other_commands_read_the_folder_and_the_table(found: Path) -> None:
    of_folder = read(found / "cells", "images")
    of_table = read(found / "cells" / "cells.parquet")
    assert sorted(of_folder.frame["cell_id"]) == sorted(of_table.frame["cell_id"])
    assert len(of_table) == 4


def test_a_damaged_field_is_listed_and_the_exit_code_says_so(tmp_path: Path) -> None:
    field = render_field([Placed("LY", 45, 45)], np.random.default_rng(0), 300)
    write_png(tmp_path / "fields" / "good.png", field.image)
    (tmp_path / "fields" / "bad.png").write_bytes((tmp_path / "fields/good.png").read_bytes()[:999])
    done = _run(tmp_path)
    assert done.exit_code == 3
    bad = pd.read_csv(tmp_path / "cells" / "bad-fields.csv")
    assert bad["ID"].tolist() == ["bad.png"]
    assert len(pd.read_parquet(tmp_path / "cells" / "cells.parquet")) == 1
    assert _run(tmp_path, "--allow-bad", "1").exit_code == 0


def test_fields_without_a_cell_make_an_empty_table_and_a_remedy(tmp_path: Path) -> None:
    field = render_field([], np.random.default_rng(0), 300)
    write_png(tmp_path / "fields" / "a.png", field.image)
    done = _run(tmp_path)
    assert done.exit_code == 0
    assert "--um-per-px" in done.output
    assert len(pd.read_parquet(tmp_path / "cells" / "cells.parquet")) == 0


def test_crops_of_single_cells_are_told_from_fields(found: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        image = render_cell("LY", np.random.default_rng(ord(name)), 240).image
        write_png(tmp_path / "fields" / f"{name}.png", image)
    done = _run(tmp_path, "--um-per-px", str(30 / 240))
    assert "2 of 2 pictures show one cell in the middle" in " ".join(done.output.split())
    assert "`buffycoat predict`" in " ".join(done.output.split())
    again = CliRunner().invoke(app, ["find", str(found / "fields"), "--out", str(found / "cells")])
    assert "in the middle" not in again.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--um-per-px", "40"], "expected micrometres"),
        (["--overlays", "cells/x"], "lies in"),
    ],
)
def test_wrong_options_fail_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fields").mkdir()
    done = CliRunner().invoke(app, ["find", "fields", "--out", "cells", *options])
    assert done.exit_code == 2
    assert words in done.output
    assert not (tmp_path / "cells").exists()


def test_a_slide_gives_the_same_tables_whatever_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "CORE", 12.0)
    picture = np.hstack(
        [
            render_field([Placed("LY", 30 + 10 * n, 40)], np.random.default_rng(0), 300).image
            for n in range(3)
        ]
    )
    tifffile.imwrite(
        tmp_path / "a.ome.tif", picture, photometric="rgb", tile=(128, 128),
        metadata={"axes": "YXS", "PhysicalSizeX": 0.3, "PhysicalSizeY": 0.3},
    )  # fmt: skip
    tables = []
    for out, tile_px in (("one", "256"), ("two", "4096")):
        arguments = ["find", str(tmp_path / "a.ome.tif"), "--out", str(tmp_path / out)]
        done = CliRunner().invoke(app, [*arguments, "--tile-px", tile_px])
        assert done.exit_code == 0, done.output
        assert "3 cells in 1 field " in done.output
        tables.append(pd.read_parquet(tmp_path / out / "cells.parquet"))
    assert tables[0].equals(tables[1])
    assert set(tables[0]["slide_id"]) == {"a.ome.tif"}
    seen = pd.read_csv(tmp_path / "one" / "parts.csv")
    assert len(seen) == pd.read_csv(tmp_path / "one" / "fields.csv")["parts"][0] == 3
    assert seen[["left", "width"]].to_numpy().tolist() == [[0, 300], [300, 300], [600, 300]]
