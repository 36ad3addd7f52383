"""The Dockerfile, as far as it can be checked without an engine."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = ROOT / "Dockerfile"


def _instructions() -> list[tuple[str, str]]:
    """Instruction and what follows, lines joined, without comments."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    found = (line.partition(" ") for line in text.splitlines() if line.strip())
    return [(name, rest.strip()) for name, _, rest in found]


SAID = _instructions()


def _all(name: str) -> list[str]:
    return [rest for found, rest in SAID if found == name]


def _is_sent(path: str) -> bool:
    """Whether .dockerignore lets a top-level file or folder through; the last rule that fits."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    fitting = [r for r in rules if fnmatch.fnmatchcase(path, r.removeprefix("!"))]
    return not fitting or fitting[-1].startswith("!")


def test_every_source_is_there_and_sent_to_the_engine() -> None:
    copied = [shlex.split(rest) for rest in _all("COPY") if not rest.startswith("--from")]
    sources = [source for words in copied for source in words[:-1]]
    assert {"src", "pyproject.toml", "constraints.txt"} <= {*sources}
    for source in sources:
        assert (ROOT / source).exists(), source
        assert _is_sent(source), f"{source}: .dockerignore keeps it back"
    assert not _is_sent(".git")
    assert not _is_sent("shared")


def test_the_build_has_what_the_package_s_build_reads() -> None:
    """The readme and the licence of pyproject.toml are copied before the package is built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    copied = " ".join(_all("COPY"))
    assert all(name in copied for name in (project["readme"], *project["license-files"]))
    (extras,) = (rest.partition("=")[2] for rest in _all("ARG") if rest.startswith("EXTRAS="))
    assert {*extras.split(",")} < {*project["optional-dependencies"]}
    assert "dev" not in extras


def test_stages_follow_each_other_and_start_from_a_named_version() -> None:
    stages: list[str] = []
    for rest in _all("FROM"):
        base, _, name = rest.partition(" AS ")
        assert base in stages or base == "python:${PYTHON}"
        stages.append(name)
    assert stages == ["build", "cli", "review"]
    (python,) = (rest for rest in _all("ARG") if rest.startswith("PYTHON="))
    assert re.fullmatch(r"PYTHON=3\.1[1-3]-slim-\w+", python)
    taken = {m for rest in _all("COPY") for m in re.findall(r"--from=(\w+)", rest)}
    assert taken <= {*stages}


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize("command", _all("RUN"))
def test_shell_commands_parse(command: str) -> None:
    subprocess.run(["bash", "-n"], input=command, text=True, check=True)


def test_it_runs_as_nobody_special_and_checks_itself() -> None:
    assert all(int(rest.split(":")[0]) > 0 for rest in _all("USER"))
    last_user = max(i for i, (name, _) in enumerate(SAID) if name == "USER")
    assert last_user > max(i for i, (name, _) in enumerate(SAID) if name == "RUN")
    (health,) = _all("HEALTHCHECK")
    words = json.loads(health[health.index("[") :])
    assert words[:2] == ["python", "-m"]
    assert importlib.util.find_spec(words[2]) is not None


def test_what_it_starts_are_commands_of_ours() -> None:
    assert [json.loads(rest) for rest in _all("ENTRYPOINT")] == [["buffycoat"]]
    for rest in _all("CMD"):
        done = CliRunner().invoke(app, json.loads(rest))
        assert done.exit_code == 0, done.output


HADOLINT = shutil.which("hadolint", path=Path(sys.executable).parent)


@pytest.mark.skipif(HADOLINT is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run([str(HADOLINT), str(DOCKERFILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
