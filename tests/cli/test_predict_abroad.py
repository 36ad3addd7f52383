"""`predict` on cells that do not look like the training cells: what it says and whom it doubts."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cli.main import app
from buffycoat.images import write_png
from buffycoat.predict.results import Counts
from buffycoat.predict.site_look import SiteLooks
from buffycoat.predict.unfamiliar import sentences
from buffycoat.refine.abroad import AbroadLimits
from buffycoat.simulate.render import render_cell
from buffycoat.sites.reference import AdaptedSite
from buffycoat.sites.shift import Shift

CODES = ("SNE", "LY", "EO", "MO")
N = 20
RECORD = {"laboratories": 8, "kept": 0.41, "right": 0.97, "covered": 0.9}
FAR, NEAR = (Shift({"colour": sd}, {"colour": 0.9}) for sd in (3.1, 0.2))


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, rng = tmp_path_factory.mktemp("abroad") / "my cells", np.random.default_rng(0)
    for i in range(N):
        write_png(folder / f"{i:02}.png", render_cell(CODES[i % 4], rng, 96).image)
    return folder


@pytest.fixture(scope="module")
def starter() -> Fitted:
    return files.read("starter")


@pytest.fixture(scope="module")
def limits(starter: Fitted) -> AbroadLimits:
    return AbroadLimits(3.0, 0.3, 99.99, starter.conformal, RECORD)


@pytest.fixture(scope="module")
def with_limits(limits: AbroadLimits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _bundle(tmp_path_factory.mktemp("with") / "bundle", limits)


@pytest.fixture(scope="module")
def without_limits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _bundle(tmp_path_factory.mktemp("without") / "bundle", None)


def _bundle(folder: Path, limits: AbroadLimits | None) -> Path:
    shutil.copytree(files.locate("starter"), folder)
    index = json.loads((folder / files.INDEX).read_text())
    files.write_index(folder, index | {"abroad": limits.to_dict() if limits else None})
    return folder


def _run(*arguments: object):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output
    return result, " ".join(result.stderr.split())


def test_a_bundle_without_limits_keeps_nothing_and_names_the_remedy(
    cells: Path, without_limits: Path, tmp_path: Path
) -> None:
    result, warned = _run("predict", without_limits, cells, "--out", tmp_path / "p.csv")
    assert "These cells do not look like the training cells: " in warned
    assert "SD (limit " in warned
    assert f"{N} cells are too few for `adapt`: collect 32 at least" in warned
    assert "Run `buffycoat adapt" not in warned
    assert "no limits for a laboratory that training has not seen" in warned
    assert "prediction sets cover less there than they state" in warned
    assert f"{N} of {N} cells (100%) need a look" in " ".join(result.stdout.split())


def test_limits_flatten_without_changing_a_label(
    cells: Path,
    starter: Fitted,
    with_limits: Path,
    without_limits: Path,
    limits: AbroadLimits,
    tmp_path: Path,
) -> None:
    tables = {}
    for name, bundle in (("without", without_limits), ("with", with_limits)):
        out = tmp_path / f"{name}.parquet"
        _, warned = _run("predict", bundle, cells, "--out", out)
        tables[name] = pd.read_parquet(out)
    n_kept = int((~tables["with"]["is_abstained"]).sum())
    assert n_kept > 0
    assert (
        f"Limits for a laboratory that training has not seen were used: {n_kept} of {N} cells need "
        "no look. On 8 simulated laboratories 41% of the cells needed no look and 97% of these"
    ) in warned
    assert tables["with"]["label"].tolist() == tables["without"]["label"].tolist()
    assert (tables["with"]["site_shift"] == tables["without"]["site_shift"]).all()
    assert (tables["with"]["entropy"] > tables["without"]["entropy"]).all()
    columns = [f"prob_{code}" for code in starter.taxonomy.codes]
    flat = tables["without"][columns].to_numpy() ** (1 / limits.temperature)
    flat /= flat.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(tables["with"][columns].to_numpy(), flat, atol=1e-9)


def test_readers_take_tables_with_and_without_the_column(
    cells: Path, with_limits: Path, tmp_path: Path
) -> None:
    table = tmp_path / "new.parquet"
    _run("predict", with_limits, cells, "--out", table)
    old = tmp_path / "old.parquet"
    pd.read_parquet(table).drop(columns="site_shift").to_parquet(old, index=False)
    truth = tmp_path / "truth.csv"
    rows = [f"{i:02}.png,{CODES[i % 4]}" for i in range(N)]
    truth.write_text("\n".join(["ID,labels", *rows]))
    said = [_run("evaluate", path, truth)[0].stdout for path in (table, old)]
    assert said[0] == said[1]
    slides = tmp_path / "slides.csv"
    slides.write_text("\n".join(["ID,slide_id", *(f"{i:02}.png,S{i % 2}" for i in range(N))]))
    counted = ("--by", "slide_id", "--groups", slides, "--max-doubtful", 100)
    outs = []
    for path in (table, old):
        out = tmp_path / f"{path.stem}.csv"
        _run("differential", path, *counted, "--out", out)
        outs.append(out.read_text())
    assert outs[0] == outs[1]


def _counts(n: int, n_doubtful: int) -> Counts:
    labels = {"LY": n - n // 4, "MO": n // 4}
    return Counts(Counter(labels), Counter({"LY": n_doubtful}))


def _adapted(fitted: Fitted, is_standardised: bool = True, **record: object) -> Fitted:
    assert fitted.home is not None
    site = AdaptedSite("north", fitted.home.colour, is_standardised, record)
    return replace(fitted, site=site)


def test_nothing_is_said_at_home(starter: Fitted) -> None:
    for fitted in (starter, _adapted(starter, is_standardised=False)):
        looks = SiteLooks({"": NEAR})
        assert sentences(looks, fitted, _counts(9, 1), "starter", "cells") == []
    assert sentences(SiteLooks({}), starter, _counts(9, 1), "starter", "cells") == []


def test_sites_are_named_where_there_are_several(starter: Fitted) -> None:
    looks = SiteLooks({"north": FAR, "home": NEAR, "": FAR})
    found = sentences(looks, starter, _counts(9, 9), "starter", "cells.csv")
    assert [text.split(":")[0] for text in found[:2]] == [
        "Cells of site 'north' do not look like the training cells",
        "Cells without a site do not look like the training cells",
    ]
    assert "colour differs by 3.1 SD (limit 0.9)" in found[0]
    found = sentences(looks, starter, _counts(32, 9), "starter", "cells.csv")
    assert found[2].startswith("Run `buffycoat adapt starter cells.csv --out adapted`")


def test_no_command_is_advised_that_would_be_refused(starter: Fitted) -> None:
    looks = SiteLooks({"": FAR})
    found = sentences(looks, starter, _counts(9, 9), "starter", "cells.csv")
    assert "9 cells are too few for `adapt`: collect 32 at least, better 200 or more" in found[1]
    one = Counts(Counter({"LY": 90, "MO": 10}), Counter())
    assert "90 % of the cells are predicted as LY" in sentences(looks, starter, one, "s", "c")[1]
    two = Counts(Counter({"LY": 89, "MO": 11}), Counter())
    assert "Run `buffycoat adapt" in sentences(looks, starter, two, "s", "c")[1]
    for counts in (_counts(9, 9), one):
        assert "Run " not in " ".join(sentences(looks, starter, counts, "s", "c"))


def test_many_sites_are_counted(starter: Fitted) -> None:
    looks = SiteLooks({f"s{i}": FAR for i in range(9)})
    found = sentences(looks, starter, _counts(9, 9), "starter", "cells.csv")
    assert found[5] == "So do 4 more sites (column site_shift, above 1)."


def test_an_adapted_bundle_is_told_otherwise(starter: Fitted, limits: AbroadLimits) -> None:
    fitted = replace(_adapted(starter), abroad=limits)
    found = sentences(SiteLooks({"": FAR}), fitted, _counts(9, 3), "adapted", "cells")
    assert found[0].startswith(
        "These cells do not look like the training cells, although the bundle was adapted to "
        "'north': colour differs"
    )
    assert "label some by hand" in found[1]
    assert "buffycoat adapt adapted" not in found[1]
    assert "6 of 9 cells need no look" in found[2]
    near = sentences(SiteLooks({"": NEAR}), fitted, _counts(9, 3), "adapted", "cells")
    assert len(near) == 1
    assert near[0].startswith("Limits for a laboratory that training has not seen were used")


def test_a_bundle_that_labels_taught_holds_at_its_site_alone(starter: Fitted) -> None:
    fitted = _adapted(starter, labels={"SNE": 10})
    found = sentences(SiteLooks({"": FAR}), fitted, _counts(9, 3), "adapted", "cells")
    assert len(found) == 2
    assert "rest on labelled cells of that site, and hold there alone" in found[1]


def test_which_cells_are_judged_as_of_another_laboratory(starter: Fitted) -> None:
    assert starter.is_abroad(FAR)
    assert not starter.is_abroad(NEAR)
    assert not starter.is_abroad(None)
    assert _adapted(starter).is_abroad(None)
    assert not _adapted(starter, is_standardised=False).is_abroad(NEAR)
    assert _adapted(starter, is_standardised=False).is_abroad(FAR)
    assert not _adapted(starter, labels={"SNE": 10}).is_abroad(FAR)
