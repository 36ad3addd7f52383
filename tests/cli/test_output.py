from __future__ import annotations

from pathlib import Path

import pytest

from buffycoat.cli.output import check_file, check_folder, new_folder
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
    with pytest.raises(OutputError, match="no work was started"):
        check_folder(tmp_path / "file" / "run")


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
