from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from buffycoat.config import PRESETS, Config, ImagesConfig, load, to_hash
from buffycoat.errors import ConfigError


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_loads_and_names_itself(preset: str) -> None:
    assert load(preset).preset == preset


def test_presets_differ_and_hashes_tell_them_apart() -> None:
    assert len({to_hash(load(preset)) for preset in PRESETS}) == len(PRESETS)
    assert to_hash(load("cpu")) == to_hash(load("cpu"))
    assert to_hash(load("cpu", ["seed=1"])) != to_hash(load("cpu"))
    assert len(to_hash(ImagesConfig())) == 16


def test_the_paper_preset_holds_the_published_settings() -> None:
    paper = load("paper")
    assert paper.classify.backbone.startswith("swin_small_patch4_window7_224")
    assert (paper.classify.folds, paper.classify.epochs, paper.classify.batch_size) == (5, 20, 128)
    assert (paper.classify.loss, paper.classify.class_weights) == ("focal", "inverse_log")
    assert paper.classify.views == "paper7"
    assert paper.refine.rescue == "published"
    assert paper.embed.oversample["PLY"] == 50


@pytest.mark.parametrize(
    ("override", "section", "name", "value"),
    [
        ("classify.epochs=3", "classify", "epochs", 3),
        ("classify.loss=focal", "classify", "loss", "focal"),
        ('classify.backbone="resnet18"', "classify", "backbone", "resnet18"),
        ("classify.backbone=resnet18", "classify", "backbone", "resnet18"),
        ("restore.gate=false", "restore", "gate", False),
        ("embed.hidden=[8, 4]", "embed", "hidden", (8, 4)),
        ("embed.oversample.PC=2.5", "embed", "oversample", {"PC": 2.5}),
        ("fuse.prior = train", "fuse", "prior", "train"),
    ],
)
def test_settings_can_be_set(override: str, section: str, name: str, value: object) -> None:
    config = load("paper", ["embed.oversample={}", override])
    assert getattr(getattr(config, section), name) == value


def test_a_path_of_weights_stays_true_in_another_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.safetensors").touch()
    Path("wheel").touch()
    settings = ["embed.weights=mine.safetensors", "classify.weights=wheel", "segment.weights=none"]
    found = load("cpu", settings)
    assert found.embed.weights == str(tmp_path / "mine.safetensors")
    assert (found.classify.weights, found.segment.weights) == ("wheel", "none")


def test_oversampling_that_no_head_hears_is_refused() -> None:
    with pytest.raises(ConfigError, match="head 'paper'"):
        load("cpu", ["embed.oversample={ SNE = 2 }"])


def test_all_faults_are_listed_with_their_place() -> None:
    with pytest.raises(ConfigError) as caught:
        load("cpu", ["classify.epochs=0", "clasify.epochs=1", "embed.encodr=x", "refine.rescue=on"])
    text = str(caught.value)
    for part in ("classify.epochs", "clasify", "embed.encodr", "refine.rescue"):
        assert part in text


@pytest.mark.parametrize(
    "override",
    [
        "classify.learning_rate=-1",
        "classify.learning_rate=nan",
        "restore.l1_weight=inf",
        "seed=-1",
        "images.frame_fraction=0",
        "images=3",
        "seed.x=1",
    ],
)
def test_settings_out_of_range_are_refused(override: str) -> None:
    with pytest.raises(ConfigError):
        load("cpu", [override])


@pytest.mark.parametrize("override", ["classify.epochs", "=3", "preset.x=1"])
def test_an_override_that_is_none_is_refused(override: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        load("cpu", [override])


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'defualt'. Did you mean 'default'"):
        load("defualt")


def test_a_file_is_a_preset(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[classify]\nepochs = 7\n")
    assert load(str(path)).classify.epochs == 7
    assert load(str(path)).preset == "custom"
    path.write_text("[classify\n")
    with pytest.raises(ConfigError, match=r"own.toml: not a readable settings file"):
        load(str(path))
    with pytest.raises(ConfigError, match=r"gone.toml"):
        load(str(tmp_path / "gone.toml"))


def test_settings_are_frozen_and_survive_json() -> None:
    config = load("default")
    with pytest.raises(ValidationError, match="frozen"):
        config.seed = 3  # type: ignore[misc]
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_an_unknown_setting_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError) as error:
        load("demo", ["classify.epoch=3", "foo=1", "refit.start=cold"])
    said = str(error.value)
    assert "classify.epoch: unknown setting of classify 'epoch'. Did you mean 'epochs'?" in said
    assert "foo: unknown setting of the recipe 'foo'" in said
    assert "refit.start" in said
