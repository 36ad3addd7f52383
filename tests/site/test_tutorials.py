"""The tutorials, command by command, as they stand on the page."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

pytestmark = pytest.mark.slow

TUTORIALS = Path(__file__).resolve().parents[2] / "docs" / "tutorials"


def steps(page: Path) -> Iterator[tuple[str, str]]:
    """(language, text) of each block of code; of shell, each line."""
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", page.read_text(), re.M | re.S):
        if language == "bash":
            yield from (("bash", line) for line in text.splitlines() if line)
        else:
            yield language, text


def run(name: str, *shrink: str) -> list[str]:
    """Carry out a tutorial in the working folder; returns what each step printed.

    Args:
        name: Of the page.
        shrink: Settings that `train` gets besides, so that it takes seconds.
    """
    space: dict = {}
    said = []
    for language, text in steps(TUTORIALS / name):
        if language == "python":
            exec(compile(text, name, "exec"), space)
        if language != "bash":
            continue
        program, *words = shlex.split(text)
        assert program == "buffycoat"
        more = [word for one in shrink for word in ("--set", one)] if words[0] == "train" else []
        result = CliRunner().invoke(app, [*words, *more])
        assert result.exit_code == 0, (text, result.output, result.exception)
        said.append(result.output)
    return said


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with a cache of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def test_train_on_your_own_data(here: Path, tiny_overrides: tuple[str, ...]) -> None:
    said = run("train.md", *tiny_overrides)
    assert (here / "runs" / "mine" / "report.html").is_file()
    assert "interval" in said[-1] or " to " in said[-1]


def test_run_an_archive(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = run("archive.md")
    assert "damaged.png" in said[1]
    assert "another laboratory" in said[1]
    printed = capsys.readouterr().out
    assert "need a look" in printed
    assert "by model" in printed
    assert (here / "differential.csv").is_file()
