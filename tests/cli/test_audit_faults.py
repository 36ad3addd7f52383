"""Every planted fault is found through the command line, in every layout, with the files named."""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.simulate.render import render_cell

Rows = list[dict[str, str]]
CODES = ("SNE", "LY", "EO")


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rows]:
    """Thirty training cells and fifteen eval cells in a table `path,label,split`."""
    folder = tmp_path_factory.mktemp("clean")
    rows = []
    numbers = np.random.default_rng(7).permutation(900)[:45] + 100
    for index, number in enumerate(numbers):
        label = CODES[index % 3]
        picture = render_cell(label, np.random.default_rng([8, int(number)]), 112).image
        Image.fromarray(picture).save(folder / f"{number}.jpg", quality=95, subsampling=0)
        split = "train" if index < 30 else "eval"
        rows.append({"path": f"{number}.jpg", "label": label, "split": split})
    return folder, rows


@pytest.fixture
def data(clean: tuple[Path, Rows], tmp_path: Path) -> tuple[Path, Rows]:
    """A copy of it to plant a fault in."""
    folder = tmp_path / "cells"
    shutil.copytree(clean[0], folder)
    return folder, [dict(row) for row in clean[1]]


def _audit(data: Path, rows: Rows | None, out: Path) -> tuple[int, str, dict[str, list[set[str]]]]:
    """Exit code, what was printed, and check -> the files of each of its findings."""
    if rows is not None:
        columns = list(dict.fromkeys(key for row in rows for key in row))
        with (data / "cells.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        data = data / "cells.csv"
    result = CliRunner().invoke(app, ["audit", str(data), "--no-embedding", "--out", str(out)])
    table = json.loads((out / "audit.json").read_text())
    found = {
        check["check"]: [
            {Path(cell["path"]).name for cell in finding["cells"]} for finding in check["findings"]
        ]
        for check in table["checks"]
        if check["state"] == "found"
    }
    return result.exit_code, " ".join((result.stdout + result.stderr).split()), found


def _jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "encoded": _jpeg,
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "cropped": lambda image: image.crop((12, 4, 108, 100)).resize(image.size),
}


def test_a_clean_table_passes(data: tuple[Path, Rows], tmp_path: Path) -> None:
    code, said, found = _audit(*data, tmp_path / "out")
    assert code == 0, said
    assert found == {}


@pytest.mark.parametrize("change", ["exact", *COPIES])
def test_a_copy_in_another_split(data: tuple[Path, Rows], tmp_path: Path, change: str) -> None:
    folder, rows = data
    source = next(row for row in rows if row["split"] == "eval")
    if change == "exact":
        shutil.copy(folder / source["path"], folder / "5001.jpg")
    else:
        with Image.open(folder / source["path"]) as image:
            COPIES[change](image).save(folder / "5001.jpg", quality=95, subsampling=0)
    rows.append({"path": "5001.jpg", "label": source["label"], "split": "train"})
    code, said, found = _audit(folder, rows, tmp_path / "out")
    check = "exact_copies" if change == "exact" else "near_duplicates"
    assert code == 4, said
    assert found == {check: [{source["path"], "5001.jpg"}]}
    assert f"train: 5001.jpg; eval: {source['path']}" in said
    assert ("byte for byte" if change == "exact" else change) in said


def test_a_copy_with_another_label(data: tuple[Path, Rows], tmp_path: Path) -> None:
    folder, rows = data
    source = next(row for row in rows if row["label"] == "LY")
    with Image.open(folder / source["path"]) as image:
        _jpeg(image).save(folder / "5001.jpg", quality=95, subsampling=0)
    rows.append({"path": "5001.jpg", "label": "EO", "split": source["split"]})
    code, said, found = _audit(folder, rows, tmp_path / "out")
    assert code == 4, said
    copies = [{source["path"], "5001.jpg"}]
    assert found == {"near_duplicates": copies, "contradicting_labels": copies}
    assert f"LY (train: {source['path']}) and EO (train: 5001.jpg)" in said


def test_a_patient_in_two_splits(data: tuple[Path, Rows], tmp_path: Path) -> None:
    folder, rows = data
    for number, row in enumerate(rows):
        row["patient_id"] = f"{row['split']}-{number % 5}"
    rows[-1]["patient_id"] = "train-2"
    code, said, found = _audit(folder, rows, tmp_path / "out")
    members = {row["path"] for row in rows if row["patient_id"] == "train-2"}
    assert code == 4, said
    assert found == {"shared_patients": [members]}
    assert "patient train-2 has cells in 2 splits: 6 in train, 1 in eval" in said


def test_ids_in_the_order_of_the_labels(data: tuple[Path, Rows], tmp_path: Path) -> None:
    folder, rows = data
    rows.sort(key=lambda row: (row["split"], row["label"]))
    for number, row in enumerate(rows, start=3000):
        (folder / row["path"]).rename(folder / f"{number}.jpg")
        row["path"] = f"{number}.jpg"
    code, said, found = _audit(folder, rows, tmp_path / "out")
    assert code == 4, said
    assert set(found) == {"id_order"}
    assert "train: giving each cell the label of the cell with the id before" in said


def _as_kaggle(folder: Path, rows: Rows, root: Path) -> None:
    for part, split in (("phase2_train", "train"), ("phase2_eval", "eval")):
        inside = [row for row in rows if row["split"] == split]
        (root / "phase2" / split).mkdir(parents=True)
        for row in inside:
            shutil.copy(folder / row["path"], root / "phase2" / split)
        lines = [f"{row['path']},{row['label']},{part}" for row in inside]
        (root / f"{part}.csv").write_text("\n".join(["ID,labels,split", *lines]) + "\n")


def _as_folders(folder: Path, rows: Rows, root: Path) -> None:
    for row in rows:
        place = root / {"train": "train", "eval": "val"}[row["split"]] / row["label"]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / row["path"], place)


def _as_parquet(folder: Path, rows: Rows, root: Path) -> None:
    for row in rows:
        shutil.copy(folder / row["path"], root)
    pq.write_table(pa.Table.from_pylist(rows), root / "cells.parquet")


def _as_hugging_face(folder: Path, rows: Rows, root: Path) -> None:
    (root / "degraded").mkdir()
    cells = [
        {
            "image": {"bytes": (folder / row["path"]).read_bytes(), "path": None},
            "image_id": row["path"],
            "label": row["label"],
            "wbcbench_split": f"phase2_{row['split']}",
        }
        for row in rows
    ]
    pq.write_table(pa.Table.from_pylist(cells), root / "degraded" / "0.parquet")


LAYOUTS = {
    "kaggle": _as_kaggle,
    "folders": _as_folders,
    "parquet": _as_parquet,
    "hugging_face": _as_hugging_face,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_that_train_takes(
    data: tuple[Path, Rows], tmp_path: Path, layout: str
) -> None:
    folder, rows = data
    source = next(row for row in rows if row["split"] == "eval")
    shutil.copy(folder / source["path"], folder / "5001.jpg")
    rows.append({"path": "5001.jpg", "label": source["label"], "split": "train"})
    root = tmp_path / layout
    root.mkdir()
    LAYOUTS[layout](folder, rows, root)
    code, said, found = _audit(root, None, tmp_path / "out")
    assert code == 4, said
    assert set(found) == {"exact_copies"}
    [files] = found["exact_copies"]
    assert len(files) == 2
    assert "5001.jpg" in said
    assert source["path"] in said
