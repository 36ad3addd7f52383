"""A backbone from cells without labels: it learns what views share, resumes, and can be used."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from buffycoat import config
from buffycoat.backbones.build import build
from buffycoat.backbones.weights import licence_of
from buffycoat.bundle.lineage import is_non_commercial
from buffycoat.classify.pretrain import fit_backbone, pairs
from buffycoat.cli.main import app
from buffycoat.config import Config
from buffycoat.simulate.render import render_cell

SMALL = (
    "images.work_px=64",
    "classify.input_px=32",
    "classify.weights=random",
    "classify.precision=fp32",
    "pretrain.epochs=2",
    "pretrain.batch_size=12",
)


@pytest.fixture(scope="module")
def settings() -> Config:
    return config.load("demo", SMALL)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Working images of 24 drawn cells."""
    rng = np.random.default_rng(3)
    codes = ("SNE", "LY", "MO", "EO")
    return np.stack([render_cell(codes[n % 4], rng, 64).image for n in range(24)])


def test_each_cell_of_an_epoch_is_shown_by_two_views(images, settings):
    batches = list(pairs(images, settings.classify, 10, seed=0, epoch=0))
    assert [len(cells) for _, cells in batches] == [20, 20]
    shown = np.concatenate([cells for _, cells in batches])
    assert set(np.unique(shown, return_counts=True)[1]) == {2}
    views, cells = batches[0]
    assert (cells[:10] == cells[10:]).all()
    assert not np.array_equal(views[0], views[10])  # the same cell, otherwise turned and lit


def test_a_run_that_was_killed_ends_with_the_same_weights(images, settings, tmp_path):
    recipe, wanted = settings.classify, settings.pretrain
    whole, _, history = fit_backbone(images, recipe, wanted, 0, None)

    class KilledError(Exception):
        pass

    def kill(done: int, total: int) -> None:
        if done == total - 1:
            raise KilledError

    checkpoint = tmp_path / "checkpoint.safetensors"
    with pytest.raises(KilledError):
        fit_backbone(images, recipe, wanted, 0, checkpoint, kill)
    resumed, _, again = fit_backbone(images, recipe, wanted, 0, checkpoint)
    assert [epoch["loss"] for epoch in again] == [epoch["loss"] for epoch in history]
    mine, theirs = whole.state_dict(), resumed.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_the_command_writes_weights_that_a_classifier_starts_from(tmp_path):
    archive = tmp_path / "archive"
    archive.mkdir()
    rng = np.random.default_rng(5)
    for number in range(24):
        drawn = render_cell(("SNE", "LY")[number % 2], rng, 96).image
        Image.fromarray(drawn).save(archive / f"{number}.png")
    out = tmp_path / "backbone"
    changes = [part for change in SMALL for part in ("--set", change)]
    changes += ["--set", "data.unlabelled_name=archive", "--set", "data.name=ours"]
    changes += ["--set", "data.unlabelled_licence=CC BY-NC 4.0", "--set", "data.licence=MIT"]
    changes += ["--set", "data.unlabelled_attribution=Nobody 2020"]
    command = ["pretrain", str(archive), "--preset", "demo", *changes, "--out", str(out)]
    found = CliRunner().invoke(app, command)
    assert found.exit_code == 0, found.output
    card = (out / "CARD.md").read_text()
    assert "24 of 24 unlabelled cells" in card
    assert "| of | archive, licence CC BY-NC 4.0; cite Nobody 2020 |" in card
    assert "| made for | ours |" in card
    assert "MIT" not in card
    assert "The card states the archive: archive, licence CC BY-NC 4.0" in found.output
    recipe = config.load("demo", SMALL).classify
    built = build(recipe.backbone, str(out / "backbone.safetensors"), 5, recipe.input_px)
    assert "backbone.safetensors" in built.source
    assert "CC BY-NC 4.0" in built.licence
    assert is_non_commercial(built.licence)
    before = (out / "backbone.safetensors").read_bytes()
    assert CliRunner().invoke(app, command).exit_code == 0
    assert (out / "backbone.safetensors").read_bytes() == before
    other = [*command, "--set", "data.unlabelled_licence=CC BY 4.0"]  # no reason to train again
    done = CliRunner().invoke(app, other)
    assert done.exit_code == 0, done.output
    assert licence_of(out / "backbone.safetensors").endswith("archive, licence CC BY 4.0")
    assert len(list((out / "stages").glob("backbone-*"))) == 1


def test_the_labelled_data_are_read_as_train_reads_them(tmp_path):
    rng = np.random.default_rng(5)
    for number in range(26):
        drawn = Image.fromarray(render_cell(("SNE", "LY")[number % 2], rng, 96).image)
        places = [tmp_path / "archive" / f"{number}.png"]
        if number < 4:  # of two sites, and one label that nobody knows
            kind = ("SNE", "LY", "SNE", "doodle")[number]
            places.append(tmp_path / f"site{number % 2}" / "train" / kind / f"{number}.png")
        for place in places:
            place.parent.mkdir(parents=True, exist_ok=True)
            drawn.save(place)
    out = tmp_path / "backbone"
    changes = [part for change in SMALL for part in ("--set", change)]
    data = ["--data", f"north={tmp_path / 'site0'}", "--data", f"south={tmp_path / 'site1'}"]
    command = ["pretrain", str(tmp_path / "archive"), "--preset", "demo", *changes, *data]
    found = CliRunner().invoke(app, [*command, "--leave-out", "doodle", "--out", str(out)])
    assert found.exit_code == 0, found.output
    assert "23 of 26 unlabelled cells" in (out / "CARD.md").read_text()
    assert "3 whose photograph the data set has" in (out / "CARD.md").read_text()
