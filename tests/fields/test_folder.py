"""Folders of fields: crops, tables, and what cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from buffycoat import images
from buffycoat.errors import ManifestError
from buffycoat.fields import folder as folders
from buffycoat.fields.folder import find_folder, list_fields
from buffycoat.fields.outlines import WINDOW
from buffycoat.images import write_png
from buffycoat.progress import Silent
from buffycoat.simulate.fields import Placed, render_field


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Two fields in folders, one that is damaged, and a text."""
    folder = tmp_path / "fields"
    for seed, name in enumerate(("a/one.png", "b/two.png")):
        cells = [Placed("LY", 30, 30), Placed("SNE", 60, 60)]
        rendered = render_field(cells, np.random.default_rng(seed), 360)
        write_png(folder / name, rendered.image)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    (folder / "notes.txt").write_text("from Tuesday")
    return folder


def test_crops_rows_and_overlays_are_written(fields: Path, tmp_path: Path) -> None:
    places, left_out = list_fields(fields)
    out, overlays = tmp_path / "cells", tmp_path / "overlays"
    done = find_folder(places, out, Silent(), overlays=overlays)
    assert left_out == "1 file not looked at: 1 text (.txt)"
    assert [row["field"] for row in done.fields] == ["a/one.png", "b/two.png"]
    assert [row["cells"] for row in done.fields] == [2, 2]
    assert [name for name, _, _ in done.bad] == ["broken.jpg"]
    assert len({row["cell_id"] for row in done.cells}) == 4
    for row in done.cells:
        crop = images.read(out / row["path"])
        assert crop.shape[0] == crop.shape[1] == row["crop_px"]
        assert row["crop_px"] * row["um_per_px"] == pytest.approx(WINDOW * 7.5, rel=0.02)
    assert images.read(overlays / "a/one.png.png").shape == (360, 360, 3)
    assert len(images.list_images(out)) == 4  # as `predict` will read them


def test_a_second_run_finds_nothing_again(
    fields: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places, _ = list_fields(fields)
    first = find_folder(places, tmp_path / "cells", Silent())
    with (tmp_path / "cells" / ".find-journal.jsonl").open("ab") as journal:
        journal.write(b'{"key": "torn by a ki')
    searched = []
    monkeypatch.setattr(folders, "find", lambda view, *_: searched.append(view.name))
    again = find_folder(places, tmp_path / "cells", Silent())
    assert searched == []
    assert again.cells == first.cells
    assert again.fields == first.fields


def test_a_crop_that_was_removed_is_made_again(fields: Path, tmp_path: Path) -> None:
    places, _ = list_fields(fields)
    first = find_folder(places, tmp_path / "cells", Silent())
    lost = tmp_path / "cells" / first.cells[0]["path"]
    lost.unlink()
    find_folder(places, tmp_path / "cells", Silent())
    assert lost.is_file()


def test_crops_of_another_scale_do_not_stay(fields: Path, tmp_path: Path) -> None:
    places, _ = list_fields(fields)
    find_folder(places, tmp_path / "cells", Silent())
    stated = find_folder(places, tmp_path / "cells", Silent(), um_per_px=0.2)
    crops = images.list_images(tmp_path / "cells")
    assert {str(tmp_path / "cells" / row["path"]) for row in stated.cells} == set(map(str, crops))


def test_a_field_without_a_scale_is_listed_with_the_remedy(tmp_path: Path) -> None:
    write_png(tmp_path / "f" / "blank.png", np.full((200, 200, 3), 230, np.uint8))
    places, _ = list_fields(tmp_path / "f")
    done = find_folder(places, tmp_path / "cells", Silent())
    assert "--um-per-px" in done.bad[0][2]
    done = find_folder(places, tmp_path / "cells", Silent(), um_per_px=0.1)
    assert not done.bad
    assert done.fields[0]["cells"] == 0


@pytest.mark.parametrize("kind", ["missing", "empty", "texts"])
def test_a_folder_without_fields_is_refused(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "fields"
    if kind != "missing":
        folder.mkdir()
    if kind == "texts":
        (folder / "notes.txt").write_text("nothing")
    with pytest.raises(ManifestError, match=r"no such folder|no field in it"):
        list_fields(folder)
