"""A small clean data set of rendered cells, in which tests plant one fault at a time."""

from __future__ import annotations

import csv
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from buffycoat.audit.findings import Audit
from buffycoat.audit.run import audit
from buffycoat.audit.scan import Embed, scan
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read

CODES = ("SNE", "LY", "MO", "EO")
N_TRAIN, N_EVAL = 12, 6
SIZE_PX = 112


@dataclass
class DataSet:
    """Images and the rows of their table; the images of `clean` are not touched."""

    folder: Path
    rows: list[dict[str, str]] = field(default_factory=list)

    def of(self, split: str, label: str | None = None) -> list[dict[str, str]]:
        """Rows of a split, and of a label if one is given."""
        return [r for r in self.rows if r["split"] == split and label in (None, r["label"])]

    def image(self, row: dict[str, str]) -> Image.Image:
        with Image.open(self.folder / row["path"]) as image:
            image.load()
            return image

    def add(self, image: Image.Image, split: str, label: str, name: str, **columns: str) -> None:
        """Save an image like the others, and add its row."""
        self.save(image, name)
        self.rows.append({"path": name, "label": label, "split": split, **columns})

    def save(self, image: Image.Image, name: str, **options: object) -> None:
        image.save(self.folder / name, **({"quality": 95, "subsampling": 0} | options))

    def audit(self, *ignored: str, embed: Embed | None = None) -> Audit:
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        table = self.folder / "cells.csv"
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(self.rows)
        manifest = read(table)
        return audit(manifest, scan(manifest, embed), "cells", ignored)


def found(result: Audit) -> list[str]:
    """Names of the checks that found something."""
    return [one.name for one in result.of_state("found")]


@pytest.fixture(scope="session")
def clean_folder(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """72 cells of four classes, two thirds in training, ids at random."""
    data = DataSet(tmp_path_factory.mktemp("clean"))
    places = [(code, i) for code in CODES for i in range(N_TRAIN + N_EVAL)]
    ids = np.random.default_rng(5).permutation(1000)[: len(places)] + 1000
    for number, (code, index) in zip(ids, places, strict=True):
        image = render_cell(code, np.random.default_rng([3, int(number)]), SIZE_PX).image
        split = "train" if index < N_TRAIN else "eval"
        data.add(Image.fromarray(image), split, code, f"{number}.jpg")
    return data


@pytest.fixture
def cells(clean_folder: DataSet, tmp_path: Path) -> DataSet:
    """A copy of the clean set to plant a fault in."""
    folder = tmp_path / "cells"
    shutil.copytree(clean_folder.folder, folder)
    return DataSet(folder, [dict(row) for row in clean_folder.rows])
