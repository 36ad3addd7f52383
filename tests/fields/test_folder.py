"""Folders of fields: crops, tables, and what cannot be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from buffycoat import images
from buffycoat.errors import ManifestError
from buffycoat.fields import find as finder
from buffycoat.fields import folder as folders
from buffycoat.fields import parts
from buffycoat.fields import places as places_module
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


def _write_ome(path: Path, pixels: np.ndarray, um_per_px: float | None = None) -> None:
    sizes = {f"PhysicalSize{axis}": um_per_px for axis in "XY"} if um_per_px else {}
    tifffile.imwrite(path, pixels, photometric="rgb", metadata={"axes": "YXS", **sizes})


class _Listener(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_slide_is_found_among_fields_with_the_scale_of_its_file(
    fields: Path, tmp_path: Path
) -> None:
    rendered = render_field([Placed("LY", 30, 30)], np.random.default_rng(3), 360)
    _write_ome(fields / "b/slide.ome.tif", rendered.image, rendered.um_per_px)
    listener = _Listener()
    places, _ = list_fields(fields)
    out, overlays = tmp_path / "cells", tmp_path / "overlays"
    done = find_folder(places, out, listener, overlays=overlays)
    rows = {row["field"]: row for row in done.fields}
    assert list(rows) == ["a/one.png", "b/slide.ome.tif", "b/two.png"]
    assert rows["b/slide.ome.tif"]["scale_from"] == "file"
    assert rows["b/slide.ome.tif"]["um_per_px"] == pytest.approx(0.25)
    assert rows["b/two.png"]["scale_from"] == "red cells"
    assert rows["b/slide.ome.tif"]["cells"] == 1
    assert [part["field"] for part in done.parts] == ["b/slide.ome.tif"]
    assert images.read(overlays / "b/slide.ome.tif.png").shape == (360, 360, 3)
    assert listener.said == []
    stated = find_folder(places, out, Silent(), um_per_px=0.24)
    assert {row["scale_from"] for row in stated.fields} == {"stated"}


def test_a_scale_of_the_file_that_red_cells_contradict_is_told(tmp_path: Path) -> None:
    rendered = render_field([Placed("LY", 30, 30)], np.random.default_rng(3), 600)
    (tmp_path / "f").mkdir()
    _write_ome(tmp_path / "f/a.ome.tif", rendered.image, rendered.um_per_px / 2)
    listener = _Listener()
    find_folder(list_fields(tmp_path / "f")[0], tmp_path / "cells", listener)
    assert "a.ome.tif: by the file a pixel is 0.075 µm wide" in listener.said[0]
    assert "--um-per-px" in listener.said[0]


def test_magnifications_that_differ_are_told(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    for size in (300, 600):
        rendered = render_field([Placed("LY", 30, 30)], np.random.default_rng(3), size)
        _write_ome(tmp_path / f"f/{size}.ome.tif", rendered.image, rendered.um_per_px)
    listener = _Listener()
    done = find_folder(list_fields(tmp_path / "f")[0], tmp_path / "cells", listener)
    assert listener.said == [
        "fields of several magnifications: pixels are 0.15 to 0.3 µm wide. The table of fields has "
        "the scale of each"
    ]
    assert [row["cells"] for row in done.fields] == [1, 1]


def test_a_broken_slide_is_listed_and_the_others_are_found(fields: Path, tmp_path: Path) -> None:
    (fields / "a.czi").write_bytes(b"ZISRAWFILE" + bytes(500))
    (fields / "b.svs").touch()
    done = find_folder(list_fields(fields)[0], tmp_path / "cells", Silent())
    reasons = {name: reason for name, _, reason in done.bad}
    assert set(reasons) == {"a.czi", "b.svs", "broken.jpg"}
    assert "Copy it again" in reasons["a.czi"]
    assert "0 bytes" in reasons["b.svs"]
    assert len(done.fields) == 2


def test_a_picture_too_large_for_one_search_is_searched_in_parts(
    fields: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = find_folder(list_fields(fields)[0], tmp_path / "one", Silent())
    monkeypatch.setattr(finder, "MOST_PIXELS", 70_000)  # of 83,000 that each picture has
    monkeypatch.setattr(parts, "CORE", 6.0)
    many = find_folder(list_fields(fields)[0], tmp_path / "many", Silent())
    assert [row["cells"] for row in many.fields] == [row["cells"] for row in one.fields]
    assert [row["parts"] for row in many.fields] == [4, 4]


def test_the_files_of_a_dicom_series_are_one_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("s/0.dcm", "s/1.dcm", "t/0.dcm", "t/1.dcm", "t/2.dcm"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(bytes(128) + b"DICM")
    groups = [("s/0.dcm", "s/1.dcm"), ("t/0.dcm", "t/2.dcm"), ("t/1.dcm",)]
    monkeypatch.setattr(
        places_module,
        "group_by_series",
        lambda _: [tuple(tmp_path / name for name in group) for group in groups],
    )
    found = [(place.name, len(place.files)) for place in list_fields(tmp_path)[0]]
    assert found == [("s", 2), ("t/0.dcm", 2), ("t/1.dcm", 1)]
