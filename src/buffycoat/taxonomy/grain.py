"""Labels of several grains: of a class, and of a group of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from buffycoat.errors import TaxonomyError
from buffycoat.taxonomy.classes import CellClass, CellGroup

if TYPE_CHECKING:
    from buffycoat.taxonomy.taxonomy import Taxonomy

_MAX_ROUNDS = 1000
_SETTLED = 1e-10
"""Largest change of a share in the last round of the EM; groups that do not overlap need one."""


def class_shares(counts: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """How the cells of each label are shared among the classes that it allows.

    The maximum-likelihood estimate by EM (Dempster et al. 1977) under the one assumption that
    which cells got a coarse label does not depend on their class within it: a group's cells are
    shared as its classes are among the cells whose class is known. A class of which no cell is
    known gets none; a group without any known cell is shared evenly.

    Args:
        counts: Shape (t,), cells of each label.
        allowed: Shape (t, k), bool: the classes that each label allows, one or several.

    Returns:
        Shape (t, k), rows sum to 1, 0 where a class is not allowed.
    """
    is_class = allowed.sum(axis=1) == 1
    known = counts[is_class] @ allowed[is_class].astype(float)
    expected = known
    for _ in range(_MAX_ROUNDS):
        inside = allowed * expected
        is_empty = inside.sum(axis=1) == 0
        inside[is_empty] = allowed[is_empty]
        shares = inside / inside.sum(axis=1, keepdims=True)
        # Cells of a group of which nothing is known teach nothing of any other group.
        updated = (counts * ~is_empty) @ shares
        if np.abs(updated - expected).max() <= _SETTLED * max(counts.sum(), 1):
            break
        expected = updated
    return shares


def expected_counts(taxonomy: Taxonomy, counts: Mapping[str, int]) -> np.ndarray:
    """Cells of each class, those of a group shared out by `class_shares`.

    Args:
        taxonomy: The classes and groups.
        counts: Code of a class or group -> cells.

    Returns:
        Shape (k,), float64; whole numbers where no group has cells.
    """
    codes = [code for code, n in counts.items() if n]
    if not codes:
        return np.zeros(len(taxonomy))
    numbers = np.array([counts[code] for code in codes], dtype=float)
    return numbers @ class_shares(numbers, taxonomy.allowed(codes))


def at_grain_of(taxonomy: Taxonomy, labels: Iterable[str], least: int = 2) -> Taxonomy:
    """The taxonomy in which labels can be told apart.

    A group among the labels becomes a class where fewer than `least` of its classes are among them.

    Args:
        taxonomy: The classes and groups.
        labels: Codes of the cells.
        least: 2 for what can be learned: of one class alone nothing tells the others.

    Raises:
        TaxonomyError: Two such groups share a class, and neither holds the other.
    """
    present = set(labels)
    # A group of the taxonomy as it is by then: a smaller group may have become a class within it.
    for code in _smallest_first(taxonomy, present):
        group = _find(taxonomy, code)
        if group is not None and len(present & set(group.members)) < least:
            taxonomy = _with_class(taxonomy, group)
    return taxonomy


def coarsened(taxonomy: Taxonomy, codes: Iterable[str]) -> Taxonomy:
    """A taxonomy in which some groups are classes in place of their members.

    The class stands where the first of its members stood and takes their codes as other names of
    its own, so that a finer label is read as it.

    Args:
        taxonomy: The classes and groups.
        codes: Of the groups; others are passed over.

    Raises:
        TaxonomyError: Two of the groups share a class, and neither holds the other.
    """
    for code in _smallest_first(taxonomy, set(codes)):
        group = _find(taxonomy, code)
        if group is not None:
            taxonomy = _with_class(taxonomy, group)
    return taxonomy


def _smallest_first(taxonomy: Taxonomy, codes: set[str]) -> list[str]:
    groups = sorted(taxonomy.groups, key=lambda group: len(group.members))
    return [group.code for group in groups if group.code in codes]


def _find(taxonomy: Taxonomy, code: str) -> CellGroup | None:
    return next((group for group in taxonomy.groups if group.code == code), None)


def _with_class(taxonomy: Taxonomy, group: CellGroup) -> Taxonomy:
    members = [cell for cell in taxonomy.classes if cell.code in group.members]
    within = [g for g in taxonomy.groups if set(g.members) < set(group.members)]
    merged = _merged(group, [*members, *within])
    first = taxonomy.classes.index(members[0])
    kept = [cell for cell in taxonomy.classes if cell not in members]
    classes = (*kept[:first], merged, *kept[first:])
    groups = []
    for other in taxonomy.groups:
        shared = set(other.members) & set(group.members)
        if other is group or shared == set(other.members):
            continue
        if shared and shared != set(group.members):
            raise TaxonomyError(
                f"taxonomy {taxonomy.name!r}: the data label groups {group.code!r} and "
                f"{other.code!r}, which share {', '.join(sorted(shared))} and neither of which "
                "holds the other. Leave the cells of one out with --leave-out LABEL"
            )
        if shared:
            names = dict.fromkeys(group.code if code in shared else code for code in other.members)
            other = replace(other, members=tuple(names))
            if len(names) < 2:
                continue
        groups.append(other)
    return replace(taxonomy, classes=classes, groups=tuple(groups))


def _merged(group: CellGroup, finer_labels: Sequence[CellClass | CellGroup]) -> CellClass:
    cells = [label for label in finer_labels if isinstance(label, CellClass)]
    finer = [name for label in finer_labels for name in (label.code, label.name, *label.aliases)]
    return CellClass(
        group.code,
        group.name,
        cells[0].lineage,
        is_leukocyte=all(cell.is_leukocyte for cell in cells),
        aliases=(*group.aliases, *finer),
    )
