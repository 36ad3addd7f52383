"""`make pins`: what pip resolves becomes constraints.txt, and what changed is said."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OLD = """\
# Tested versions.
alpha==1.0
# Held back: 3 breaks the report.
Jinja2==3.1.6
old_name==2.0  # only for alpha
torch==2.14.1
"""


def _load():
    spec = importlib.util.spec_from_file_location("pins", ROOT / "tools" / "pins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["pins"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


pins = _load()


def _report(folder: Path, **versions: str) -> Path:
    install = [{"metadata": {"name": n, "version": v}} for n, v in versions.items()]
    path = folder / "report.json"
    path.write_text(json.dumps({"install": install}))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "constraints.txt"
    path.write_text(OLD)
    return path


def test_the_file_and_the_table(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = _report(
        tmp_path, alpha="1.1", jinja2="3.1.6", buffycoat="0.1.0", torch="2.14.1+cpu", New="0.1"
    )
    pins.main(["--file", str(file), "--report", str(report)])
    assert file.read_text() == (
        "# Tested versions.\n"
        "alpha==1.1\n"
        "# Held back: 3 breaks the report.\n"
        "Jinja2==3.1.6\n"
        "New==0.1\n"
        "torch==2.14.1\n"
    )
    said = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert said[:3] == [
        ["alpha", "1.0", "->", "1.1"],
        ["New", "new", "->", "0.1"],
        ["old_name", "2.0", "->", "gone"],
    ]
    assert said[3][:3] == ["3", "of", "4"]
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_a_dry_run_and_no_change_write_nothing(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins.main(["--dry-run", "--file", str(file), "--report", str(_report(tmp_path, alpha="9"))])
    assert file.read_text() == OLD
    same = _report(tmp_path, alpha="1.0", jinja2="3.1.6", torch="2.14.1", **{"old-name": "2.0"})
    stamp = file.stat().st_mtime_ns
    pins.main(["--file", str(file), "--report", str(same)])
    assert file.stat().st_mtime_ns == stamp
    assert "Nothing changes: 4 pins" in capsys.readouterr().out


def test_what_pip_must_keep() -> None:
    _, old = pins.read(OLD)
    assert [pin.name for pin in pins.held_back(old, [], with_torch=False)] == ["torch"]
    assert pins.held_back(old, [], with_torch=True) == []
    assert [pin.name for pin in pins.held_back(old, ["jinja2"], with_torch=False)] == [
        "alpha",
        "old_name",
        "torch",
    ]
    with pytest.raises(SystemExit, match="no pin of that name"):
        pins.held_back(old, ["nothing"], with_torch=False)


def test_a_line_that_is_no_pin_is_refused() -> None:
    with pytest.raises(SystemExit, match="line 2"):
        pins.read("alpha==1\nbeta>=2\n")


def test_our_own_file_is_read_and_written_unchanged() -> None:
    text = (ROOT / "constraints.txt").read_text()
    head, old = pins.read(text)
    assert {pin.key for pin in old} >= {"torch", "numpy", "filelock"}
    assert sorted(pins.written(head, old).splitlines()) == sorted(text.splitlines())
