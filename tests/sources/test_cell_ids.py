"""A cell's id depends on its own place alone, whichever other cells are read with it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from buffycoat.sources.read import read

PLACES = [f"{folder}/{n}.png" for folder in ("SNE", "LY", "deep/SNE") for n in range(3)]
"""Names that repeat in several folders: what once decided whether an id was a path."""
LABELS = {place: "LY" if "LY" in place else "SNE" for place in PLACES}


def _pictures(root: Path, places: list[str]) -> Path:
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).touch()
    return root


def _table(root: Path, places: list[str]) -> Path:
    rows = "".join(f"{place},{LABELS[place]}\n" for place in places)
    (root / "cells.csv").write_text(f"path,label\n{rows}")
    return root / "cells.csv"


def _folders(root: Path, places: list[str]) -> Path:
    return _pictures(root, places)


def _table_beside(root: Path, places: list[str]) -> Path:
    plain = [place.replace("SNE", "one").replace("LY", "two") for place in places]
    _pictures(root, plain)
    rows = [f"{name},{LABELS[place]}\n" for name, place in zip(plain, places, strict=True)]
    (root / "cells.csv").write_text("path,label\n" + "".join(rows))
    return root


def _table_by_itself(root: Path, places: list[str]) -> Path:
    return _table(_pictures(root, places), places)


def _parquet(root: Path, places: list[str], row: Callable[[str, int], dict[str, Any]]) -> Path:
    for place in places:
        path = (root / place).with_suffix(".parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist([row(place, n) for n in range(2)]), path)
    return root


def _hub(root: Path, places: list[str]) -> Path:
    def row(place: str, number: int) -> dict[str, Any]:
        return {"image": {"bytes": b"x", "path": f"{number}.png"}, "label": LABELS[place]}

    return _parquet(root, places, row)


def _wbcbench(root: Path, places: list[str]) -> Path:
    def row(place: str, number: int) -> dict[str, Any]:
        return {
            "image": {"bytes": b"x", "path": None},
            "image_id": f"{place.partition('/')[2]}-{number}",
            "label": LABELS[place],
            "wbcbench_split": "phase2_train",
        }

    # Both configs use the same ids: `pristine/0.png` and `degraded/0.png` hold the ID `0.png-0`.
    _parquet(root / "pristine", [place for place in places if place.startswith("SNE")], row)
    _parquet(root / "degraded", [place for place in places if place.startswith("LY")], row)
    return root


def _ids(data: Path, root: Path) -> dict[str, str]:
    """Place of each picture from the root -> its cell's id."""
    frame = read(data).frame
    places = [Path(path).relative_to(root).as_posix() for path in frame["path"]]
    return dict(zip(places, frame["cell_id"], strict=True))


@pytest.mark.parametrize(
    "write", [_folders, _table_beside, _table_by_itself, _hub, _wbcbench],
    ids=["folders", "table beside pictures", "table by itself", "hub", "wbcbench"],
)  # fmt: skip
@settings(max_examples=20, deadline=None)
@given(kept=st.sets(st.sampled_from(PLACES[:6]), min_size=1))
@example(kept={*PLACES[:6:2]})
@example(kept={*PLACES[:3]})
def test_an_id_does_not_depend_on_which_other_cells_are_there(
    tmp_path_factory: pytest.TempPathFactory,
    write: Callable[[Path, list[str]], Path],
    kept: set[str],
) -> None:
    whole, part = (tmp_path_factory.mktemp("cells") for _ in range(2))
    of_all = _ids(write(whole, PLACES), whole)
    of_part = _ids(write(part, [place for place in PLACES if place in kept]), part)
    assert of_part
    assert of_part == {place: of_all[place] for place in of_part}
    assert len({*of_all.values()}) == len(of_all)
    shutil.rmtree(whole)
    shutil.rmtree(part)


@pytest.mark.parametrize("places", [PLACES, ["SNE/0.png", "LY/1.png"]], ids=["repeat", "differ"])
@pytest.mark.parametrize("write", [_folders, _table_beside, _table_by_itself])
def test_an_id_is_the_path_whether_or_not_names_repeat(
    tmp_path: Path, write: Callable[[Path, list[str]], Path], places: list[str]
) -> None:
    ids = _ids(write(tmp_path, places), tmp_path)
    assert len(ids) == len(places)
    assert [*ids] == [*ids.values()]
