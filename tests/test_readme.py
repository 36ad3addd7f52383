"""Commands in README and docs exist, and the cheap ones run as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from buffycoat.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TUTORIALS = ROOT / "docs" / "tutorials"
"""Carried out from beginning to end by tests/site and tests/serve/page."""
RUN_HERE = ("predict", "evaluate", "compare", "similar", "explain", "measure", "doctor")
ELSEWHERE = ("demo-run/", "adapted", "boxed", "boxes.json", "--engine", "--workers", "paper")
"""How words begin that need what `make demo` or real cells give, other machines or weights."""


def blocks(page: Path, language: str) -> list[str]:
    """Code blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def lines(page: Path) -> list[list[str]]:
    """Words of each line of shell, without variables that are set before the program."""
    text = "".join(blocks(page, "bash")).replace("\\\n", " ")
    found = (shlex.split(line, comments=True) for line in text.splitlines())
    is_variable = re.compile(r"[A-Z_]+=\S*").fullmatch
    return [words[is_variable(words[0]) is not None :] for words in found if words]


def commands(page: Path) -> list[list[str]]:
    """What is given to buffycoat, line by line."""
    return [words[1:] for words in lines(page) if words[0] == "buffycoat"]


def runs_here(words: list[str]) -> bool:
    """Whether a command is cheap, and the folder of `newcomer` holds what it names."""
    is_of_elsewhere = any(word.startswith(ELSEWHERE) for word in words)
    return words[0] in RUN_HERE and not is_of_elsewhere


SHOWN = [(page, words) for page in PAGES for words in commands(page)]
RUN = [page for page in PAGES if page.parent != TUTORIALS]
WITH_CHEAP = [page for page in RUN if any(map(runs_here, commands(page)))]


@pytest.fixture
def newcomer(
    tmp_path: Path, tiny_bundle: Path, rendered_cells: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with what the commands name."""
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


def test_readme_is_short_and_begins_with_the_commands_that_a_newcomer_needs() -> None:
    readme = ROOT / "README.md"
    assert len(readme.read_text().splitlines()) < 150
    assert lines(readme)[0] == ["make", "demo"]
    assert [words[:2] for words in commands(readme)] == [["predict", "starter"], ["doctor"]]


def test_each_command_is_shown_on_a_page() -> None:
    shown = {words[0] for _, words in SHOWN}
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert {*group.commands} <= shown


def command_of(words: list[str]) -> list[str]:
    """The words that name a command of a group; `review TABLE` is `review serve TABLE`."""
    found: Any = get_command(app)
    names: list[str] = []
    for word in words:
        if not isinstance(found, TyperGroup):
            break
        name = word if word in found.commands or names != ["review"] else "serve"
        names.append(name)
        found = found.commands[name]
    return names


@pytest.mark.parametrize(
    "words", [pytest.param(words, id=f"{page.name}: {' '.join(words)}") for page, words in SHOWN]
)
def test_each_option_exists(words: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command_of(words), "--help"], terminal_width=200).stdout
    assert all(word in shown for word in words if word.startswith("--"))


def test_each_make_target_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    given = {words[1] for page in PAGES for words in lines(page) if words[0] == "make"}
    assert given <= targets


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CHEAP, ids=lambda page: page.name)
def test_cheap_commands_run(page: Path, newcomer: Path) -> None:
    for words in filter(runs_here, commands(page)):
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (words, result.output, result.exception)
    for words in filter(runs_here, commands(page)):
        if "--out" in words:
            assert (newcomer / words[words.index("--out") + 1]).exists()


@pytest.mark.slow
def test_python_runs(newcomer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = [text for page in RUN for text in blocks(page, "python")]
    assert texts
    for text in texts:
        exec(compile(text, "README.md", "exec"), {})
        assert len(capsys.readouterr().out.splitlines()) == len([*(newcomer / "cells").iterdir()])
