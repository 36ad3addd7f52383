from __future__ import annotations

import json
from importlib import metadata

import pytest
from typer.testing import CliRunner

from buffycoat import __version__
from buffycoat.cli import doctor
from buffycoat.cli.main import app

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
