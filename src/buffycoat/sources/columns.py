"""What the columns of a table are, by their names and by what stands in them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from buffycoat.sources.parts import part_of
from buffycoat.tables.columns import (
    ID_NAMES,
    LABEL_NAMES,
    OFF,
    ON,
    OWN_LABELS,
    TRUE_LABELS,
    key,
)
from buffycoat.taxonomy.spelling import Spelling

ANNOTATIONS = ("label", "split", "severity")
"""Columns that only training and scoring ask for; elsewhere anything may stand in them."""
SPLITS = ("split", "set", "subset", "partition", "phase", "usage", "wbcbenchsplit")
PATIENTS = ("patientid", "patient", "patienthash", "subjectid", "subject", "donorid", "donor")
SLIDES = ("slideid", "slide", "smearid", "smear")
OTHERS = ("severity", "originalid", "cellid", "umperpx")
_NEAR = 0.8
"""Likeness (difflib's ratio) from which an unknown column is taken for a misspelt one."""
_MAX_SPLITS = 20
"""Different names of splits in a column; pictures' names that hold such a word are more."""
_NAMED_AT_LEAST = 0.9
"""Share of a column's values that mean a class, from which it holds labels whatever its name."""

Row = dict[str, str]


@dataclass(frozen=True)
class Columns:
    """Which column holds what; None where none does.

    Attributes:
        label: Labels as text.
        one_hot: Columns that are named after classes and hold 0 and 1; empty if there are none.
        several: Columns of which each may hold the labels, where that is not clear.
        split: Splits.
        patient_id: Patients.
        slide_id: Slides.
        severity: Severities of degradation.
        original_id: Ids of the pristine twins.
        um_per_px: Micrometres that a pixel is wide.
        flag: 1 where the cell is of the split that the column's name tells, such as `is_test`.
    """

    label: str | None
    one_hot: tuple[str, ...]
    several: tuple[str, ...]
    split: str | None
    patient_id: str | None
    slide_id: str | None
    severity: str | None = None
    original_id: str | None = None
    flag: str | None = None
    um_per_px: str | None = None

    @property
    def has_labels(self) -> bool:
        """Whether the table says of which class a cell is."""
        return self.label is not None or bool(self.one_hot)

    @property
    def says_something(self) -> bool:
        """Whether a split, a label, a patient or a scale stands in the table."""
        of_cell = (
            self.patient_id, self.slide_id, self.severity, self.original_id, self.um_per_px
        )  # fmt: skip
        return self.has_labels or any((self.several, self.split, self.flag, *of_cell))

    @property
    def tells_split(self) -> str | None:
        """The column that splits are read from."""
        return self.split or self.flag

    @property
    def annotations(self) -> tuple[str, ...]:
        """Columns of `ANNOTATIONS`, which only training and scoring ask for."""
        named = (self.label, *self.one_hot, *self.several, self.split, self.flag, self.severity)
        return tuple(name for name in named if name is not None)

    def without_annotations(self) -> Columns:
        """The same as if those were not there."""
        nothing = dict.fromkeys((*ANNOTATIONS, "flag"))
        return replace(self, one_hot=(), several=(), **nothing)

    def label_of(self, row: Row) -> str:
        """The label in a row, "" if it has none.

        Raises:
            ValueError: Not exactly one of the columns of classes holds a 1.
        """
        if not self.one_hot:
            return row.get(self.label, "") if self.label else ""
        marked = [name for name in self.one_hot if row.get(name, "").casefold() in ON]
        if len(marked) > 1 or (not marked and any(row.get(name, "") for name in self.one_hot)):
            raise ValueError(f"{len(marked)} of the columns {', '.join(self.one_hot)} are marked")
        return marked[0] if marked else ""


def find_columns(names: Sequence[str], rows: Sequence[Row], spelling: Spelling) -> Columns:
    """What the columns of a table hold.

    Args:
        names: Of its columns.
        rows: Its rows.
        spelling: Knows the names of classes.
    """

    def column(known: Sequence[str]) -> str | None:
        found = {key(name): name for name in reversed(names)}
        return next((found[word] for word in known if word in found), None)

    label, several = _label_column(names, rows, spelling)
    one_hot = tuple(n for n in names if spelling.find(n) and _is_marked(n, rows))
    one_hot = one_hot if label is None and len(one_hot) > 1 else ()
    if label is None and not one_hot and not several:
        telling = [name for name in names if _means_classes(name, rows, spelling)]
        label = telling[0] if len(telling) == 1 else None
        several = tuple(telling) if len(telling) > 1 else ()
    split, patient, slide = map(column, (SPLITS, PATIENTS, SLIDES))
    if split is not None and not any(row.get(split) for row in rows):
        split = None
    if split is None:
        split = next((name for name in names if name != label and _means_splits(name, rows)), None)
    if split is not None and key(split) != "split":  # "phase" may count patients' visits
        told = [part_of(row.get(split, "") or "train") for row in rows]
        split = split if all(told) else None
    flags = [n for n in names if part_of(n) and _is_marked(n, rows) and any(map(_is_said(n), rows))]
    return Columns(
        label, one_hot, several, split, patient, slide, column(("severity",)),
        column(("originalid",)), flags[0] if len(flags) == 1 and split is None else None,
        column(("umperpx",)),
    )  # fmt: skip


def _is_said(name: str) -> Callable[[Row], bool]:
    return lambda row: bool(row.get(name))


def _label_column(
    names: Sequence[str], rows: Sequence[Row], spelling: Spelling
) -> tuple[str | None, tuple[str, ...]]:
    """The column of labels by its name, or several of which any may be it."""
    keys = {name: key(name) for name in names}
    true = [name for name in names if keys[name] in TRUE_LABELS]
    own = [name for name in names if name in OWN_LABELS]
    others = [name for name in names if keys[name] in LABEL_NAMES and name not in own]
    found = true or [*own[:1], *others]
    if len(found) < 2:
        return next(iter(found), None), ()
    meant = {}
    for name in found:
        codes = [spelling.find(row[name]) for row in rows if row.get(name)]
        if codes and None not in codes:
            meant[name] = tuple(spelling.find(row.get(name, "")) for row in rows)
    if len(set(meant.values())) == 1:
        return next(iter(meant)), ()
    is_own = not meant and found[0] in OWN_LABELS
    return (found[0], ()) if is_own else (None, tuple(meant) or tuple(found))


def misspelt(names: Sequence[str]) -> dict[str, str]:
    """Columns that are almost one that would be read -> its name."""
    known = ("path", "label", "patient_id", "slide_id", "split", "severity", "original_id")
    read = {*ID_NAMES, *LABEL_NAMES, *TRUE_LABELS, *SPLITS, *PATIENTS, *SLIDES, *OTHERS}
    present = {key(name) for name in names}
    found = {}
    for name in names:
        absent = [k for k in known if key(k) not in present]
        near = difflib.get_close_matches(name.casefold(), absent, n=1, cutoff=_NEAR)
        if key(name) not in read and near:
            found[name] = near[0]
    return found


def _is_marked(name: str, rows: Sequence[Row]) -> bool:
    return all(row.get(name, "").casefold() in ON | OFF for row in rows)


def _means_splits(name: str, rows: Sequence[Row]) -> bool:
    """Whether all that stands in a column are names of splits, two of them or more."""
    values = {row[name] for row in rows if row.get(name)}
    parts = {part_of(value) for value in values} if len(values) < _MAX_SPLITS else {None}
    return None not in parts and len(parts) > 1


def _means_classes(name: str, rows: Sequence[Row], spelling: Spelling) -> bool:
    values = [row[name] for row in rows if row.get(name)]
    means = sum(count for value, count in _counts(values).items() if spelling.find(value))
    return bool(values) and means >= _NAMED_AT_LEAST * len(values)


def _counts(values: Sequence[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts
