"""Parquet tables whose pictures are bytes, files beside the table, or nowhere."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from buffycoat import images
from buffycoat.cells import CellRef, Manifest
from buffycoat.config import ImagesConfig
from buffycoat.errors import ImageError, ManifestError
from buffycoat.images import parquet_cells

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (value, value, value)).save(buffer, "PNG")
    return buffer.getvalue()


def _table(path: Path, cells: list, kind: pa.DataType = STRUCT, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"image": pa.array(cells, kind)}), path, row_group_size=2, **options)
    return path


def _files(folder: Path, n: int) -> list[str]:
    (folder / "cells").mkdir(parents=True)
    for row in range(n):
        (folder / f"cells/{row}.png").write_bytes(_png(40 * row))
    return [f"cells/{row}.png" for row in range(n)]


def _values(table: Path, n: int) -> list[int]:
    return [int(images.read(f"{table}#{row}")[0, 0, 0]) for row in range(n)]


@pytest.mark.parametrize("is_struct", [True, False])
@pytest.mark.parametrize("is_absolute", [True, False])
def test_a_path_is_followed_from_the_tables_folder(
    tmp_path: Path, is_struct: bool, is_absolute: bool
) -> None:
    names = _files(tmp_path, 5)
    names = [str(tmp_path / name) for name in names] if is_absolute else names
    cells = [{"bytes": None, "path": name} for name in names] if is_struct else names
    table = _table(tmp_path / "t.parquet", cells, STRUCT if is_struct else pa.string())
    images.check_pictures(table)
    assert _values(table, 5) == [0, 40, 80, 120, 160]


@pytest.mark.parametrize("has_statistics", [True, False])
def test_bytes_count_before_paths_and_rows_may_differ(tmp_path: Path, has_statistics: bool) -> None:
    names = _files(tmp_path, 5)
    cells: list = [{"bytes": _png(200), "path": name} for name in names]
    cells[3] = {"bytes": None, "path": names[3]}
    cells[4] = None
    table = _table(tmp_path / "t.parquet", cells, write_statistics=has_statistics)
    images.check_pictures(table)
    assert _values(table, 4) == [200, 200, 200, 120]
    with pytest.raises(ImageError, match="empty"):
        images.read(f"{table}#4")


def test_paths_that_lead_nowhere_are_one_error_with_the_remedy(tmp_path: Path) -> None:
    cells = [{"bytes": None, "path": f"/data/here/{row}.png"} for row in range(5)]
    table = _table(tmp_path / "t.parquet", cells)
    with pytest.raises(ManifestError, match=r"5 of 5 rows hold a path .*/data/here/0.png") as error:
        images.check_pictures(str(table))
    assert "embed_table_storage" in str(error.value)
    with pytest.raises(ImageError, match=r"t.parquet#3: holds a path .*/data/here/3.png cannot"):
        images.read(f"{table}#3")


def test_one_lost_file_is_one_bad_cell(tmp_path: Path) -> None:
    cells = [{"bytes": None, "path": name} for name in _files(tmp_path, 3)]
    (tmp_path / "cells/1.png").unlink()
    table = _table(tmp_path / "t.parquet", cells)
    images.check_pictures(table)
    with pytest.raises(ImageError, match=r"#1: holds a path and no picture, .*cells/1.png"):
        images.read(f"{table}#1")
    assert images.read(f"{table}#2").shape == (20, 20, 3)


def test_a_table_with_its_pictures_is_told_by_its_footer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [{"bytes": _png(9), "path": "9.png"}] * 5
    table = _table(tmp_path / "t.parquet", cells)
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda *_, **__: pytest.fail("read"))
    images.check_pictures(table)


def test_a_picture_that_changes_beside_its_table_is_read_anew(tmp_path: Path) -> None:
    cells = [{"bytes": None, "path": name} for name in _files(tmp_path, 2)]
    table = _table(tmp_path / "t.parquet", cells)
    assert parquet_cells.picture_file(CellRef(str(table), 1)) == str(tmp_path / "cells/1.png")
    frame = pytest.importorskip("pandas").DataFrame(
        {"cell_id": ["a", "b"], "path": [f"{table}#0", f"{table}#1"]}
    )
    manifest = Manifest.from_frame(frame, "test")
    config = ImagesConfig(work_px=64)
    assert images.load_work(manifest, config, tmp_path / "cache").images[1, 0, 0, 0] == 40
    (tmp_path / "cells/1.png").write_bytes(_png(250))
    os.utime(tmp_path / "cells/1.png", ns=(1, 1))
    work = images.load_work(manifest, config, tmp_path / "cache")
    np.testing.assert_array_equal(work.images[1], np.full((64, 64, 3), 250))
