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
WORDS = {"other": "**the other**", "buffycoat": "buffycoat"}


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
        source: "run", or the stored file that both figures come from.
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

    def line(self) -> str:
        """A row of the table in Markdown."""
        better = WORDS.get(self.better, self.better)
        cells = (self.task, self.measure, self.ours, self.other, self.theirs, better)
        source = self.source if self.source == "run" else f"stored: `{self.source}`"
        return f"| {' | '.join(cells)} | {source} | {self.left_out} |"


HEAD = (
    "| task | measure | buffycoat | other tool | its figure | better | from | left out |\n"
    "|-|-|-|-|-|-|-|-|\n"
)


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
    """The table."""
    return HEAD + "".join(row.line() + "\n" for row in rows)


def read_table(path: Path) -> list[Row]:
    """Rows of `comparison.csv`."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [Row(**{str(k): v for k, v in row.items()}) for row in table.to_dict("records")]
