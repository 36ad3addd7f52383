from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from buffycoat import images
from buffycoat.errors import ManifestError
from buffycoat.sources.hugging_face import read_hugging_face
from buffycoat.sources.options import Reading


def _png(value: int) -> dict[str, Any]:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (value, 0, 0)).save(buffer, format="PNG")
    return {"bytes": buffer.getvalue(), "path": None}


def _row(
    image_id: str, split: str, label: str | None, value: int = 0, **more: Any
) -> dict[str, Any]:
    row = {"image": _png(value), "image_id": image_id, "label": label, "wbcbench_split": split}
    optional = dict.fromkeys(("severity", "original_image_id", "patient_hash"))
    return {**row, **optional, **more}


PRISTINE = [
    _row("a", "phase1", "SNE", 1, patient_hash="p1"),
    _row("b", "phase2_train", "LY", 2, patient_hash="p2"),
    _row("c", "phase2_eval", "MO", 3, patient_hash="p3"),
    _row("d", "phase2_test", None, 4, patient_hash="p4"),
    _row("e", "phase2_train", "BA", 5, patient_hash="p5"),
]
DEGRADED = [
    _row("b2", "phase2_train", "LY", 12, severity=1, original_image_id="b", patient_hash="p2"),
    _row("c2", "phase2_eval", "MO", 13, severity=2, original_image_id="c", patient_hash="p3"),
    _row("d2", "phase2_test", None, 14, severity=4, original_image_id="d", patient_hash="p4"),
    _row("e2", "phase2_test", None, 15, severity=4, original_image_id="e", patient_hash="p5"),
]


def _write(path: Path, rows: list[dict[str, Any]], metadata: dict[str, str] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.replace_schema_metadata(metadata), path, row_group_size=2)


@pytest.mark.parametrize(
    ("pristine", "degraded"),
    [
        ("pristine/train-00000.parquet", "degraded/train-00000.parquet"),
        ("data/pristine-0.parquet", "data/degraded-0.parquet"),
    ],
)
def test_pairs_and_patients_are_read(tmp_path: Path, pristine: str, degraded: str) -> None:
    _write(tmp_path / pristine, PRISTINE)
    _write(tmp_path / degraded, DEGRADED)
    manifest = read_hugging_face(tmp_path)
    frame = manifest.frame.set_index("cell_id")
    assert frame.loc["b2", "original_id"] == "pristine/b"
    assert frame.loc["b2", "patient_id"] == frame.loc["pristine/b", "patient_id"] == "p2"
    assert frame["severity"].to_dict() == {
        "pristine/a": 0,
        "pristine/b": 0,
        "b2": 1,
        "c2": 2,
        "d2": 4,
        "e2": 4,
    }
    assert frame["split"].to_dict() == {
        "pristine/a": "train",
        "pristine/b": "train",
        "b2": "train",
        "c2": "eval",
        "d2": "test",
        "e2": "test",
    }
    assert manifest.has_patients
    assert images.read(frame.loc["pristine/b", "path"])[0, 0, 0] == 2
    assert images.read(frame.loc["e2", "path"])[0, 0, 0] == 15


def test_one_config_or_one_table_of_it_is_read_by_its_folder(tmp_path: Path) -> None:
    _write(tmp_path / "degraded/0.parquet", DEGRADED)
    for path in (tmp_path / "degraded", tmp_path / "degraded/0.parquet"):
        assert set(read_hugging_face(path).frame["source"]) == {"degraded"}


def test_pristine_twins_of_held_out_cells_are_left_out_and_said(tmp_path: Path) -> None:
    _write(tmp_path / "pristine/0.parquet", PRISTINE)
    _write(tmp_path / "degraded/0.parquet", DEGRADED)
    manifest = read_hugging_face(tmp_path)
    # "e" calls itself train, but a test cell was made from it.
    is_pristine = manifest.frame["source"] == "pristine"
    assert manifest.frame.loc[is_pristine, "cell_id"].tolist() == ["pristine/a", "pristine/b"]
    assert manifest.notes == (
        "3 pristine images of eval and test cells were left out: they may not be used in training",
    )
    assert manifest.of_split("train").notes == manifest.notes


def test_every_pristine_cell_s_id_names_its_config(tmp_path: Path) -> None:
    _write(tmp_path / "pristine/0.parquet", PRISTINE[:2])
    _write(
        tmp_path / "degraded/0.parquet",
        [_row("b", "phase2_train", "LY", 9, severity=3, original_image_id="b")],
    )
    frame = read_hugging_face(tmp_path).frame.set_index("cell_id")
    assert set(frame.index) == {"pristine/a", "pristine/b", "b"}
    assert frame.loc["b", "original_id"] == "pristine/b"
    assert images.read(frame.loc["b", "path"])[0, 0, 0] == 9


def test_labels_stored_as_numbers_get_their_names(tmp_path: Path) -> None:
    rows = [
        {**_row("a", "phase1", None), "label": 1},
        {**_row("d", "phase2_test", None), "label": -1},
    ]
    names = {"info": {"features": {"label": {"names": ["SNE", "LY"], "_type": "ClassLabel"}}}}
    _write(tmp_path / "degraded.parquet", rows, {"huggingface": json.dumps(names)})
    assert read_hugging_face(tmp_path).frame["label"].fillna("").tolist() == ["LY", ""]


def test_faults_are_listed_with_file_and_row(tmp_path: Path) -> None:
    _write(tmp_path / "pristine/0.parquet", [{"image": _png(0), "image_id": "a", "label": "LY"}])
    bad = [_row("x", "phase3", "LY"), _row("y", "phase2_train", None)]
    _write(tmp_path / "degraded/0.parquet", bad)
    _write(tmp_path / "other.parquet", PRISTINE)
    (tmp_path / "degraded/1.parquet").write_bytes(b"torn")
    with pytest.raises(ManifestError) as caught:
        read_hugging_face(tmp_path)
    text = str(caught.value)
    assert "pristine/0.parquet: column 'wbcbench_split' is missing" in text
    assert "degraded/0.parquet row 0: wbcbench_split 'phase3', expected" in text
    assert "degraded/0.parquet row 1: label is empty in split 'phase2_train'" in text
    assert "other.parquet: neither its folder nor its name begins with pristine" in text
    assert "degraded/1.parquet: not a readable Parquet table" in text


def test_a_double_id_is_a_fault(tmp_path: Path) -> None:
    _write(tmp_path / "degraded/0.parquet", [DEGRADED[0], DEGRADED[0]])
    with pytest.raises(ManifestError, match="'b2' is used twice"):
        read_hugging_face(tmp_path)


def test_the_order_of_rows_is_kept(tmp_path: Path) -> None:
    _write(tmp_path / "degraded/0.parquet", DEGRADED)
    paths = read_hugging_face(tmp_path).frame["path"]
    assert paths.str.rpartition("#")[2].tolist() == list(map(str, np.arange(4)))


def test_labels_that_nobody_asks_for_may_be_anything(tmp_path: Path) -> None:
    rows = [
        {**_row("a", "phase1", None), "label": 7},
        {**_row("b", "phase2_train", None), "label": -1},
    ]
    _write(tmp_path / "degraded/0.parquet", rows)
    with pytest.raises(ManifestError, match="label 7 is a number"):
        read_hugging_face(tmp_path)
    manifest = read_hugging_face(tmp_path, reading=Reading(needs_labels=False))
    assert manifest.frame["cell_id"].tolist() == ["a", "b"]
    assert manifest.frame[["label", "severity"]].isna().to_numpy().all()
    assert set(manifest.frame["split"]) == {"test"}
    unlabelled = [{k: v for k, v in row.items() if k != "label"} for row in PRISTINE]
    _write(tmp_path / "pristine/0.parquet", unlabelled)
    manifest = read_hugging_face(tmp_path, reading=Reading(needs_labels=False))
    assert manifest.frame["cell_id"].tolist() == [
        "a",
        "b",
        "pristine/a",
        "pristine/b",
        "pristine/e",
    ]
    assert "2 pristine images of eval and test cells were left out" in manifest.notes[0]
