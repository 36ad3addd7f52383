"""The only place with class order, names, lineage and maturation."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from buffycoat.errors import TaxonomyError

Band = Literal["head", "medium", "tail"]

HEAD_SHARE = 0.10
"""A class with at least this share of the training cells is head."""
TAIL_SHARE = 0.03
"""A class with less than this share of the training cells is tail."""


@dataclass(frozen=True)
class CellClass:
    """One class of cell.

    Attributes:
        code: Short code as it stands in label files, e.g. "SNE".
        name: Full name, e.g. "segmented neutrophil".
        lineage: "granulocytic", "lymphoid", "monocytic", "erythroid" or "blast".
        maturation: Stage within the lineage, 0 the least mature; None outside a maturation line.
        is_leukocyte: Whether the cell counts in a leukocyte differential.
    """

    code: str
    name: str
    lineage: str
    maturation: int | None = None
    is_leukocyte: bool = True


IMMATURE_GRANULOCYTES = ("PMY", "MY", "MMY")
"""Their sum is reported as one figure (as in Lu et al. 2022, doi 10.1007/s12308-022-00484-w); bands
and blasts are not among them."""

_KNOWN = {
    cell.code: cell
    for cell in (
        CellClass("SNE", "segmented neutrophil", "granulocytic", 5),
        CellClass("LY", "lymphocyte", "lymphoid"),
        CellClass("MO", "monocyte", "monocytic"),
        CellClass("BL", "blast", "blast", 0),
        CellClass("EO", "eosinophil", "granulocytic"),
        CellClass("MY", "myelocyte", "granulocytic", 2),
        CellClass("BA", "basophil", "granulocytic"),
        CellClass("BNE", "band neutrophil", "granulocytic", 4),
        CellClass("VLY", "variant lymphocyte", "lymphoid"),
        CellClass("MMY", "metamyelocyte", "granulocytic", 3),
        CellClass("PMY", "promyelocyte", "granulocytic", 1),
        CellClass("PC", "plasma cell", "lymphoid"),
        CellClass("PLY", "prolymphocyte", "lymphoid"),
        CellClass("ERB", "erythroblast", "erythroid", is_leukocyte=False),
    )
}


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of classes; the order is the column order of every score table.

    Attributes:
        name: Name that is written into bundles.
        classes: The classes, in column order.
    """

    name: str
    classes: tuple[CellClass, ...]

    def __post_init__(self) -> None:
        faults = [fault for cell in self.classes for fault in _class_faults(cell)]
        if faults:
            raise TaxonomyError(f"taxonomy {self.name!r}:\n  " + "\n  ".join(faults))
        codes = self.codes
        if len(codes) < 2:
            raise TaxonomyError(f"taxonomy {self.name!r} has {len(codes)} classes; it needs >= 2")
        twice = sorted({code for code in codes if codes.count(code) > 1})
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

    def lacks(self, labels: Iterable[str]) -> list[str]:
        """Labels, sorted, that this taxonomy does not hold."""
        return sorted(set(labels) - set(self.codes))

    def encode(self, labels: Sequence[str]) -> np.ndarray:
        """Column index of each label.

        Args:
            labels: Class codes.

        Returns:
            Shape (n,), int64.

        Raises:
            TaxonomyError: A label is not in the taxonomy; the message names each such label.
        """
        unknown = self.lacks(labels)
        if unknown:
            raise TaxonomyError(
                f"the data holds {', '.join(map(repr, unknown))}, which taxonomy {self.name!r} "
                f"lacks (it has {', '.join(self.codes)}). Fix the label, or give a taxonomy file "
                "with --set taxonomy=my.toml"
            )
        column = {code: index for index, code in enumerate(self.codes)}
        return np.array([column[label] for label in labels], dtype=np.int64)

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
        return {"name": self.name, "classes": [dict(vars(cell)) for cell in self.classes]}

    @classmethod
    def from_dict(cls, table: Mapping[str, object], where: str = "taxonomy") -> Taxonomy:
        """Build a taxonomy from plain values.

        Args:
            table: `{"name": str, "classes": [{"code": ..., "name": ..., "lineage": ...}, ...]}`.
            where: File or origin, for messages.

        Raises:
            TaxonomyError: A key is missing, unknown or of the wrong type.
        """
        entries = table.get("classes")
        if not isinstance(entries, list):
            got = type(entries).__name__
            raise TaxonomyError(f"{where}: expected a list [[classes]], got {got}")
        try:
            classes = tuple(CellClass(**entry) for entry in entries)
        except TypeError as error:
            raise TaxonomyError(
                f"{where}: each class takes code, name, lineage and, if wanted, maturation and "
                f"is_leukocyte ({error})"
            ) from error
        return cls(str(table.get("name", where)), classes)

    @classmethod
    def from_toml(cls, path: Path) -> Taxonomy:
        """Read a user's own taxonomy.

        Args:
            path: TOML file with `name = "..."` and one `[[classes]]` table a class.

        Raises:
            TaxonomyError: The file is missing or malformed.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise TaxonomyError(f"{path}: not a readable taxonomy file ({error})") from error
        return cls.from_dict(table, where=str(path))


def _class_faults(cell: CellClass) -> list[str]:
    """Types are checked here since a TOML file can hold any; codes become column names."""
    faults = [
        f"class {cell.code!r}: {field} is {value!r}, expected text"
        for field, value in (("code", cell.code), ("name", cell.name), ("lineage", cell.lineage))
        if not isinstance(value, str) or not value.strip()
    ]
    if isinstance(cell.code, str) and any(c.isspace() or c == "," for c in cell.code):
        faults.append(f"class {cell.code!r}: a code must have no space and no comma")
    if cell.maturation is not None and type(cell.maturation) is not int:
        faults.append(f"class {cell.code!r}: maturation is {cell.maturation!r}, expected a number")
    if not isinstance(cell.is_leukocyte, bool):
        faults.append(
            f"class {cell.code!r}: is_leukocyte is {cell.is_leukocyte!r}, expected a bool"
        )
    return faults


def _select(name: str, codes: str) -> Taxonomy:
    return Taxonomy(name, tuple(_KNOWN[code] for code in codes.split()))


WBCBENCH = _select("wbcbench", "SNE LY MO BL EO MY BA BNE VLY MMY PMY PC PLY")
"""WBCBench 2026, arXiv 2604.10797."""
PBC = _select("pbc", "SNE LY MO EO BNE MY BA MMY ERB PMY")
"""PBC, Acevedo et al. 2020, doi 10.17632/snkd93bnjr, with neutrophils and immature granulocytes
told apart."""

BUILT_IN = {taxonomy.name: taxonomy for taxonomy in (PBC, WBCBENCH)}


def resolve(name: str, labels: Iterable[str]) -> Taxonomy:
    """The taxonomy of that name.

    Args:
        name: "wbcbench", "pbc", a path to a TOML file, or "auto": the built-in taxonomy
            with the fewest classes that holds all of `labels`.
        labels: Labels in the data.

    Raises:
        TaxonomyError: No such taxonomy, or it lacks a class that the data holds.
    """
    present = set(labels)
    if name == "auto":
        fitting = [t for t in BUILT_IN.values() if not t.lacks(present)]
        if fitting:
            return min(fitting, key=len)
        nearest = min(BUILT_IN.values(), key=lambda t: len(t.lacks(present)))
        raise TaxonomyError(
            f"no built-in taxonomy holds {', '.join(map(repr, nearest.lacks(present)))} (nearest: "
            f"{nearest.name}). Fix the label, or give a taxonomy file with --set taxonomy=my.toml"
        )
    if name in BUILT_IN:
        taxonomy = BUILT_IN[name]
    elif name.endswith(".toml"):
        taxonomy = Taxonomy.from_toml(Path(name))
    else:
        raise TaxonomyError(
            f"unknown taxonomy {name!r}. Options: auto, {', '.join(BUILT_IN)}, or a .toml file"
        )
    taxonomy.encode(sorted(present))
    return taxonomy
