"""Folds for training: stratified by class; patients and copies of one photograph stay whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from buffycoat.errors import ConfigError, ShapeError
from buffycoat.plurals import counted, some_of


@dataclass(frozen=True)
class Folds:
    """Which fold holds each cell out.

    Attributes:
        fold: Shape (n,), int64, 0 to n_folds - 1.
        is_grouped: Whether no patient is in two folds.
        notes: What a reader of the scores must know: the fallback, and each class that some
            fold cannot hold, in sentences.
        table: One row a fold and class: `fold`, `class`, `cells`, `patients` (NA if unknown).
        groups: What stays whole, as a number for each cell, shape (n,), int64: the patient with
            all copies of its cells, else the photograph.
    """

    fold: np.ndarray
    is_grouped: bool
    notes: tuple[str, ...]
    table: pd.DataFrame
    groups: np.ndarray

    @property
    def n_folds(self) -> int:
        """Number of folds."""
        return int(np.array(self.table["fold"]).max()) + 1


def assign_folds(
    targets: np.ndarray,
    patients: np.ndarray | pd.Series | None,
    n_folds: int,
    seed: int,
    codes: Sequence[str] | None = None,
    copies: np.ndarray | None = None,
    n_classes: int | None = None,
) -> Folds:
    """Deal cells into folds with like class shares.

    Patients stay whole: the one most uneven in its classes (then the largest) comes first, and
    each goes to the fold where it makes the class shares most even, as scikit-learn's
    `StratifiedGroupKFold` does; that one refuses data in which every class is smaller than the
    number of folds, and warns where any is. A patient's fold depends on the seed and on the set
    of cells, not on their order. Without patients each class is dealt in a seeded order, round
    and round; that a file comes early or late then tells nothing of its fold.

    Args:
        targets: Shape (n,), column index of each cell's class.
        patients: Shape (n,), a patient (or any key that must stay whole) for each cell; None if
            unknown. Cells with NA are dealt one by one, and `is_grouped` is False.
        n_folds: At least 2.
        seed: Of the shuffle.
        codes: Class codes, for the notes and the table; by default the index.
        copies: Shape (n,), a key for each cell that its copies share: they stay together too, and
            so do patients who share a photograph. None if no two cells are copies.
        n_classes: Targets from here on are labels coarser than a class. Each is dealt out evenly
            as a class is, and no note says that a fold holds none: nothing scores them. None
            where there are no such labels.

    Returns:
        The folds. A class with fewer cells or patients than folds is spread over as many as it
        can fill, and noted.

    Raises:
        ConfigError: Fewer cells, or fewer patients, than folds.
        ShapeError: `targets` and `patients` differ in length.
    """
    targets = np.asarray(targets)
    if n_folds < 2:
        raise ConfigError(f"{n_folds} folds; expected at least 2 (set classify.folds)")
    if patients is not None and len(patients) != len(targets):
        raise ShapeError(f"{len(patients)} patients for {len(targets)} cells; expected as many")
    if len(targets) < n_folds:
        raise ConfigError(f"{len(targets)} cells cannot fill {n_folds} folds (set classify.folds)")
    rng = np.random.default_rng(seed)
    patient, is_known = _groups(patients, len(targets))
    groups = patient if copies is None else merge_groups(patient, copies)
    n_groups = int(groups.max()) + 1
    if n_groups == len(targets) and not is_known.any():
        fold = _deal_cells(targets, n_folds, rng)
    else:
        if n_groups < n_folds:
            raise ConfigError(_too_few(n_groups, n_folds, bool(is_known.any())))
        fold = _deal_groups(_counts(groups, targets, n_groups), n_folds, rng)[groups]
    labels = _class_names(targets, codes)
    table = _table(fold, targets, patient if is_known.any() else None, n_folds, labels)
    scored = [label for target, label in labels.items() if n_classes is None or target < n_classes]
    notes = (*_fallback_notes(is_known), *_copy_notes(copies))
    notes = (*notes, *_class_notes(table, n_folds, scored))
    return Folds(fold, bool(is_known.all()), notes, table, groups)


def hold_out_sites(
    targets: np.ndarray,
    sites: np.ndarray | pd.Series,
    codes: Sequence[str] | None = None,
    copies: np.ndarray | None = None,
    n_classes: int | None = None,
) -> Folds:
    """A fold a site: each site's cells are scored by a model that saw none of them.

    Args:
        targets: Shape (n,), as in `assign_folds`.
        sites: Shape (n,), name of each cell's site.
        codes: As in `assign_folds`.
        copies: As in `assign_folds`.
        n_classes: As in `assign_folds`.

    Returns:
        The folds, in the order of the sites' names. A site counts as one observation of many
        cells: what stays whole for intervals is the photograph.

    Raises:
        ConfigError: There is one site only; or two sites share a photograph, so that neither can be
            held out.
    """
    names, fold = np.unique(np.asarray(sites, dtype=str), return_inverse=True)
    if len(names) < 2:
        raise ConfigError(
            f"hold_out='site': all cells are of site {str(names[0])!r}. Give the data sets of "
            "several sites, or set classify.hold_out=cell"
        )
    groups = np.unique(np.arange(len(fold)) if copies is None else copies, return_inverse=True)[1]
    lowest, highest = np.full(groups.max() + 1, len(names)), np.full(groups.max() + 1, -1)
    np.minimum.at(lowest, groups, fold)
    np.maximum.at(highest, groups, fold)
    shared = np.flatnonzero(lowest < highest)
    if len(shared):
        one, other = names[lowest[shared[0]]], names[highest[shared[0]]]
        raise ConfigError(
            f"hold_out='site': {counted(len(shared), 'photograph')} at two sites, such as {one} "
            f"and {other}, so neither is unseen. Leave the copies out, or set "
            "classify.hold_out=cell"
        )
    table = _table(fold, targets, None, len(names), _class_names(targets, codes))
    labels = _class_names(targets, codes)
    scored = [label for target, label in labels.items() if n_classes is None or target < n_classes]
    held = ", ".join(
        f"{name} {count:,}" for name, count in zip(names, np.bincount(fold), strict=True)
    )
    note = f"each site is held out as a whole ({held} cells)"
    notes = (note, *_copy_notes(copies), *_class_notes(table, len(names), scored))
    return Folds(fold.astype(np.int64), True, notes, table, groups.astype(np.int64))


def merge_groups(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Groups that hold together what either of two groupings does.

    Args:
        first: Shape (n,), a key for each cell.
        second: Likewise.

    Returns:
        Shape (n,), int64, numbered in the order of the first's keys.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    first, second = (np.unique(keys, return_inverse=True)[1] for keys in (first, second))
    size = int(max(first.max(), second.max())) + 1
    links = coo_matrix((np.ones(len(first)), (first, second + size)), (2 * size, 2 * size))
    merged = connected_components(links, directed=False)[1][first]
    least = np.full(int(merged.max()) + 1, size)
    np.minimum.at(least, merged, first)
    return np.unique(least[merged], return_inverse=True)[1]


def _too_few(n_groups: int, n_folds: int, has_patients: bool) -> str:
    one, more = ("patient", "patients") if has_patients else ("photograph", "photographs")
    if n_groups == 1:
        return f"all cells are of one {one}: nothing can be held out. Add {more}"
    return (
        f"{n_groups} {more} cannot fill {n_folds} folds without one in two of them. "
        f"Set classify.folds to {n_groups} or less, or add {more}"
    )


def _groups(patients: np.ndarray | pd.Series | None, n_cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Each cell's group, numbered in the order of patients' names, and whether it is known."""
    if patients is None:
        return np.arange(n_cells), np.zeros(n_cells, dtype=bool)
    series = pd.Series(np.asarray(patients, dtype=object))
    is_known = series.notna().to_numpy(dtype=bool)
    keys = [
        ("patient", str(value), 0) if known else ("cell", "", row)
        for row, (value, known) in enumerate(zip(series, is_known, strict=True))
    ]
    names = sorted(set(keys))
    index = {key: group for group, key in enumerate(names)}
    return np.array([index[key] for key in keys]), is_known


def _counts(groups: np.ndarray, targets: np.ndarray, n_groups: int) -> np.ndarray:
    """Cells of each group (rows) in each class that occurs (columns)."""
    classes, column = np.unique(targets, return_inverse=True)
    counts = np.zeros((n_groups, len(classes)))
    np.add.at(counts, (groups, column), 1)
    return counts


def _deal_cells(targets: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    fold = np.zeros(len(targets), dtype=np.int64)
    sizes = np.zeros(n_folds, dtype=np.int64)
    for target in np.unique(targets):
        cells = rng.permutation(np.flatnonzero(targets == target))
        emptiest_first = np.argsort(sizes, kind="stable")
        fold[cells] = emptiest_first[np.arange(len(cells)) % n_folds]
        sizes += np.bincount(fold[cells], minlength=n_folds)
    return fold


def _deal_groups(counts: np.ndarray, n_folds: int, rng: np.random.Generator) -> np.ndarray:
    """Fold of each group; `counts` has shape (groups, classes)."""
    share = counts / counts.sum(axis=0)
    shuffled = rng.permutation(len(counts))
    size_then_spread = (-counts[shuffled].sum(axis=1), -counts[shuffled].std(axis=1))
    order = shuffled[np.lexsort(size_then_spread)]  # the last key leads; ties stay shuffled
    held = np.zeros((n_folds, counts.shape[1]))
    sizes = np.zeros(n_folds)
    fold = np.zeros(len(counts), dtype=np.int64)
    for group in order:
        tried = held[None] + np.eye(n_folds)[:, :, None] * share[group]
        unevenness = tried.std(axis=1).mean(axis=1).round(12)  # equal up to rounding is a tie
        fold[group] = np.lexsort((sizes, unevenness))[0]
        held[fold[group]] += share[group]
        sizes[fold[group]] += counts[group].sum()
    return fold


def _class_names(targets: np.ndarray, codes: Sequence[str] | None) -> dict[int, str]:
    return {int(t): codes[int(t)] if codes is not None else str(t) for t in np.unique(targets)}


def _table(
    fold: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray | None,
    n_folds: int,
    labels: dict[int, str],
) -> pd.DataFrame:
    rows = []
    for index in range(n_folds):
        for target, label in labels.items():
            cells = (fold == index) & (targets == target)
            n_patients = pd.NA if groups is None else len(np.unique(groups[cells]))
            rows.append((index, label, int(cells.sum()), n_patients))
    table = pd.DataFrame(rows, columns=["fold", "class", "cells", "patients"])
    return table.astype({"patients": "Int64"})


def _fallback_notes(is_known: np.ndarray) -> list[str]:
    if is_known.all():
        return []
    if not is_known.any():
        return [
            "patients are unknown: folds are stratified by cell, cells of one patient may be in "
            "several folds, and every out-of-fold score is image-level"
        ]
    known = some_of(int(is_known.sum()), len(is_known), "cell")
    return [
        f"the patient is known for {known}: the others are "
        "dealt one by one, and a patient may be in several folds"
    ]


def _copy_notes(copies: np.ndarray | None) -> list[str]:
    if copies is None:
        return []
    counts = np.unique(np.asarray(copies), return_counts=True)[1]
    several = counts[counts > 1]
    if not len(several):
        return []
    return [
        f"{len(several):,} photograph{'s have' if len(several) > 1 else ' has'} copies: the "
        f"{several.sum():,} cells are kept together, each photograph's in one fold"
    ]


def _class_notes(table: pd.DataFrame, n_folds: int, labels: Sequence[str]) -> list[str]:
    notes = []
    for label in labels:
        rows = table[table["class"] == label]
        cells, patients = np.array(rows["cells"]), np.array(rows["patients"], dtype=object)
        n_filled = int((cells > 0).sum())
        if n_filled == n_folds:
            continue
        held = counted(int(cells.sum()), "cell")
        if not pd.isna(patients).any():
            held += f" of {counted(int(patients.sum()), 'patient')}"
        note = f"{label}: {held} in {n_filled} of {n_folds} folds"
        if n_filled == 1:
            note += "; the model of that fold trains on none, so its out-of-fold recall is 0"
        notes.append(note)
    return notes
