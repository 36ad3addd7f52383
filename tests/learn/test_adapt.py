"""A bundle for another site: what changes, what stays, and which cells are refused."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain, cycle, repeat
from pathlib import Path

import cv2
import numpy as np
import pytest

from buffycoat.backbones.build import build
from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.classify.ensemble import FoldModel
from buffycoat.errors import BundleError, NotEstimableError, OutputError
from buffycoat.learn import adapt as adapting
from buffycoat.learn import site_checks
from buffycoat.learn.adapt import adapt
from buffycoat.learn.site_trial import NoGainError
from buffycoat.learn.teach import Taught
from buffycoat.predict.predictor import Pipeline
from buffycoat.simulate.render import render_cell
from buffycoat.sources.read import read

CODES = ("SNE", "LY", "MO", "EO", "BA", "ERB", "PMY", "MY")


def _write(folder: Path, cast: tuple[float, float, float], n: int = 40) -> Manifest:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(n):
        image = render_cell(CODES[number % len(CODES)], rng, 96).image * np.array(cast)
        cv2.imwrite(str(folder / f"{number:03}.png"), image[..., ::-1])
    return read(folder, "images")


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return _write(tmp_path_factory.mktemp("abroad") / "cells", (0.45, 0.6, 0.8))


@pytest.fixture
def no_class_check(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model trained for one epoch on a few cells calls them all alike."""
    monkeypatch.setattr(site_checks, "LARGEST_CLASS", 1.1)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.slow  # writes the graphs of a bundle
@pytest.mark.usefixtures("no_class_check")
def test_another_light_gives_a_new_bundle_and_leaves_the_old_one(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "_sureness", lambda _: 0.5)  # no step makes it less sure
    before = _contents(tiny_bundle)
    made = adapt(tiny_bundle, abroad, tmp_path / "new", "north")
    assert _contents(tiny_bundle) == before
    stored = files.read(tmp_path / "new")
    assert stored.site is not None
    assert stored.site.name == "north"
    assert stored.site.is_standardised
    assert stored.site.record["from"] == files.checksum(tiny_bundle)
    assert (
        stored.site.record["shift_after"]["colour"] < stored.site.record["shift_before"]["colour"]
    )
    old, new = files.read(tiny_bundle).models[0].state, stored.models[0].state
    changed = {name for name in old if not np.array_equal(old[name], new[name])}
    assert changed
    assert all("running_" in name for name in changed)
    assert any("Batch norm" in sentence for sentence in made.sentences)
    assert "## Adapted to north" in (tmp_path / "new" / "MODEL_CARD.md").read_text()
    images = [cv2.imread(str(path))[..., ::-1] for path in abroad.frame["path"][:3]]
    assert len(Pipeline.load(tmp_path / "new").predict(images)) == 3
    with pytest.raises(BundleError, match="adapted already, to 'north'"):
        adapt(tmp_path / "new", abroad, tmp_path / "twice")


@pytest.mark.usefixtures("no_class_check")
def test_steps_that_make_the_classifier_less_sure_are_left_out_and_that_is_said(
    tiny_bundle: Path, abroad: Manifest, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = files.read(tiny_bundle)
    sure = cycle((0.5, 0.6))  # with a step, and without
    home = adapting.home_of(fitted, "tiny")
    monkeypatch.setattr(adapting, "_sureness", lambda _: next(sure))
    made, sentences = adapting.without_labels(fitted, home, abroad, "north", 0)
    assert made.site is not None
    assert not made.site.is_standardised
    assert made.site.record["batch_norm_share"] == 0
    assert made.models is fitted.models
    left_out = [s for s in sentences if "left out, since the classifier is less sure" in s]
    assert [s.partition(":")[0] for s in left_out] == ["Colour", "Batch norm"]
    is_framed = made.site.record["scale"]["factor"] != 1
    assert any("No step was kept" in s for s in sentences) != is_framed


@pytest.mark.usefixtures("no_class_check")
def test_batch_norm_without_colour_is_an_adapted_bundle_all_the_same(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = chain((0.5, 0.6, 0.6, 0.5), repeat(0.5))  # with each step, and without
    monkeypatch.setattr(adapting, "_sureness", lambda _: next(sure))
    monkeypatch.setattr(adapting.files, "write", lambda *_: None)
    made = adapt(tiny_bundle, abroad, tmp_path / "new", "north")
    assert made.fitted.site is not None
    assert not made.fitted.site.is_standardised
    assert made.fitted.site.record["batch_norm_share"] > 0
    assert made.fitted.is_abroad(None)  # nobody knows how right it is
    assert made.sentences[-1] == adapting.UNCHECKED


@pytest.mark.usefixtures("no_class_check")
def test_a_network_without_batch_norms_is_adapted_by_the_other_steps(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting, "_sureness", lambda _: 0.5)
    monkeypatch.setattr(adapting.files, "write", lambda *_: None)
    fitted = files.read(tiny_bundle)
    recipe = fitted.config.classify.model_copy(
        update={"backbone": "test_vit.r160_in1k", "input_px": 160, "weights": "random"}
    )
    k = len(fitted.taxonomy)
    state = build(recipe.backbone, "random", k, recipe.input_px).model.state_dict()
    model = FoldModel.assemble(state, recipe, k, np.zeros(k))
    attention = replace(fitted, models=(model,), temperatures=(1.0,), cascade=None)
    monkeypatch.setattr(adapting.files, "read", lambda _: attention)
    made = adapt(tiny_bundle, abroad, tmp_path / "new", "north")
    assert any("Batch norm: left out, since" in sentence for sentence in made.sentences)
    assert made.fitted.site is not None
    assert made.fitted.site.is_standardised
    assert made.fitted.site.record["batch_norm_share"] == 0
    assert made.fitted.models == (model,)


@pytest.mark.usefixtures("no_class_check")
def test_steps_that_lose_give_way_to_labels_also_without_colour(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = chain((0.5, 0.6, 0.6, 0.5), repeat(0.5))
    monkeypatch.setattr(adapting, "_sureness", lambda _: next(sure))
    monkeypatch.setattr(adapting.files, "write", lambda *_: None)
    asked = []

    def teach(before: Fitted, made: Fitted, *_: object) -> Taught:
        asked.append(made)
        if len(asked) == 1:
            raise NoGainError("no gain")
        return Taught(made, {}, ())

    monkeypatch.setattr(adapting, "teach", teach)
    table = tmp_path / "few.csv"
    rows = [f"{n:03}.png,{CODES[n % 8]}" for n in range(40) if CODES[n % 8] != "ERB"]
    table.write_text("\n".join(["ID,label", *rows]))
    made = adapt(tiny_bundle, abroad, tmp_path / "new", "north", labels=table)
    assert len(asked) == 2
    assert made.fitted.site is not None
    assert not made.fitted.site.is_changed
    assert any("labels teach the bundle as it is" in sentence for sentence in made.sentences)


def test_a_folder_that_holds_something_is_left_alone(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(OutputError, match="is there already and not empty"):
        adapt(tiny_bundle, abroad, tmp_path / "mine")
    with pytest.raises(OutputError, match="holds no bundle"):
        files.write(tmp_path / "mine", files.read(tiny_bundle), {}, "")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "keep"


@pytest.mark.slow  # writes the graphs of a bundle
@pytest.mark.usefixtures("no_class_check")
def test_cells_like_the_training_cells_change_no_number(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapting.Shift, "is_alarm", property(lambda _: False))
    made = adapt(tiny_bundle, abroad, tmp_path / "new")
    assert "nothing was changed" in made.sentences[0]
    old, new = files.read(tiny_bundle), files.read(tmp_path / "new")
    for name, value in old.models[0].state.items():
        assert np.array_equal(value, new.models[0].state[name])
    image = cv2.imread(str(abroad.frame["path"][0]))[..., ::-1]
    one, other = (Pipeline(fitted).predict([image])[0] for fitted in (old, new))
    assert one == other


def test_too_few_cells_are_refused(tiny_bundle: Path, abroad: Manifest, tmp_path: Path) -> None:
    with pytest.raises(NotEstimableError, match="3 cells are too few for `adapt`: collect 32"):
        adapt(tiny_bundle, abroad.subset(np.arange(3)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_bundle_that_does_not_know_its_home_is_refused(
    tiny_bundle: Path, abroad: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = files.read(tiny_bundle)
    monkeypatch.setattr(adapting.files, "read", lambda _: adapting.replace(without, home=None))
    with pytest.raises(BundleError, match="does not know what its training cells look like"):
        adapt(tiny_bundle, abroad, tmp_path / "new")


def test_the_old_bundle_is_not_overwritten(tiny_bundle: Path, abroad: Manifest) -> None:
    with pytest.raises(BundleError, match="is the bundle itself"):
        adapt(tiny_bundle, abroad, tiny_bundle)


def _photographs(n: int = 6) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([render_cell(code, rng, 96).image for code in CODES[:n]])


def test_gray_and_drawn_pictures_are_refused() -> None:
    cells = _photographs()
    site_checks.photographs(cells)
    gray = np.repeat(cells.mean(axis=3, keepdims=True), 3, axis=3).astype(np.uint8)
    with pytest.raises(NotEstimableError, match="100 % of the pictures are gray"):
        site_checks.photographs(gray)
    drawn = np.full((4, 96, 96, 3), 255, np.uint8)
    for picture in drawn:
        cv2.circle(picture, (48, 48), 30, (200, 150, 220), -1)
        cv2.circle(picture, (48, 48), 18, (90, 40, 140), -1)
    with pytest.raises(NotEstimableError, match="drawn or painted"):
        site_checks.photographs(drawn)


def test_cells_of_one_class_are_refused() -> None:
    site_checks.classes(np.arange(40) % 3, "ABC")
    with pytest.raises(NotEstimableError, match="95 % of the cells are predicted as B"):
        site_checks.classes(np.array([1] * 38 + [0] * 2), "ABC")
