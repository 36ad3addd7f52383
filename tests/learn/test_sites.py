"""`bench sites`: the draws, the figures at a site's own grain, and a table that goes on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from buffycoat.bundle import files
from buffycoat.cells import Manifest, Prediction
from buffycoat.errors import TaxonomyError
from buffycoat.learn import fit_tail, site_checks
from buffycoat.learn.experiments import sites
from buffycoat.learn.experiments.labelled_site import read_site
from buffycoat.learn.experiments.site_scores import SiteTypes, score
from buffycoat.learn.experiments.site_table import picture
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read
from buffycoat.taxonomy import PBC

CODES = ("SNE", "LY", "MO")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    folder = tmp_path_factory.mktemp("north")
    rng = np.random.default_rng(0)
    for number in range(36):
        code = CODES[number % 3]
        image = render_cell(code, rng, 96).image * np.array((0.45, 0.6, 0.8))
        (folder / code).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / code / f"{number:03}.png"), image[..., ::-1].astype(np.uint8))
    return read(folder)


def test_labels_within_a_group_count_as_the_group() -> None:
    types = SiteTypes.of(["SNE", "NE", "LY", "LY"], PBC)
    assert types.codes == ("LY", "NE")
    assert types.of_labels(["SNE", "NE", "LY"], PBC).tolist() == [1, 1, 0]


def _said(label: str, probs: dict[str, float], kept: tuple[str, ...], doubt: bool) -> Prediction:
    row = tuple(probs.get(code, 0.0) for code in PBC.codes)
    return Prediction(
        cell_id="x", label=label, probability=max(row), probs=row, entropy=0.0, views=1,
        conformal_set=kept, severity=0.0, degradation=(), is_restored=False, restore_reason="",
        restore_change={}, outlier_score=0.0, outlier_percentile=0.0, is_rescued=False,
        is_moved=False, is_abstained=doubt, site_shift=0.0, evidence=(),
    )  # fmt: skip


def test_a_type_is_forced_by_summed_probability_and_a_label_is_the_bundles_own() -> None:
    types = SiteTypes.of(["NE", "LY"], PBC)
    said = [
        _said("MY", {"MY": 0.5, "SNE": 0.2, "BNE": 0.2, "LY": 0.1}, ("MY", "BNE"), False),
        _said("LY", {"LY": 0.9, "SNE": 0.1}, ("LY",), False),
        _said("SNE", {"SNE": 0.6, "LY": 0.4}, ("SNE",), True),
    ]
    places = types.of_labels(["NE", "LY", "LY"], PBC)
    found = score(said, places, types, PBC.codes)
    assert found["balanced_accuracy"] == pytest.approx((1 + 0.5) / 2)
    assert found["kept"] == pytest.approx(2 / 3)
    assert found["kept_right"] == pytest.approx(1 / 2)
    assert found["coverage"] == pytest.approx(2 / 3)
    assert found["set_size"] == pytest.approx(4 / 3)


@pytest.mark.slow  # trains a bundle
def test_a_draw_leaves_as_many_photographs_as_it_takes(tiny_bundle: Path, site: Manifest) -> None:
    north = read_site("north", site, files.read(tiny_bundle))
    rows = north.draw(5, 0)
    assert rows is not None
    assert np.bincount(north.targets[rows]).tolist() == [5, 5, 5]
    assert not np.array_equal(rows, north.draw(5, 1))
    assert north.draw(10, 0) is None


@pytest.mark.slow
def test_a_label_that_the_bundle_lacks_is_named(tiny_bundle: Path, site: Manifest) -> None:
    odd = Manifest(site.frame.assign(label="giraffe"))
    with pytest.raises(TaxonomyError, match="giraffe"):
        read_site("north", odd, files.read(tiny_bundle))


def test_the_picture_has_a_row_a_site_and_step() -> None:
    ends = {"balanced_accuracy_low": 0.6, "balanced_accuracy_high": 0.8}
    plain = {"site": "north", "step": "as it is", "labels_a_type": 0, "draw": 0, **ends}
    taught = {"site": "north", "step": "adapted with labels", "labels_a_type": 5}
    text = picture(
        [
            {**plain, "balanced_accuracy": 0.7},
            {**taught, "draw": 0, "balanced_accuracy": 0.75},
            {**taught, "draw": 1, "balanced_accuracy": 0.85},
        ]
    )
    assert "north: as it is: 0.70 (0.60 to 0.80)" in text
    assert "north: adapted with labels, 5 labels: 0.80 (0.75 to 0.85)" in text


@pytest.mark.slow
def test_killed_it_goes_on_where_it_was(
    tiny_bundle: Path, site: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_checks, "LARGEST_CLASS", 1.1)
    monkeypatch.setattr(fit_tail, "STEPS", 5)
    row_of, calls = sites._row, []

    def killed(site: object, step: str, n: int, draw: int) -> object:
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(step)
        return row_of(site, step, n, draw)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(sites, "_row", killed)
    with pytest.raises(KeyboardInterrupt):
        sites.run(tiny_bundle, {"north": site}, tmp_path, labels=(5,), draws=2)
    assert len(pd.read_csv(tmp_path / "sites.csv")) == 3
    calls.clear()
    monkeypatch.setattr(sites, "_row", lambda *key: calls.append(key[1]) or row_of(*key))
    table = sites.run(tiny_bundle, {"north": site}, tmp_path, labels=(5,), draws=2)
    assert calls == [*list(sites.WITHOUT_LABELS)[3:], *["adapted with labels"] * 2]
    assert len(table) == len(pd.read_csv(tmp_path / "sites.csv")) == 7
    assert table[-1]["n"] == 21
    assert (tmp_path / "sites.md").read_text().count("north") == 6
    calls.clear()
    sites.run(tiny_bundle, {"north": site}, tmp_path, labels=(5,), draws=2)
    assert not calls
