"""Rows of the comparison: one measure of one task, ours and another tool's."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from buffycoat.images import write_atomic
from buffycoat.tables import write_csv

Better = Literal["buffycoat", "other", "neither", "not comparable"]
RESULTS = Path(__file__).resolve().parents[1] / "results"
MEASURED = "run"
"""Source of a figure that this command measured."""


@dataclass(frozen=True)
class Row:
    """One measure.

    Attributes:
        task: What a user wants done.
        measure: What is measured, and on which cells.
        other: The other tool, with its version.
        ours: Figure of buffycoat, with its unit or interval.
        theirs: Figure of the other tool.
        better: By the rule of the measure, not by eye.
        source: `MEASURED`, or the stored file that both figures come from.
        left_out: What the comparison leaves out.
    """

    task: str
    measure: str
    other: str
    ours: str
    theirs: str
    better: Better
    source: str
    left_out: str = ""


@dataclass(frozen=True)
class Place:
    """Where a part finds its data and keeps what it makes.

    Attributes:
        shared: Folder of the data.
        work: Folder for models, predictions and pairs; what is finished there is not made again.
        rivals: Python of an environment with `requirements.txt` of this folder.
    """

    shared: Path
    work: Path
    rivals: Path


def better_of(ours: float, theirs: float, margin: float, *, is_higher_better: bool) -> Better:
    """The better of two figures; neither where they differ by the margin or less."""
    gain = ours - theirs if is_higher_better else theirs - ours
    if abs(gain) <= margin:
        return "neither"
    return "buffycoat" if gain > 0 else "other"


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> Better:
    """The better of two scores whose intervals do not overlap; else neither."""
    if ours["low"] > theirs["high"]:
        return "buffycoat"
    return "other" if theirs["low"] > ours["high"] else "neither"


def in_words(of: dict[str, Any]) -> str:
    """An estimate with its interval."""
    return f"{of['estimate']:.3f} ({of['low']:.3f} to {of['high']:.3f})"


def run(command: Sequence[str | Path]) -> tuple[str, float]:
    """What a command prints, and the seconds of processor time that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {done.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.stdout, spent


def versions(python: Path, *packages: str) -> dict[str, str]:
    """Version of each package in an environment."""
    code = "import sys, importlib.metadata as m; [print(m.version(p)) for p in sys.argv[1:]]"
    found, _ = run([python, "-c", code, *packages])
    return dict(zip(packages, found.split(), strict=True))


def once(path: Path, make: Callable[[], Any]) -> Any:
    """Plain values from a file, or made and written there whole."""
    if not path.exists():
        write_atomic(path, (json.dumps(make(), indent=1) + "\n").encode())
    return json.loads(path.read_text(encoding="utf-8"))


BEGIN, END = "<!-- comparison: begin -->\n", "<!-- comparison: end -->\n"
"""Lines of the page between which the table stands."""


def write_table(out: Path, page: Path, rows: Sequence[Row], left_out: Sequence[str]) -> None:
    """`comparison.csv`, and the same rows on the page, with the parts that are missing."""
    write_csv(out / "comparison.csv", pd.DataFrame([asdict(row) for row in rows]))
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    missing = f"Not measured yet: {', '.join(left_out)}.\n\n" if left_out else ""
    write_atomic(page, f"{before}{BEGIN}\n{in_markdown(rows)}\n{missing}{END}{after}".encode())


def in_markdown(rows: Sequence[Row]) -> str:
    """A small table for each task, with what its rows leave out below it."""
    tasks = dict.fromkeys(row.task for row in rows)
    return "\n".join(_of_task(task, [row for row in rows if row.task == task]) for task in tasks)


def _of_task(task: str, rows: Sequence[Row]) -> str:
    """Heading, table and notes. The better figure is bold; a tool that all share is in the head."""
    tools = {row.other for row in rows}
    head = next(iter(tools)) if len(tools) == 1 else "other tool"
    lines = [f"| measure | buffycoat | {head} |", "|-|-|-|"]
    for number, row in enumerate(rows, 1):
        is_same = number > 1 and row.measure == rows[number - 2].measure
        measure = f"{number}. {'the same' if is_same else row.measure}"
        ours = f"**{row.ours}**" if row.better == "buffycoat" else row.ours
        theirs = f"**{row.theirs}**" if row.better == "other" else row.theirs
        is_same_tool = number > 1 and row.other == rows[number - 2].other
        tool = "the same tool: " if is_same_tool else f"{row.other}: "
        lines.append(f"| {measure} | {ours} | {'' if len(tools) == 1 else tool}{theirs} |")
    stored = [f"`{row.source}`" if row.source != MEASURED else "" for row in rows]
    notes = _notes("Left out", [row.left_out for row in rows])
    notes += _notes("Stored figures", stored)
    below = ["", *notes] if notes else []
    return "\n".join([f"### {task[0].upper()}{task[1:]}", "", *lines, *below, ""])


def _notes(what: str, texts: Sequence[str]) -> list[str]:
    """Each text once, as a bullet, with the numbers of its rows unless it is of all."""
    rows: dict[str, list[str]] = {}
    for number, text in enumerate(texts, 1):
        rows.setdefault(text, []).append(str(number))
    rows.pop("", None)
    every = [str(number) for number in range(1, len(texts) + 1)]
    found = []
    for text, of in rows.items():
        place = f" (row{'s' if len(of) > 1 else ''} {', '.join(of)})" if of != every else ""
        found.append(f"- {what}{place}: {text}")
    return found


def read_table(path: Path) -> list[Row]:
    """Rows of `comparison.csv`."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [Row(**{str(k): v for k, v in row.items()}) for row in table.to_dict("records")]
