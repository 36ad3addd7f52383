"""Labels of a few of a site's cells: read, checked, and dealt into parts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from buffycoat.cells import Manifest
from buffycoat.errors import ManifestError, NotEstimableError, TaxonomyError
from buffycoat.learn import site_labels
from buffycoat.learn.site_labels import FOLDS
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read
from buffycoat.taxonomy import PBC, Taxonomy

CODES = ("SNE", "LY", "MO")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("site") / "cells"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(30):
        image = render_cell(CODES[number % 3], rng, 64).image
        cv2.imwrite(str(folder / f"{number:03}.png"), image[..., ::-1])
    return read(folder, "images")


def _table(folder: Path, rows: dict[str, str]) -> Path:
    path = folder / "few.csv"
    path.write_text("ID,label\n" + "".join(f"{k},{v}\n" for k, v in rows.items()))
    return path


def _few(n: int = 18) -> dict[str, str]:
    return {f"{number:03}.png": CODES[number % 3] for number in range(n)}


def test_classes_and_groups_are_read_in_any_spelling(site: Manifest, tmp_path: Path) -> None:
    given = {name: "neutrophil" if code == "SNE" else code for name, code in _few().items()}
    found = site_labels.read(_table(tmp_path, given), site, PBC)
    assert found.counts == {"LY": 6, "MO": 6, "NE": 6}
    columns = [PBC.codes.index(code) for code in ("SNE", "BNE")]
    assert found.allowed[0].nonzero()[0].tolist() == sorted(columns)
    assert found.of_types.shape == (3, len(PBC))


def test_an_old_bundle_without_groups_takes_the_usual_ones(site: Manifest, tmp_path: Path) -> None:
    old = Taxonomy(PBC.name, PBC.classes)
    given = {name: "NE" if code == "SNE" else code for name, code in _few().items()}
    assert site_labels.read(_table(tmp_path, given), site, old).counts["NE"] == 6


def test_a_class_that_the_bundle_lacks_is_refused_by_name(site: Manifest, tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError, match="'BL'"):
        site_labels.read(_table(tmp_path, _few() | {"000.png": "blast"}), site, PBC)


def test_a_cell_that_is_none_of_the_sites_is_refused_by_name(
    site: Manifest, tmp_path: Path
) -> None:
    with pytest.raises(ManifestError, match=r"'900\.png' is no cell of the site"):
        site_labels.read(_table(tmp_path, _few() | {"900.png": "LY"}), site, PBC)


@pytest.mark.parametrize(
    "given",
    [
        _few(12),
        {name: "LY" for name in _few(30)},
        {name: "LY" if number else "MO" for number, name in enumerate(_few(30))},
    ],
    ids=["four a type", "one type", "one cell of the second type"],
)
def test_too_few_labels_are_refused(site: Manifest, tmp_path: Path, given: dict[str, str]) -> None:
    with pytest.raises(NotEstimableError, match="5 cells a type in at least 2 types"):
        site_labels.read(_table(tmp_path, given), site, PBC)


def test_copies_of_a_cell_are_in_one_part(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    for number in range(9):
        image = render_cell(CODES[number % 3], rng, 96).image
        for copy in "ab":
            cv2.imwrite(str(tmp_path / f"{number}{copy}.png"), image[..., ::-1])
    cells = read(tmp_path, "images")
    given = {cell: CODES[int(cell[0]) % 3] for cell in cells.column("cell_id")}
    folds = site_labels.of(given, cells, PBC).folds()
    assert np.array_equal(folds[::2], folds[1::2])
    assert len(np.unique(folds)) == FOLDS


def test_one_cell_many_times_is_no_sample(tmp_path: Path, site: Manifest) -> None:
    image = render_cell("LY", np.random.default_rng(1), 96).image
    for number in range(12):
        cv2.imwrite(str(tmp_path / f"{number}.png"), image[..., ::-1])
    cells = read(tmp_path, "images")
    given = {cell: CODES[number % 2] for number, cell in enumerate(cells.column("cell_id"))}
    with pytest.raises(
        NotEstimableError, match=r"The labelled cells \(12\) show 1 photograph or patient;"
    ):
        site_labels.of(given, cells, PBC).folds()
    frame = cells.frame.assign(patient_id=["P1", *["P2"] * 11])
    frame["path"] = [str(path) for path in site.frame["path"][:12]]
    with pytest.raises(NotEstimableError, match="show 2 photographs or patients;"):
        site_labels.of(given, Manifest(frame), PBC).folds()


def test_a_patient_stays_whole_also_where_others_are_not_known(site: Manifest) -> None:
    frame = site.frame.copy()
    frame.loc[frame.index[:6], "patient_id"] = "P1"
    folds = site_labels.of(_few(), Manifest(frame), PBC).folds()
    assert len({*folds[:6].tolist()}) == 1
    assert len({*folds.tolist()}) == FOLDS
