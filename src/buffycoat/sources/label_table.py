"""A table among pictures: which of them it names, and what it says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from buffycoat.errors import ManifestError
from buffycoat.sources.columns import Columns, Row, find_columns
from buffycoat.sources.draft import is_left_out
from buffycoat.sources.image_index import ImageIndex
from buffycoat.sources.parts import part_of
from buffycoat.tables import read_rows
from buffycoat.tables.columns import ID_NAMES, key
from buffycoat.taxonomy.spelling import Spelling, words_of

_LISTED = "name"
FORM = "a form for answers, by its name"
PREDICTIONS = "it holds predictions"
NAMES_AT_LEAST = 0.5
"""Share of rows that must name a picture of the folder for a column to hold names of pictures."""


@dataclass(frozen=True)
class LabelTable:
    """A table that was looked at.

    Attributes:
        path: The table.
        unit: "line" or "row": what a number counts.
        rows: (number, column -> text).
        file_column: Names the pictures; None if no column names those of the folder.
        columns: What the others hold.
        pictures: Number of a row -> the pictures that it may name, shape as `ImageIndex.find`.
        why_not: Why the table cannot be used; "" if it can.
    """

    path: Path
    unit: str = "line"
    rows: tuple[tuple[int, Row], ...] = ()
    file_column: str | None = None
    columns: Columns = field(default=Columns(None, (), (), None, None, None))
    pictures: dict[int, list[Path]] = field(default_factory=dict)
    why_not: str = ""

    @property
    def part(self) -> str | None:
        """The split that the table's own name tells."""
        return part_of(self.path.stem)

    @property
    def looks_useful(self) -> bool:
        """Whether it names pictures of the folder and says something of them."""
        says_something = self.columns.says_something or self.part is not None
        return self.file_column is not None and says_something

    @property
    def is_shut(self) -> bool:
        """Whether it could not be read."""
        return not self.rows

    @property
    def may_hold_labels(self) -> bool:
        """Whether labels stand in it, or it cannot be read and so may hold them."""
        if self.why_not in (FORM, PREDICTIONS):
            return False
        is_table = self.path.suffix.lower() not in (".txt", ".dat")
        return (self.is_shut and is_table) or self.columns.has_labels or bool(self.columns.several)

    def without(
        self, pictures: set[Path], patterns: Sequence[str], left_out: Counter[str]
    ) -> LabelTable:
        """The table without the rows of some pictures, and of names that a user leaves out.

        Args:
            pictures: That are not wanted.
            patterns: As in `Reading.leave_out`.
            left_out: Grows by the rows of pictures that are not there.
        """
        gone = {n for n, found in self.pictures.items() if found and set(found) <= pictures}
        for number, row in self.rows:
            value = row.get(self.file_column or "", "").replace("\\", "/")
            pattern = is_left_out(value, patterns) if value else None
            if pattern is not None and not self.pictures.get(number):
                gone.add(number)
                left_out[pattern] += 1
        rows = tuple((number, row) for number, row in self.rows if number not in gone)
        kept = {n: [p for p in found if p not in pictures] for n, found in self.pictures.items()}
        return replace(self, rows=rows, pictures={n: kept[n] for n in kept if n not in gone})

    def where(self, number: int) -> str:
        """A row, for messages."""
        return f"{self.path.name} {self.unit} {number}"


def look_at(path: Path, index: ImageIndex, spelling: Spelling) -> LabelTable:
    """Read a table and find out what it says of the pictures of a folder.

    Args:
        path: The table.
        index: The pictures.
        spelling: Knows the names of classes.
    """
    if "submission" in words_of(path.stem):
        return LabelTable(path, why_not=FORM)
    listed = _read_list(path, index)
    if listed is not None:
        return listed
    try:
        table = read_rows(path)
    except ManifestError as error:
        return LabelTable(path, why_not=str(error).removeprefix(f"{path}: "))
    names = list(table.header)
    if is_predicted(names):
        return LabelTable(path, table.unit, why_not=PREDICTIONS)
    rows = [row for _, row in table.rows]
    columns = find_columns(names, rows, spelling)
    found = _file_column(names, table.rows, index, path)
    if found is None:
        first = next(iter(rows[0].values()), "") if rows else ""
        why = f"no column names pictures of this folder (its first row begins with {first!r})"
        why = why if rows else "it has no rows"
        return LabelTable(path, table.unit, tuple(table.rows), None, columns, why_not=why)
    file_column, pictures = found
    is_part = part_of(path.stem) is not None
    why = "" if columns.says_something or is_part else "no label, split or patient in it"
    if columns.several:
        why = f"labels may be in {' or '.join(map(repr, columns.several))}"
    return LabelTable(path, table.unit, tuple(table.rows), file_column, columns, pictures, why)


def is_predicted(names: Sequence[str]) -> bool:
    """Whether columns are of predictions, whose labels are no truth."""
    return "is_abstained" in names or any(name.startswith("prob_") for name in names)


def _read_list(path: Path, index: ImageIndex) -> LabelTable | None:
    """A list of pictures, a name a line and no header, as `train.txt`; None for anything else."""
    if path.suffix.lower() not in (".txt", ".lst", ".csv", ".tsv"):
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    rows = [
        (number, {_LISTED: line.strip()}) for number, line in enumerate(lines, 1) if line.strip()
    ]
    found = {number: index.find(row[_LISTED], path) for number, row in rows}
    if not rows or not all(found.values()):
        return None
    why = "" if part_of(path.stem) else "no label, split or patient in it"
    return LabelTable(path, "line", tuple(rows), _LISTED, pictures=found, why_not=why)


def _file_column(
    names: Sequence[str], rows: Sequence[tuple[int, Row]], index: ImageIndex, path: Path
) -> tuple[str, dict[int, list[Path]]] | None:
    """The column that names most pictures; of equals the one whose name says that it does."""
    best: tuple[float, str, dict[int, list[Path]]] | None = None
    places = {name: place for place, name in enumerate(ID_NAMES)}
    ordered = sorted(names, key=lambda name: places.get(key(name), len(places)))
    for name in ordered:
        found = {n: index.find(row[name], path) for n, row in rows if row.get(name)}
        share = sum(map(bool, found.values())) / max(len(rows), 1)
        if share and (best is None or share > best[0]):
            best = (share, name, found)
    if best is None or (best[0] < NAMES_AT_LEAST and key(best[1]) not in ID_NAMES):
        return None
    return best[1], best[2]
