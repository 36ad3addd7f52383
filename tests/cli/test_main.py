from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from buffycoat import __version__
from buffycoat.cli import doctor
from buffycoat.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("train", "predict", "evaluate", "demo", "doctor")


def test_the_version_is_the_package_s() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.strip() == f"buffycoat {__version__}"


@pytest.mark.parametrize("command", COMMANDS)
def test_each_help_has_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0
    assert f"buffycoat {command}" in " ".join(result.stdout.split())


def test_help_names_all_commands_and_that_it_is_no_medical_device() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert all(command in result.stdout for command in COMMANDS)
    assert "Not a medical device" in result.stdout


def test_doctor_finds_what_is_installed_and_the_weights_of_the_wheel() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0, result.output
    findings = json.loads(result.stdout)
    versions = {row["package"]: row["version"] for row in findings["packages"]}
    assert versions["torch"] == metadata.version("torch")
    weights = {row["weights"]: row["is_reachable"] for row in findings["weights"]}
    assert weights["tf_efficientnet_lite0"] is True
    assert findings["machine"]["cores"] >= 1
    assert findings["machine"]["disk_free_gib"] > 0


def test_doctor_knows_every_package_that_is_declared() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def names(requirements: list[str]) -> set[str]:
        return {re.match(r"[\w.-]+", one)[0] for one in requirements}  # type: ignore[index]

    core = names(project["dependencies"])
    assert {*doctor.CORE} == core
    extras = {e: names(of) - core for e, of in project["optional-dependencies"].items()}
    wanted = set().union(*(of for extra, of in extras.items() if extra not in ("docs", "dev")))
    assert doctor.OPTIONAL.keys() == wanted
    assert all(name in extras[extra] for name, extra in doctor.OPTIONAL.items())


def test_doctor_prints_tables() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    assert "scikit-learn" in result.stdout
    assert "disk free" in result.stdout


def test_doctor_says_how_to_install_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CORE", ["buffycoat-no-such-package"])
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 2
    assert "pip install 'buffycoat'" in result.stdout
    assert "missing" in result.stdout


def test_doctor_says_what_a_preset_lacks_and_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("buffycoat.backbones.weights.cached", lambda repo, file: None)
    monkeypatch.setattr("buffycoat.backbones.weights.hub_problem", lambda: "no network")
    result = CliRunner().invoke(app, ["doctor", "--preset", "paper", "--json", "--cells", "60"])
    assert result.exit_code == 2
    found = json.loads(result.stdout)["preset"]
    assert sum("hf download" in fault for fault in found["faults"]) == 2
    assert {row["stage"] for row in found["stages"]} >= {"restore", "classify", "embed"}
    assert found["memory_gib"] > 1
    shown = CliRunner().invoke(app, ["doctor", "--preset", "paper"])
    assert shown.exit_code == 2
    assert "cannot be trained here" in shown.stdout
    assert "not asked" not in shown.stdout  # the hub was, for weights that are not here
    assert "rough estimate of a training on 10,000 cells" in shown.stdout
    assert "Times are rough" in shown.stdout


def test_doctor_leaves_the_hub_alone_where_nothing_is_wanted_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("buffycoat.backbones.weights.hub_problem", lambda: pytest.fail("asked"))
    shown = CliRunner().invoke(app, ["doctor", "--preset", "demo"])
    assert "not asked" in shown.stdout


def helps(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """What --help says of every command."""
    yield words, CliRunner().invoke(app, [*words, "--help"], terminal_width=200).stdout
    for name, child in getattr(command, "commands", {}).items():
        yield from helps(child, (*words, name))


def test_no_help_names_a_folder_of_ours() -> None:
    said = dict(helps(get_command(app)))
    assert len(said) > 30
    ours = re.compile(r"\.\./shared|benchmarks/")
    assert [words for words, text in said.items() if ours.search(text)] == []


def test_doctor_says_that_a_preset_can_be_trained() -> None:
    arguments = ["doctor", "--preset", "demo", "--cells", "100", "--set", "classify.epochs=1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Preset demo can be trained here" in result.stdout


def test_doctor_says_what_is_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_memory_gib", lambda: 0.5)
    result = CliRunner().invoke(app, ["doctor", "--preset", "demo"])
    assert result.exit_code == 2
    assert "memory: about" in " ".join(result.stdout.split())
