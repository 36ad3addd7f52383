"""What a training lacks is said before anything starts, all of it, with what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from buffycoat.backbones import needed, weights
from buffycoat.config import PRESETS, load
from buffycoat.embed.checkpoint import MEDSIGLIP, tower_of
from buffycoat.errors import BundleError, ConfigError, MissingExtraError, WeightsNotFoundError
from buffycoat.learn import needs, train

SWIN = "timm/swin_small_patch4_window7_224.ms_in22k_ft_in1k"


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "hub_problem", lambda: "no network")
    monkeypatch.setattr(needs, "hub_problem", lambda: "no network")
    monkeypatch.setattr(weights, "cached", lambda repo, file: None)


@pytest.mark.parametrize("preset", ["cpu", "travel", "demo"])
def test_these_presets_lack_nothing(preset: str) -> None:
    assert all(not need.remedy and need.where for need in needs.needs_of(load(preset)))


def test_every_preset_is_looked_through() -> None:
    assert all(needs.needs_of(load(preset)) for preset in PRESETS)


def test_all_that_the_paper_lacks_is_said_at_once_with_commands() -> None:
    with pytest.raises(WeightsNotFoundError) as caught:
        needs.check(load("paper"))
    said = str(caught.value)
    assert f"hf download {SWIN} model.safetensors" in said
    assert f"hf download {MEDSIGLIP} config.json model.safetensors" in said
    assert "no network" in said
    assert "--set classify.weights=FOLDER/model.safetensors" in said
    assert "--set embed.weights=FOLDER" in said


def test_licences_are_named() -> None:
    licences = {need.what: need.licence for need in needs.needs_of(load("paper"))}
    assert licences[SWIN] == "mit"
    assert "Health AI Developer Foundations" in licences[MEDSIGLIP]


def test_what_the_hub_gives_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "refusal", lambda repo: None)
    needs.check(load("paper"))
    found = {need.what: need.where for need in needs.needs_of(load("paper"))}
    assert found[SWIN] == found[MEDSIGLIP] == needed.FETCHED


def test_a_gated_model_is_missing_though_the_hub_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    from huggingface_hub.errors import GatedRepoError

    def refuse(self: object, repo: str) -> None:
        raise GatedRepoError.__new__(GatedRepoError)

    monkeypatch.setattr(weights, "hub_problem", lambda: None)
    monkeypatch.setattr(huggingface_hub.HfApi, "auth_check", refuse)
    with pytest.raises(WeightsNotFoundError, match=r"gated.*hf auth login"):
        needs.check(load("paper"))


def test_training_says_the_same_before_it_reads_a_picture(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFoundError) as caught:
        train.train(tmp_path / "no-such-data", tmp_path / "run", load("paper"))
    with pytest.raises(WeightsNotFoundError) as direct:
        needs.check(load("paper"))
    assert str(caught.value) == str(direct.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_serves_and_what_it_lacks_is_named(tiny_siglip: Path, tmp_path: Path) -> None:
    def faults(folder: Path, prepared: str) -> list[str]:
        changes = [f"embed.weights={folder}", f"embed.preprocessing={prepared}"]
        found = needs.needs_of(load("paper", changes))
        return [need.remedy for need in found if need.remedy and need.stage == "embed"]

    assert faults(tiny_siglip, "checkpoint") == []
    copy = Path(shutil.copytree(tiny_siglip, tmp_path / "copy"))
    (copy / "preprocessor_config.json").unlink()
    assert faults(copy, "bilinear") == []
    assert "no preprocessor_config.json" in faults(copy, "checkpoint")[0]
    (copy / "model.safetensors").unlink()
    assert "no model.safetensors" in faults(copy, "bilinear")[0]


def test_a_missing_package_comes_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    find = needed.importlib.util.find_spec
    monkeypatch.setattr(
        needed.importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name)
    )
    with pytest.raises(MissingExtraError, match=r"openvino.*buffycoat\[fast\]"):
        needs.check(load("cpu", ["embed.engine=openvino"]))


def test_a_missing_bundle_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a bundle"):
        needs.check(load("cpu", [f"restore.take_from={tmp_path}"]))
    with pytest.raises(WeightsNotFoundError, match=r"none\.safetensors: no such file"):
        needs.check(load("cpu", ["classify.weights=none.safetensors"]))
    with pytest.raises(WeightsNotFoundError, match=r"cpsam_v2.*hf download mouseland/cellpose-sam"):
        needs.check(load("cpu", ["segment.method=cellpose"]))


def test_an_unknown_backbone_is_named() -> None:
    with pytest.raises(ConfigError, match="no such model"):
        needs.needs_of(load("paper", ["classify.backbone=swin_smal"]))


def test_the_size_of_an_encoder_is_that_of_its_network(tiny_siglip: Path) -> None:
    transformers = pytest.importorskip("transformers")
    model = transformers.AutoModel.from_pretrained(tiny_siglip).vision_model
    tower = tower_of(str(tiny_siglip))
    assert tower is not None
    exact = sum(value.numel() for value in model.parameters())
    assert tower.parameters == pytest.approx(exact, rel=0.2)  # biases count for more in a tiny one
    large = tower_of(MEDSIGLIP)
    assert large is not None
    assert large.parameters == pytest.approx(428e6, rel=0.01)
