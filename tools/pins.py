"""Move the pins of constraints.txt to what pip resolves today, and say what changed.

    python tools/pins.py                       all but torch and torchvision
    python tools/pins.py --only numpy scipy    these; all others stay
    python tools/pins.py --torch               torch and torchvision too
    python tools/pins.py --dry-run             only say what would change
    python tools/pins.py --report FILE         take what `pip install --dry-run --report` wrote

All extras of pyproject.toml are resolved together, for this system and this Python.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
HELD = ("torch", "torchvision")
"""Moved only when asked: figures are measured with them, and each is a download of gigabytes."""
OWN = "buffycoat"
_PIN = re.compile(r"(?P<name>[\w.-]+)==(?P<version>[^\s;#]+)(?P<rest>.*)")


@dataclass(frozen=True)
class Pin:
    """One line of constraints.txt, with what is written about it.

    Attributes:
        name: As it is spelled.
        version: Exact.
        rest: What follows on the line: a marker, a comment.
        above: Lines of comment right above it.
    """

    name: str
    version: str
    rest: str = ""
    above: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The name as pip compares names."""
        return key(self.name)


def key(name: str) -> str:
    """A name in the spelling in which two names of one package are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read(text: str) -> tuple[list[str], list[Pin]]:
    """Lines above the first pin, and the pins.

    Raises:
        SystemExit: A line that is neither a comment nor a pin.
    """
    head: list[str] = []
    above: list[str] = []
    pins: list[Pin] = []
    for number, line in enumerate(text.splitlines(), start=1):
        found = _PIN.fullmatch(line.strip())
        if found is not None:
            pins.append(Pin(found["name"], found["version"], found["rest"], tuple(above)))
            above = []
        elif not line.strip() or line.startswith("#"):
            (above if pins else head).append(line)
        else:
            sys.exit(f"line {number}: expected NAME==VERSION or a comment, got {line!r}")
    if above:
        sys.exit(f"comment after the last pin: {above[0]!r}; write it above a pin, or on its line")
    return head, pins


def resolved(report: dict) -> dict[str, Pin]:
    """Key -> pin of each package in pip's report, without our own."""
    found = [Pin(one["metadata"]["name"], one["metadata"]["version"]) for one in report["install"]]
    # A local version, as of torch's builds, is of one index: 2.14.1+cpu is pinned as 2.14.1.
    pins = [replace(pin, version=pin.version.partition("+")[0]) for pin in found]
    return {pin.key: pin for pin in pins if pin.key != OWN}


def moved(old: Sequence[Pin], new: dict[str, Pin]) -> list[Pin]:
    """The new pins in order, each with the spelling and the comments that it had."""
    known = {pin.key: pin for pin in old}
    kept = [replace(known.get(name, pin), version=pin.version) for name, pin in new.items()]
    return sorted(kept, key=lambda pin: pin.key)


def written(head: Sequence[str], pins: Sequence[Pin]) -> str:
    """The file's text."""
    lines = [line for pin in pins for line in (*pin.above, f"{pin.name}=={pin.version}{pin.rest}")]
    return "\n".join([*head, *lines]) + "\n"


def changes(old: Sequence[Pin], new: Sequence[Pin]) -> list[tuple[str, str, str]]:
    """Name, old and new version of each package that moved; "" where it was or is not there."""
    before, after = ({pin.key: pin for pin in pins} for pins in (old, new))
    found = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        versions = tuple("" if pin is None else pin.version for pin in (was, now))
        if versions[0] != versions[1]:
            found.append(((now or was).name, *versions))  # type: ignore[union-attr]
    return found


def shown(rows: Sequence[tuple[str, str, str]], n: int) -> str:
    """The changes as a table."""
    if not rows:
        return f"Nothing changes: {n} pins are what pip resolves."
    words = [(name, old or "new", new or "gone") for name, old, new in rows]
    widths = [max(len(row[column]) for row in words) for column in range(2)]
    lines = [f"{name:<{widths[0]}}  {old:<{widths[1]}}  ->  {new}" for name, old, new in words]
    return "\n".join([*lines, f"{len(rows)} of {n} pins change."])


def resolve(constraints: Sequence[Pin]) -> dict:
    """What pip reports of a fresh installation with every extra.

    Raises:
        SystemExit: pip finds no versions that go together; it has said why.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = ",".join(project["optional-dependencies"])
    with tempfile.TemporaryDirectory() as folder:
        kept, report = Path(folder) / "kept.txt", Path(folder) / "report.json"
        kept.write_text(written([], constraints), encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed"]
        command += ["--quiet", "--report", str(report), "-c", str(kept), f"{ROOT}[{extras}]"]
        if subprocess.run(command).returncode:
            sys.exit(f"pip resolved nothing (its words are above); {CONSTRAINTS} is as it was")
        return json.loads(report.read_text(encoding="utf-8"))


def held_back(pins: Sequence[Pin], only: Sequence[str], with_torch: bool) -> list[Pin]:
    """Pins that stay while pip resolves.

    Raises:
        SystemExit: A package to move that has no pin.
    """
    asked = {key(name) for name in only}
    unknown = asked - {pin.key for pin in pins}
    if unknown:
        sys.exit(f"--only {' '.join(sorted(unknown))}: no pin of that name in {CONSTRAINTS.name}")
    if asked:
        return [pin for pin in pins if pin.key not in asked]
    return [] if with_torch else [pin for pin in pins if pin.key in HELD]


def main(arguments: Sequence[str] | None = None) -> None:
    """Move the pins."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="packages to move")
    parser.add_argument("--torch", action="store_true", help=f"move {' and '.join(HELD)} too")
    parser.add_argument("--dry-run", action="store_true", help="write nothing")
    parser.add_argument("--report", type=Path, help="of pip, instead of asking it now")
    parser.add_argument("--file", type=Path, default=CONSTRAINTS, help="default: constraints.txt")
    given = parser.parse_args(arguments)
    head, old = read(given.file.read_text(encoding="utf-8"))
    kept = held_back(old, given.only, given.torch)
    report = resolve(kept) if given.report is None else json.loads(given.report.read_text("utf-8"))
    new = moved(old, resolved(report))
    rows = changes(old, new)
    print(shown(rows, len(old)))
    if given.dry_run or not rows:
        return
    part = given.file.with_name(f".{given.file.name}.part")
    part.write_text(written(head, new), encoding="utf-8")
    os.replace(part, given.file)
    print("Written. Run `make setup test` before you commit.")


if __name__ == "__main__":
    main()
