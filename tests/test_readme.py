"""README's commands exist, and the cheap ones run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
LINES = [shlex.split(line) for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
COMMANDS = [words[1:] for words in LINES if words[0] == "buffycoat"]
RUN_HERE = ("predict", "evaluate", "similar", "doctor")


@pytest.fixture
def newcomer(
    tmp_path: Path, tiny_bundle: Path, rendered_cells: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with what README's commands name."""
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    (tmp_path / "runs" / "mine" / "bundle").symlink_to(tiny_bundle)
    (tmp_path / "starter").symlink_to(tiny_bundle)  # a folder of that name comes first
    (tmp_path / "cells").symlink_to(rendered_cells / "phase2" / "eval")
    (tmp_path / "archive").symlink_to(rendered_cells / "phase2" / "eval")
    (tmp_path / "cell.png").symlink_to(next((rendered_cells / "phase2" / "test").iterdir()))
    (tmp_path / "labels.csv").symlink_to(rendered_cells / "phase2_eval.csv")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_readme_has_the_commands_a_newcomer_needs() -> None:
    assert {words[0] for words in COMMANDS} >= {"predict", "train", "evaluate", "doctor"}
    assert LINES[0] == ["make", "demo"]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_each_option_in_readme_exists(words: list[str]) -> None:
    command = words[:2] if words[0] == "bench" else words[:1]
    shown = CliRunner().invoke(app, [*command, "--help"], terminal_width=200).stdout
    assert all(word in shown for word in words if word.startswith("--"))


def test_each_make_target_in_readme_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert {words[1] for words in LINES if words[0] == "make"} <= targets


def test_readme_s_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / "README.md").read_text())
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


@pytest.mark.slow
def test_readme_s_cheap_commands_run(newcomer: Path) -> None:
    for words in COMMANDS:
        if words[0] in RUN_HERE:
            result = CliRunner().invoke(app, words)
            assert result.exit_code == 0, (words, result.output, result.exception)
    assert (newcomer / "cells.csv").read_text().startswith("ID,labels\n")


@pytest.mark.slow
def test_readme_s_python_runs(newcomer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for kind, text in BLOCKS:
        if kind == "python":
            exec(compile(text, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == len(list((newcomer / "cells").iterdir()))
