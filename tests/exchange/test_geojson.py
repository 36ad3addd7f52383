"""GeoJSON of cells, in the form that QuPath 0.4 and later writes itself."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import numpy as np
import pytest

from buffycoat.exchange.geojson import Detection, colour_of, write_geojson
from buffycoat.exchange.outlines import Outline, outline_of

pytest.importorskip("shapely", reason="needs the extra 'fields'")
CLASSES = ["EO", "LY", "SNE"]


def _written(path: Path, *cells: Detection) -> list[dict]:
    write_geojson(path, cells, CLASSES)
    table = json.loads(path.read_text())
    assert table["type"] == "FeatureCollection"
    return table["features"]


def test_a_cell_is_a_detection_with_class_colour_and_measurements(tmp_path: Path) -> None:
    outline = outline_of(np.ones((4, 6), bool), 10, 20)
    numbers = {"probability": 0.9, "nc_ratio": float("nan")}
    (cell,) = _written(tmp_path / "f.geojson", Detection("f#1", outline, "LY", numbers))
    assert uuid.UUID(cell["id"])
    assert cell["properties"] == {
        "objectType": "detection",
        "name": "f#1",
        "classification": {"name": "LY", "color": colour_of("LY", CLASSES)},
        "measurements": {"probability": 0.9},
    }
    (ring,) = cell["geometry"]["coordinates"]
    assert cell["geometry"]["type"] == "Polygon"
    assert ring[0] == ring[-1]
    assert len(ring) == 5


def test_lobes_apart_are_one_cell(tmp_path: Path) -> None:
    mask = np.zeros((5, 5), bool)
    mask[0], mask[4] = True, True
    (cell,) = _written(tmp_path / "f.geojson", Detection("f#1", outline_of(mask), None, {}))
    assert cell["geometry"]["type"] == "MultiPolygon"
    assert len(cell["geometry"]["coordinates"]) == 2
    assert "classification" not in cell["properties"]


def test_the_same_cell_has_the_same_id_in_every_export(tmp_path: Path) -> None:
    outline = outline_of(np.ones((2, 2), bool))
    cells = [Detection(name, outline, "EO", {}) for name in ("f#1", "f#2")]
    first = [cell["id"] for cell in _written(tmp_path / "a.geojson", *cells)]
    again = [cell["id"] for cell in _written(tmp_path / "b.geojson", *reversed(cells))]
    assert first == again[::-1]
    assert first[0] != first[1]


def test_a_cell_without_an_outline_is_refused_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="f#1: has no outline"):
        write_geojson(tmp_path / "f.geojson", [Detection("f#1", Outline(()), "LY", {})], CLASSES)
    assert not (tmp_path / "f.geojson").exists()


def test_classes_have_colours_of_their_own() -> None:
    assert len({tuple(colour_of(code, CLASSES)) for code in CLASSES}) == 3
