"""The ordered set of classes that every score table is laid out by."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any, Literal

import numpy as np

from buffycoat.errors import TaxonomyError
from buffycoat.plurals import counted
from buffycoat.taxonomy.classes import KNOWN, CellClass, CellGroup
from buffycoat.taxonomy.faults import class_faults, group_faults, name_faults
from buffycoat.taxonomy.spelling import Spelling, is_no_class

Band = Literal["head", "medium", "tail"]

HEAD_SHARE = 0.10
"""A class with at least this share of the training cells is head."""
TAIL_SHARE = 0.03
"""A class with less than this share of the training cells is tail."""


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of classes; the order is the column order of every score table.

    Attributes:
        name: Name that is written into bundles.
        classes: The classes, in column order.
        groups: Labels coarser than a class that may stand in the data, each of some classes.
    """

    name: str
    classes: tuple[CellClass, ...]
    groups: tuple[CellGroup, ...] = ()

    def __post_init__(self) -> None:
        faults = [fault for cell in self.classes for fault in class_faults(cell)]
        faults += [fault for group in self.groups for fault in group_faults(group, self.codes)]
        if faults:
            raise TaxonomyError(f"taxonomy {self.name!r}:\n  " + "\n  ".join(faults))
        codes = self.codes
        if len(codes) < 2:
            has = counted(len(codes), "class", "classes")
            raise TaxonomyError(f"taxonomy {self.name!r} has {has}; it needs >= 2")
        twice = sorted({code for code in codes if codes.count(code) > 1})
        faults = name_faults((*self.classes, *self.groups))
        if faults and not twice:
            raise TaxonomyError(f"taxonomy {self.name!r}:\n  " + "\n  ".join(faults))
        if twice:
            raise TaxonomyError(f"taxonomy {self.name!r} names a class twice: {', '.join(twice)}")

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def codes(self) -> tuple[str, ...]:
        """Class codes in column order."""
        return tuple(cell.code for cell in self.classes)

    @property
    def is_leukocyte(self) -> np.ndarray:
        """Which classes count in a leukocyte differential, shape (k,), bool."""
        return np.array([cell.is_leukocyte for cell in self.classes])

    @cached_property
    def spelling(self) -> Spelling:
        """Finds the code of a class or group by any of its names."""
        return Spelling(self.classes, self.groups)

    @property
    def members(self) -> dict[str, tuple[int, ...]]:
        """Code of each class and group -> the columns that it stands for."""
        column = {code: index for index, code in enumerate(self.codes)}
        of_groups = {g.code: tuple(column[code] for code in g.members) for g in self.groups}
        return {code: (index,) for code, index in column.items()} | of_groups

    def lacks(self, labels: Iterable[str]) -> list[str]:
        """Labels, sorted, that are the code of no class and no group here."""
        return sorted(set(labels) - set(self.members))

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Column index of each label.

        Args:
            labels: Class codes.

        Returns:
            Shape (n,), int64.

        Raises:
            TaxonomyError: A label is not in the taxonomy, or is coarser than a class; the message
                names each such label.
        """
        unknown = self.lacks(labels)
        if unknown:
            raise self.unknown(unknown)
        coarse = sorted(set(labels) - set(self.codes))
        if coarse:
            raise TaxonomyError(
                f"labels of several classes where one is needed: {', '.join(coarse)}. Leave their "
                "cells out, or name a class"
            )
        column = {code: index for index, code in enumerate(self.codes)}
        return np.array([column[label] for label in labels], dtype=np.int64)

    def allowed(self, labels: Sequence[str]) -> np.ndarray:
        """The classes that each label leaves open.

        Args:
            labels: Codes of classes and groups.

        Returns:
            Shape (n, k), bool: one True for a class, several for a group.

        Raises:
            TaxonomyError: A label is not in the taxonomy.
        """
        unknown = self.lacks(labels)
        if unknown:
            raise self.unknown(unknown)
        members = self.members
        table = np.zeros((len(labels), len(self)), dtype=bool)
        for row, label in enumerate(labels):
            table[row, list(members[label])] = True
        return table

    def is_fine(self, labels: Iterable[str]) -> np.ndarray:
        """Shape (n,), bool: which labels are of one class, not of a group."""
        return np.array([label in self.codes for label in labels], dtype=bool)

    def unknown(self, labels: Sequence[str]) -> TaxonomyError:
        """The error that names labels which mean no class here, each with what may be meant."""
        told = "\n  ".join(self._remedy(label) for label in labels)
        return TaxonomyError(
            f"{counted(len(labels), 'label')} of no class of taxonomy {self.name!r} "
            f"({', '.join(self.codes)}):\n  {told}\nFix the label; or add the class, or the label "
            "as an alias of one, in a taxonomy file (--set taxonomy=my.toml in train and bench, "
            "--taxonomy my.toml elsewhere); or, in train, bench and audit, leave its cells out "
            "with --leave-out LABEL"
        )

    def _remedy(self, label: str) -> str:
        near = self.spelling.suggest(label)
        if is_no_class(label):
            return f"{label!r}: no white cell; to train without it, --leave-out {quote(label)}"
        return f"{label!r}: did you mean {near!r}?" if near else repr(label)

    def bands(self, counts: Mapping[str, int]) -> dict[str, Band]:
        """Head, medium or tail for each class, by its share of the training cells.

        Args:
            counts: Training cells for each code; a code that is absent counts 0.

        Returns:
            Code -> band.
        """
        total = max(sum(counts.get(code, 0) for code in self.codes), 1)
        share = {code: counts.get(code, 0) / total for code in self.codes}
        return {
            code: "head" if s >= HEAD_SHARE else "tail" if s < TAIL_SHARE else "medium"
            for code, s in share.items()
        }

    def lines(self) -> dict[str, list[list[int]]]:
        """The maturation lines.

        Returns:
            Lineage -> its stages from young to old, each a list of columns. Stages that the
            taxonomy lacks are skipped; a lineage of fewer than two stages is no line.
        """
        found = {}
        for lineage in dict.fromkeys(cell.lineage for cell in self.classes):
            stages: dict[int, list[int]] = {}
            for column, cell in enumerate(self.classes):
                if cell.lineage == lineage and cell.maturation is not None:
                    stages.setdefault(cell.maturation, []).append(column)
            if len(stages) > 1:
                found[lineage] = [stages[stage] for stage in sorted(stages)]
        return found

    def neighbours(self) -> np.ndarray:
        """Which classes stand next to each other on a maturation line.

        Returns:
            Shape (k, k), bool, symmetric. Classes of one stage are not neighbours.
        """
        found = np.zeros((len(self), len(self)), dtype=bool)
        for stages in self.lines().values():
            for young, old in pairwise(stages):
                found[np.ix_(young, old)] = found[np.ix_(old, young)] = True
        return found

    def to_dict(self) -> dict[str, object]:
        """The taxonomy as plain values, as `from_dict` reads them."""
        return {
            "name": self.name,
            "classes": [dict(vars(cell)) for cell in self.classes],
            "groups": [dict(vars(group)) for group in self.groups],
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, object], where: str = "taxonomy") -> Taxonomy:
        """Build a taxonomy from plain values.

        Args:
            table: `{"name": str, "classes": [{"code": ..., "name": ..., "lineage": ...}, ...]}`
                and, if wanted, `"groups": [{"code": ..., "name": ..., "members": [...]}, ...]`.
            where: File or origin, for messages.

        Raises:
            TaxonomyError: A key is missing, unknown or of the wrong type.
        """
        entries = table.get("classes")
        if not isinstance(entries, list):
            got = type(entries).__name__
            raise TaxonomyError(f"{where}: expected a list [[classes]], got {got}")
        try:
            classes = tuple(_with_usual_names(CellClass(**_with_tuples(e))) for e in entries)
        except TypeError as error:
            raise TaxonomyError(
                f"{where}: each class takes code, name, lineage and, if wanted, maturation, "
                f"is_leukocyte and aliases ({error})"
            ) from error
        try:
            groups = tuple(CellGroup(**_with_tuples(entry)) for entry in _list(table, "groups"))
        except TypeError as error:
            raise TaxonomyError(
                f"{where}: each group takes code, name, members and, if wanted, aliases ({error})"
            ) from error
        return cls(str(table.get("name", where)), classes, groups)

    @classmethod
    def from_toml(cls, path: Path) -> Taxonomy:
        """Read a user's own taxonomy.

        Args:
            path: TOML file with `name = "..."`, one `[[classes]]` table a class and, if wanted, one
                `[[groups]]` table a label that stands for several classes.

        Raises:
            TaxonomyError: The file is missing or malformed.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TaxonomyError(f"{path}: not a readable taxonomy file ({error})") from error
        return cls.from_dict(table, where=str(path))


def _list(table: Mapping[str, object], key: str) -> list[Any]:
    entries = table.get(key, [])
    return entries if isinstance(entries, list) else [entries]


def _with_usual_names(cell: CellClass) -> CellClass:
    """A class of the usual code and name, with its usual aliases if it has none of its own."""
    usual = KNOWN.get(cell.code)
    is_usual = usual is not None and usual.name == cell.name and not cell.aliases
    return replace(cell, aliases=usual.aliases) if usual is not None and is_usual else cell


def _with_tuples(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Lists of a file as tuples; what is no table is left to fail by its own message."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in dict(entry).items()}
