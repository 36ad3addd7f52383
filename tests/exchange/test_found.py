"""Found and predicted cells as other tools read them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.errors import ManifestError
from buffycoat.exchange.found import read_found, to_coco, to_geojson, to_yolo
from buffycoat.exchange.read import read_boxes
from buffycoat.images import write_png

shapely = pytest.importorskip("shapely", reason="needs the extra 'fields'")

NUMBER = {"type": "number"}
RING = {
    "type": "array",
    "minItems": 4,
    "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": NUMBER},
}
POLYGON = {"type": "array", "minItems": 1, "items": RING}
QUPATH = {
    "type": "object",
    "required": ["type", "features"],
    "additionalProperties": False,
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "id", "geometry", "properties"],
                "additionalProperties": False,
                "properties": {
                    "type": {"const": "Feature"},
                    "id": {
                        "type": "string",
                        "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
                    },
                    "geometry": {
                        "oneOf": [
                            {"properties": {"type": {"const": "Polygon"}, "coordinates": POLYGON}},
                            {
                                "properties": {
                                    "type": {"const": "MultiPolygon"},
                                    "coordinates": {"type": "array", "items": POLYGON},
                                }
                            },
                        ]
                    },
                    "properties": {
                        "type": "object",
                        "required": ["objectType"],
                        "additionalProperties": False,
                        "properties": {
                            "objectType": {"enum": ["detection", "cell", "annotation", "tile"]},
                            "name": {"type": "string"},
                            "classification": {
                                "type": "object",
                                "required": ["name", "color"],
                                "additionalProperties": False,
                                "properties": {
                                    "name": {"type": "string"},
                                    "color": {
                                        "type": "array",
                                        "minItems": 3,
                                        "maxItems": 3,
                                        "items": {"type": "integer", "minimum": 0, "maximum": 255},
                                    },
                                },
                            },
                            "measurements": {"type": "object", "additionalProperties": NUMBER},
                        },
                    },
                },
            },
        },
    },
}
"""What QuPath 0.5 writes of detections: `QuPathTypeAdapters.PathObjectTypeAdapter.write` and
`ROITypeAdapters.writeGeometry` at its commit 1489180, less what only other objects have."""

SQUARE = "10.0,10.0 30.0,10.0 30.0,40.0 10.0,40.0"
SPUR = "50.0,50.0 60.0,50.0 60.0,60.0 70.0,60.0 60.0,60.0 50.0,60.0"
"""A contour that runs out along a line and back, as contours of masks do."""
LINE = "80.0,10.0 90.0,10.0"


def _row(name: str, field: str, box: str, outline: str, kind: str = "cell") -> dict[str, object]:
    return {
        "cell_id": name, "path": name, "field": field, "box": box, "outline": outline,
        "kind": kind, "area_um2": 99.5, "nucleus_area_um2": 50.0, "signal": 7.0,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What `find` writes: three cells, one of them a smudge; and a field without a cell."""
    rows = [
        _row("s1/a.png-x10-y10.png", "s1/a.png", "10,10,20,30", SQUARE),
        _row("s1/a.png-x50-y50.png", "s1/a.png", "50,50,20,10", SPUR),
        _row("s1/a.png-x80-y8.png", "s1/a.png", "80,8,10,4", LINE, "smudge"),
    ]
    cells = tmp_path / "cells"
    cells.mkdir()
    pd.DataFrame(rows).to_parquet(cells / "cells.parquet")
    fields = pd.DataFrame({"field": ["s1/a.png", "s2/b.png"], "width": 100, "height": 80})
    fields.to_csv(cells / "fields.csv", index=False)
    return cells


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    frame = pd.DataFrame({
        "cell_id": ["s1/a.png-x10-y10.png", "s1/a.png-x50-y50.png"], "label": ["LY", "EO"],
        "probability": [0.9, 0.6], "is_abstained": [False, True], "prob_EO": [0.1, 0.6],
        "prob_LY": [0.9, 0.4], "evidence": ["[]", "[]"],
    })  # fmt: skip
    frame.to_parquet(tmp_path / "predictions.parquet")
    return tmp_path / "predictions.parquet"


def test_geojson_has_the_form_that_qupath_writes(
    folder: Path, predictions: Path, tmp_path: Path
) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema")
    assert to_geojson(read_found(folder, predictions), tmp_path / "out") == 2
    tables = {}
    for name in ("s1/a.png", "s2/b.png"):
        tables[name] = json.loads((tmp_path / "out" / f"{name}.geojson").read_text())
        jsonschema.validate(tables[name], QUPATH)
    assert tables["s2/b.png"]["features"] == []
    cells = tables["s1/a.png"]["features"]
    shapes = [shapely.from_geojson(json.dumps(cell["geometry"])) for cell in cells]
    assert all(shape.is_valid for shape in shapes)
    assert [shape.area for shape in shapes] == [600, 100, 40]  # the last by its box
    said = [cell["properties"] for cell in cells]
    assert [one["classification"]["name"] for one in said] == ["LY", "EO", "smudge"]
    assert said[1]["measurements"]["probability"] == 0.6
    assert said[1]["measurements"]["prob_LY"] == 0.4
    assert said[1]["measurements"]["is_abstained"] == 1
    assert said[2]["measurements"] == {
        "area_um2": 99.5, "nucleus_area_um2": 50.0, "signal": 7.0
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools 2.0
def test_coco_goes_round_through_its_own_library(
    folder: Path, predictions: Path, tmp_path: Path
) -> None:
    tools = pytest.importorskip("pycocotools.coco", reason="needs pycocotools")
    path = tmp_path / "cells.json"
    to_coco(read_found(folder, predictions), path)
    found = tools.COCO(str(path))
    assert [entry["file_name"] for entry in found.loadImgs([1, 2])] == ["s1/a.png", "s2/b.png"]
    cells = found.loadAnns(found.getAnnIds(imgIds=[1]))
    assert [found.cats[cell["category_id"]]["name"] for cell in cells] == ["LY", "EO", "smudge"]
    assert [cell.get("score") for cell in cells] == [0.9, 0.6, None]
    assert [int(found.annToMask(cell).sum()) for cell in cells] == [600, 100, 40]


@pytest.mark.parametrize("kind", ["coco", "yolo"])
def test_our_own_readers_take_it_back(
    folder: Path, predictions: Path, tmp_path: Path, kind: str
) -> None:
    import numpy as np

    for name in ("s1/a.png", "s2/b.png"):
        write_png(tmp_path / "images" / name, np.full((80, 100, 3), 240, np.uint8))
    known = read_found(folder, predictions)
    if kind == "coco":
        to_coco(known, tmp_path / "images" / "cells.json")
        first, second = read_boxes(tmp_path / "images" / "cells.json")
    else:
        to_yolo(known, tmp_path)
        first, second = read_boxes(tmp_path)
    assert [box.label for box in first.boxes] == ["LY", "EO", "smudge"]
    assert (first.boxes[0].left, first.boxes[0].height) == pytest.approx((10, 30), abs=1e-3)
    assert second.boxes == ()


def test_without_predictions_cells_are_cells(folder: Path) -> None:
    known = read_found(folder)
    assert known.classes == ["cell", "smudge"]


def test_predictions_of_other_cells_are_refused(folder: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame({"cell_id": ["other.png"], "label": ["LY"]})
    frame.to_parquet(tmp_path / "other.parquet")
    with pytest.raises(ManifestError, match=r"1 of its 1 cell, such as other\.png, is not in"):
        read_found(folder, tmp_path / "other.parquet")
    with pytest.raises(ManifestError, match=r"no cells\.parquet and no fields\.csv"):
        read_found(tmp_path)


def test_the_command_takes_what_differential_wrote(
    folder: Path, predictions: Path, tmp_path: Path
) -> None:
    assert predictions.parent == folder.parent == tmp_path
    for kind, out in (("geojson", "gj"), ("coco", "c.json"), ("yolo", "y")):
        words = ["annotate", str(tmp_path), "--format", kind, "--out", str(tmp_path / out)]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
        assert "3 cells of 2 fields" in done.output
    assert "score" in (tmp_path / "c.json").read_text()


def test_coco_is_one_json_file(folder: Path, tmp_path: Path) -> None:
    words = ["annotate", str(folder), "--format", "coco", "--out", str(tmp_path / "x")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 2
    assert ".json" in done.output
