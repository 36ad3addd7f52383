"""Scores at the grain that each label has: of a class, or of a group of classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.class_table import class_rows, patients_of_class
from buffycoat.evaluate.interval import Array
from buffycoat.taxonomy import CellClass, Taxonomy
from buffycoat.taxonomy.grain import at_grain_of, coarsened


def common_grain(
    taxonomy: Taxonomy, predicted: Iterable[str], truth: Iterable[str] = ()
) -> Taxonomy:
    """The finest classes at which predictions can be compared with the truth.

    A group is a class where it is predicted, and where the truth names it and none of its classes.

    Args:
        taxonomy: Holds all labels.
        predicted: Codes that the model gives.
        truth: Codes of the true labels.

    Raises:
        TaxonomyError: Two such groups overlap, and neither holds the other.
    """
    return at_grain_of(coarsened(taxonomy, predicted), truth, least=1)


def relabelled(labels: Iterable[str], taxonomy: Taxonomy) -> list[str]:
    """Labels in a taxonomy's codes: SNE as NE where that is the class."""
    known = taxonomy.members
    return [c if c in known else taxonomy.spelling.find(c) or c for c in labels]


def restated(counts: Mapping[str, int], taxonomy: Taxonomy) -> dict[str, int]:
    """Cells of each label in a taxonomy's codes; those of finer labels are added up."""
    found: dict[str, int] = {}
    for code, n in zip(relabelled(counts, taxonomy), counts.values(), strict=True):
        found[code] = found.get(code, 0) + n
    return found


def group_scores(
    truth: Sequence[str],
    predicted: Array,
    taxonomy: Taxonomy,
    patients: Array | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """One row a group that the truth names: is it told from all else, whatever the class within?

    A prediction of any class of the group is right for a cell that is labelled with the group or
    with one of its classes. Cells whose label leaves open whether they are of the group, those of a
    coarser or overlapping one, are left out.

    Args:
        truth: Shape (n,), codes of classes and groups.
        predicted: Shape (n,), column index of the predicted class.
        taxonomy: The classes and groups.
        patients: Shape (n,); None for image-level intervals.
        seed: Seed of the resampling.

    Returns:
        As `class_table.class_rows` has a class, and `members`, `n_fine` and `n_coarse`: cells
        labelled with a class of the group, and with the group or a part of it; `n`: all cells that
        count.
    """
    allowed = taxonomy.allowed(truth)
    is_fine = allowed.sum(axis=1) == 1
    rows = []
    for group in taxonomy.groups:
        if group.code not in truth:
            continue
        inside = np.zeros(len(taxonomy), dtype=bool)
        inside[list(taxonomy.members[group.code])] = True
        is_in = ~(allowed & ~inside).any(axis=1)
        is_known = is_in | ~(allowed & inside).any(axis=1)
        target = np.where(is_in, 0, 1)[is_known]
        called = np.where(inside[predicted], 0, 1)[is_known]
        groups = None if patients is None else patients[is_known]
        of = resample(target, called, 2, groups, seed=seed)
        n_patients = None if groups is None else patients_of_class(target, groups, 2)
        row = class_rows(of, _against_rest(group.code, group.name), n_patients=n_patients)[0]
        rows.append(
            row
            | {
                "members": list(group.members),
                "n": int(is_known.sum()),
                "n_fine": int((is_in & is_fine).sum()),
                "n_coarse": int((is_in & ~is_fine).sum()),
            }
        )
    return rows


def right_at_grain(
    truth: Sequence[str],
    predicted: Array,
    taxonomy: Taxonomy,
    patients: Array | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Share of cells whose predicted class their label allows, as `Interval.to_dict`."""
    right = taxonomy.allowed(truth)[np.arange(len(truth)), predicted].astype(np.int64)
    of = resample(np.ones_like(right), right, 2, patients, seed=seed)
    return of.accuracy().to_dict()


def _against_rest(code: str, name: str) -> Taxonomy:
    return Taxonomy(code, (CellClass(code, name, "any"), CellClass(f"not-{code}", "other", "any")))
