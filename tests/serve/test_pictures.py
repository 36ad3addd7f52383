"""Pictures as they are shown: as stored, white balanced, in their field; and when they are gone."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sqlalchemy import update
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.errors import ManifestError
from buffycoat.images import read, write_png
from buffycoat.serve import predictions as tables
from buffycoat.serve import schema
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate
from buffycoat.serve.pictures import balanced
from buffycoat.serve.places import find_places
from buffycoat.serve.project import import_predictions
from buffycoat.simulate.fields import Placed, render_field
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read as read_sources

Serve = Callable[..., Any]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: pictures are no part of the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


def pixels_of(answer: Any) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))


def test_a_picture_is_sent_as_it_is_stored_and_once(single: Any, reviewed: Path) -> None:
    answer = single.raw("/cells/2/image")
    assert answer.content == (reviewed / "cells" / "LY-1.png").read_bytes()
    again = single.raw("/cells/2/image", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_browser_shows_no_picture_of_an_earlier_review(
    serve_from: Serve, reviewed: Path, tmp_path: Path
) -> None:
    """The pictures of all reviews have the same addresses, and mostly the same server's."""
    kept: dict[str, Any] = {}
    for number, name in enumerate(("LY-1.png", "MO-2.png")):
        table = tmp_path / f"{number}.csv"
        pd.DataFrame({"ID": [name], "labels": [name[:2]]}).to_csv(table, index=False)
        store = Store(f"sqlite:///{tmp_path / f'{number}.sqlite'}")
        migrate(store)
        import_predictions(store, tables.read(table, reviewed / "cells"), "test")
        client = serve_from(store, add=False).client()
        with store.writing() as writer:
            writer.execute(update(schema.cells).values(box="0,0,48,48"))
        for path in ("/cells/1/image", "/cells/1/image?white=1", "/cells/1/context"):
            old = kept.get(path)
            asked = {} if old is None else {"If-None-Match": old.headers["etag"]}
            found = client.raw(path, headers=asked)
            assert found.headers["cache-control"] == "private, no-cache"  # asked for each time
            assert found.status_code == 200
            assert old is None or found.content != old.content
            again = client.raw(path, headers={"If-None-Match": found.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
            kept[path] = found
        store.close()


def test_white_balance_takes_a_cast_away(single: Any, reviewed: Path) -> None:
    image = read(reviewed / "cells" / "LY-1.png")
    cast = (image * np.array([1.0, 0.85, 0.7])).astype(np.uint8)
    for picture in (balanced(image), balanced(cast)):
        white = np.median(picture[picture.sum(axis=2) > 600], axis=0)
        assert np.abs(white - 245).max() < 12
    assert pixels_of(single.raw("/cells/2/image?white=true")).shape == image.shape


def test_the_outline_lies_around_the_cell(single: Any) -> None:
    found = single.get("/cells/2/outline")
    points = np.array(found["points"])
    assert (points >= 0).all()
    assert (points <= [found["width"], found["height"]]).all()
    middle = points.mean(axis=0)
    assert np.abs(middle - [found["width"] / 2, found["height"] / 2]).max() < found["width"] / 4


def test_the_outline_of_a_cell_that_fills_its_picture_is_whole(
    serve_from: Serve, store: Any, tmp_path: Path
) -> None:
    drawn = render_cell("MO", np.random.default_rng(3), 200)
    rows, columns = np.where(drawn.cell_mask)
    tight = drawn.image[rows.min() - 6 : rows.max() + 7, columns.min() - 6 : columns.max() + 7]
    write_png(tmp_path / "cells" / "a.png", tight)
    pd.DataFrame({"cell_id": ["a.png"], "label": ["MO"]}).to_parquet(tmp_path / "cells.parquet")
    predicted = tables.read(tmp_path / "cells.parquet", tmp_path / "cells")
    import_predictions(store, predicted, "test")
    client = serve_from(store, images=tmp_path / "cells", add=False).client()
    points = np.array(client.get("/cells/1/outline")["points"])
    reach = points.max(axis=0) - points.min(axis=0)
    expected = [columns.max() - columns.min(), rows.max() - rows.min()]
    assert reach == pytest.approx(expected, rel=0.08)


@pytest.mark.parametrize("content", [None, b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_picture_that_is_gone_or_broken_is_shown_as_such(
    serve_from: Serve, store: Any, tmp_path: Path, content: bytes | None, reviewed: Path
) -> None:
    folder = tmp_path / "cells"
    folder.mkdir()
    for path in (reviewed / "cells").glob("*.png"):
        (folder / path.name).write_bytes(path.read_bytes())
    client = serve_from(store, images=folder).client()
    victim = folder / "LY-1.png"
    victim.unlink()
    if content is not None:
        victim.write_bytes(content)
    for suffix in ("", "?white=true"):
        answer = client.raw(f"/cells/2/image{suffix}")
        assert (answer.status_code, answer.headers["x-buffycoat-missing"]) == (200, "1")
        assert answer.headers["cache-control"] == "no-store"
    assert client.get("/cells/2")["is_missing"]
    assert client.get("/cells/2/outline", 404)["error"]["code"] == "no_picture"
    assert not client.get("/cells/1")["is_missing"]


def test_another_picture_in_its_place_is_told(
    serve_from: Serve, store: Any, tmp_path: Path
) -> None:
    write_png(tmp_path / "cells" / "a.png", np.full((40, 40, 3), 200, np.uint8))
    rows = {"cell_id": ["a.png"], "label": ["LY"], "image_sha256": ["0" * 64]}
    pd.DataFrame(rows).to_parquet(tmp_path / "cells.parquet")
    read = tables.read(tmp_path / "cells.parquet", tmp_path / "cells")
    import_predictions(store, read, "test")
    served = serve_from(store, images=tmp_path / "cells", add=False)
    answer = served.client().raw("/cells/1/image")
    assert answer.headers["x-buffycoat-changed"] == "1"
    assert served.client().get("/cells/1")["is_changed"]


def test_pictures_in_a_parquet_table(
    serve_from: Serve, store: Any, tmp_path: Path, reviewed: Path
) -> None:
    data = [(reviewed / "cells" / name).read_bytes() for name in ("LY-1.png", "MO-2.png")]
    folder = tmp_path / "tables"
    folder.mkdir()
    pictures = [{"bytes": one, "path": None} for one in data]
    pd.DataFrame({"image": pictures}).to_parquet(folder / "pictures.parquet")
    names = read_sources(folder, "images").column("cell_id").tolist()
    table = tmp_path / "predicted.csv"
    pd.DataFrame({"cell_id": names, "label": ["LY", "MO"]}).to_csv(table, index=False)
    import_predictions(store, tables.read(table, folder), "test")
    client = serve_from(store, images=folder, add=False).client()
    assert [client.raw(f"/cells/{n}/image").content for n in (1, 2)] == data


def test_boxes_in_a_larger_picture_are_shown_in_it(
    serve_from: Serve, store: Any, tmp_path: Path
) -> None:
    picture = np.full((200, 300, 3), 230, np.uint8)
    picture[50:90, 100:140] = (120, 60, 150)
    write_png(tmp_path / "fields" / "one.png", picture)
    table = tmp_path / "predicted.csv"
    pd.DataFrame({"ID": ["one.png"], "labels": ["LY"]}).to_csv(table, index=False)
    import_predictions(store, tables.read(table, tmp_path / "fields"), "test")
    with store.writing() as writer:
        writer.execute(update(schema.cells).values(box="95,45,50,50"))
    client = serve_from(store, images=tmp_path / "fields", add=False).client()
    assert pixels_of(client.raw("/cells/1/image")).shape == (50, 50, 3)
    assert client.get("/slides/1/cells")["cells"][0]["has_context"]
    assert pixels_of(client.raw("/cells/1/context")).shape == (200, 300, 3)
    (feature,) = client.raw("/slides/1/export/geojson").json()["features"]
    assert feature["geometry"]["coordinates"][0][0] == [95, 45]


def test_cells_that_find_cut_out_are_shown_in_their_field(
    serve_from: Serve, store: Any, tmp_path: Path
) -> None:
    cells = [Placed("LY", 30, 30), Placed("SNE", 60, 60)]
    field = render_field(cells, np.random.default_rng(0), 360)
    write_png(tmp_path / "fields" / "slide A" / "1.png", field.image)
    words = ["find", str(tmp_path / "fields"), "--out", str(tmp_path / "cells")]
    assert CliRunner().invoke(app, words).exit_code == 0
    found = pd.read_parquet(tmp_path / "cells" / "cells.parquet")
    table = tmp_path / "predicted.csv"
    pd.DataFrame({"ID": found["cell_id"], "labels": "LY"}).to_csv(table, index=False)
    import_predictions(store, tables.read(table, tmp_path / "cells"), "test")
    options = {"images": tmp_path / "cells", "fields": tmp_path / "fields", "add": False}
    client = serve_from(store, **options).client()
    assert [row["id"] for row in client.get("/slides")["slides"]] == ["slide A"]
    (one, _) = client.get("/slides/1/cells")["cells"]
    assert (one["has_context"], one["kind"]) == (True, "cell")
    shown = pixels_of(client.raw(f"/cells/{one['n']}/context"))
    yellow = (np.abs(shown.astype(int) - [255, 214, 0]).sum(axis=2) < 90).sum()
    assert yellow > 100

    # The outline that find measured, moved from the field to the crop, is around the crop's middle.
    outline = client.get(f"/cells/{one['n']}/outline")
    middle = np.array(outline["points"]).mean(axis=0)
    assert np.abs(middle - outline["width"] / 2).max() < 6
    features = client.raw("/slides/1/export/geojson").json()["features"]
    assert len(features) == 2
    assert features[0]["properties"]["metadata"]["field"] == "slide A/1.png"
    bare = serve_from(store, images=tmp_path / "cells", add=False).client()
    assert not bare.get("/slides/1/cells")["cells"][0]["has_context"]
    assert bare.get("/cells/1/context", 404)["error"]["code"] == "no_context"


@pytest.mark.parametrize(
    ("table", "column", "text", "words"),
    [
        ("cells.csv", "outline", "1,1 5 5,5", "line 2: outline '1,1 5 5,5', expected points x,y"),
        (
            "cells.csv",
            "outline",
            "1,1 nan,1 5,5",
            "line 2: outline '1,1 nan,1 5,5', expected points",
        ),
        ("cells.csv", "box", "0,0,9", "line 2: box '0,0,9', expected left,top,width,height"),
        ("cells.csv", "crop_px", "wide", "line 2: crop_px 'wide', expected whole pixels"),
        ("fields.csv", "width", "wide", "line 2: width 'wide', expected whole pixels"),
    ],
)
def test_a_place_that_cannot_be_read_is_refused_with_its_table(
    tmp_path: Path, table: str, column: str, text: str, words: str
) -> None:
    write_png(tmp_path / "one.png", np.full((9, 9, 3), 230, np.uint8))
    cell = {"cell_id": "one.png", "path": "one.png", "field": "f.png", "box": "0,0,9,9"}
    cell |= {"outline": "1,1 5,1 5,5", "crop_px": 9}
    rows = {"cells.csv": cell, "fields.csv": {"field": "f.png", "width": 99, "height": 99}}
    for name, row in rows.items():
        pd.DataFrame([row]).to_csv(tmp_path / name, index=False)
    assert find_places(tmp_path, ["one.png"])["one.png"].field["size"] == [99, 99]
    pd.DataFrame([rows[table] | {column: text}]).to_csv(tmp_path / table, index=False)
    with pytest.raises(ManifestError, match=re.escape(words)) as error:
        find_places(tmp_path, ["one.png"])
    assert str(tmp_path / table) in str(error.value)
