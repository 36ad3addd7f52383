from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from buffycoat import images
from buffycoat.errors import ManifestError
from buffycoat.sources.hugging_face import read_hugging_face
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read

NAMES = ["SNE", "LY", "MO"]


def _png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 20), (value, 0, 0)).save(buffer, format="PNG")
    return buffer.getvalue()


def _write(
    path: Path,
    labels: list[int | str | None],
    paths: list[str | None],
    names: list[str] | None = NAMES,
    **more: list[object],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = [{"bytes": _png(n), "path": name} for n, name in enumerate(paths)]
    table = pyarrow.table({"image": pictures, "label": labels, **more})
    if names is not None:
        feature = {"names": names, "_type": "ClassLabel"}
        told = json.dumps({"info": {"features": {"label": feature}}})
        table = table.replace_schema_metadata({"huggingface": told})
    pyarrow.parquet.write_table(table, path, row_group_size=2)


def test_splits_come_from_names_and_labels_from_the_features(tmp_path: Path) -> None:
    train, val, test = (f"data/{name}-0-of-1.parquet" for name in ("train", "validation", "test"))
    _write(tmp_path / train, [0, 1, 2], ["a.png", "b.png", "c.png"])
    _write(tmp_path / val, [1], ["d.png"])
    _write(tmp_path / test, [-1, -1], ["e.png", "f.png"])
    manifest = read_hugging_face(tmp_path)
    frame = manifest.frame.set_index("cell_id")
    assert frame["split"].to_dict() == {
        f"{train}#0/a.png": "train",
        f"{train}#1/b.png": "train",
        f"{train}#2/c.png": "train",
        f"{val}#0/d.png": "eval",
        f"{test}#0/e.png": "test",
        f"{test}#1/f.png": "test",
    }
    assert frame["label"].dropna().to_dict() == {
        f"{train}#0/a.png": "SNE",
        f"{train}#1/b.png": "LY",
        f"{train}#2/c.png": "MO",
        f"{val}#0/d.png": "LY",
    }
    assert images.read(frame.loc[f"{train}#2/c.png", "path"])[0, 0, 0] == 2
    assert manifest.notes == ()


def test_the_hub_s_own_conversion_keeps_splits_in_folders(tmp_path: Path) -> None:
    _write(tmp_path / "default/train/0000.parquet", ["SNE", "LY"], ["1.png", "1.png"], None)
    _write(tmp_path / "default/test/0000.parquet", ["MO"], [None], None)
    frame = read_hugging_face(tmp_path).frame
    assert frame["cell_id"].tolist() == [
        "default/test/0000.parquet#0",
        "default/train/0000.parquet#0/1.png",
        "default/train/0000.parquet#1/1.png",
    ], "a picture without a name is its row"
    assert frame["split"].tolist() == ["test", "train", "train"]
    assert frame["label"].tolist() == ["MO", "SNE", "LY"]


def test_patients_are_read_and_unknown_ones_are_nobody(tmp_path: Path) -> None:
    patients = [3.0, None, 3.0]
    _write(tmp_path / "cells.parquet", [0, 1, 2], ["a", "b", "c"], patient_id=patients)
    manifest = read_hugging_face(tmp_path / "cells.parquet")
    assert manifest.frame["patient_id"].fillna("").tolist() == ["3", "", "3"]
    assert set(manifest.frame["split"]) == {"train"}
    assert "cells.parquet: its name says no split; 3 cells taken as train" in manifest.notes


@pytest.mark.parametrize("needs_labels", [True, False])
def test_the_scale_is_read_as_of_other_tables(tmp_path: Path, *, needs_labels: bool) -> None:
    path, reading = tmp_path / "train.parquet", Reading(needs_labels=needs_labels)
    _write(path, [0, 1, 2], ["a.png", "b.png", "c.png"], um_per_px=[0.1, None, 0.25])
    manifest = read(path, reading=reading)
    assert [ref.um_per_px for ref in manifest.refs()] == [0.1, None, 0.25]
    assert not any("um_per_px" in note for note in manifest.notes)
    _write(path, [0, 1, 2], ["a.png", "b.png", "c.png"], um_per_px=[0.1, 30.0, float("inf")])
    with pytest.raises(ManifestError) as caught:
        read(path, reading=reading)
    for row, text in ((1, "'30'"), (2, "'inf'")):
        said = f"train.parquet row {row}: um_per_px {text}, expected micrometres from 0.01 to 5"
        assert said in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "names", "said"),
    [
        ([0, 1], None, "column 'label' holds numbers"),
        ([0, 7], NAMES, "row 1: label 7 is a number that the table gives no name for"),
    ],
)
def test_numbers_without_names_are_refused(
    tmp_path: Path, labels: list[int | str | None], names: list[str] | None, said: str
) -> None:
    _write(tmp_path / "train.parquet", labels, ["a.png", "b.png"], names)
    with pytest.raises(ManifestError) as caught:
        read_hugging_face(tmp_path)
    assert said in str(caught.value)


def test_pictures_alone_are_unlabelled_and_an_unknown_column_is_asked_about(tmp_path: Path) -> None:
    pictures = [{"bytes": _png(0), "path": "a.png"}]
    pyarrow.parquet.write_table(pyarrow.table({"image": pictures}), tmp_path / "0.parquet")
    frame = read_hugging_face(tmp_path).frame
    assert frame["label"].isna().all()
    assert frame["split"].tolist() == ["test"]
    table = pyarrow.table({"image": pictures, "mark": ["good"]})
    pyarrow.parquet.write_table(table, tmp_path / "0.parquet")
    with pytest.raises(ManifestError, match="it has image, mark"):
        read_hugging_face(tmp_path)


@pytest.mark.parametrize(
    ("labels", "names", "more"),
    [
        ([0, 1], None, {}),
        ([0, 7], NAMES, {}),
        (["SNE", "LY"], None, {"diagnosis": ["LY", "SNE"]}),
        (["SNE", "LY"], None, {"class": ["LY", "SNE"]}),
    ],
)
def test_labels_that_nobody_asks_for_may_be_anything(
    tmp_path: Path, labels: list[int | str | None], names: list[str] | None, more: dict[str, Any]
) -> None:
    table = tmp_path / "train.parquet"
    _write(table, labels, ["a.png", "b.png"], names, slide_id=["s1", None], **more)
    plain = Reading(needs_labels=False)
    for manifest in (read(table, reading=plain), read(tmp_path, "images")):
        assert manifest.frame["cell_id"].tolist() == [
            "train.parquet#0/a.png",
            "train.parquet#1/b.png",
        ]
        assert manifest.frame["slide_id"].fillna("").tolist() == ["s1", ""]
        assert not manifest.is_labelled.any()
        assert set(manifest.frame["split"]) == {"test"}
        passed_over = ", ".join(("label", *more))
        said = f"train.parquet: not asked for and not read: {passed_over}"
        assert manifest.notes == (said,)


def test_a_table_of_labels_beside_pictures_in_parquet_does_not_matter_for_prediction(
    tmp_path: Path,
) -> None:
    _write(tmp_path / "0.parquet", ["SNE", "LY"], ["a.png", "b.png"], None)
    (tmp_path / "truth.csv").write_text("ID,label\na.png,LY\nb.png,SNE\n")
    statement = read(tmp_path, "images").statement
    assert list(statement.tables_not_used) == ["truth.csv"]
    (tmp_path / "truth.csv").write_text("ID,patient_id\na.png,p1\nb.png,p2\n")
    with pytest.raises(ManifestError, match=r"truth\.csv is not read beside Parquet tables"):
        read(tmp_path, "images")
