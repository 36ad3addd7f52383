"""What every stage is fitted on: cells and labels, folds, degraded twins."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from buffycoat.cells import Manifest
from buffycoat.classify.training_cells import TrainingCells
from buffycoat.config import Config
from buffycoat.errors import ManifestError
from buffycoat.learn.copies import find_photographs
from buffycoat.learn.prepare import Cells
from buffycoat.learn.stage_store import StageStore, digest
from buffycoat.plurals import counted
from buffycoat.progress import Reporter
from buffycoat.simulate.degrade import degrade
from buffycoat.splits import Folds, assign_folds, hold_out_sites
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.grain import expected_counts

MIN_CLASSES = 2
"""Classes that a classifier has something to tell apart with."""


@dataclass(frozen=True)
class TrainingSet:
    """What every stage is fitted on.

    Each cell counts twice where scores are compared: as it is, and once more degraded at severity
    1-4, since that is how "wins out of fold" is defined.

    Cells whose label is coarser than a class teach the classifier alone (`learned`); all else is
    fitted and scored on cells whose class is known (`cells`).

    Attributes:
        cells: The n cells of the training split whose class is known.
        taxonomy: Gives k classes.
        targets: Class of each cell, shape (n,).
        folds: Fold of each cell, and how the folds were made.
        learned: What classifiers learn from: `cells`, then m whose label is a group.
        labels: Of each of those, shape (n + m,): its class, or k + its place in `coarse`.
        learned_folds: Fold of each of those, and what stays whole among them.
        photographs: Shape (n,), int64: copies of one photograph have one number.
        coarse: Labels of the m cells, g of them: code -> columns of the classes that it allows.
        degraded: A degraded twin of each cell, shape (n, w, w, 3), uint8.
        degraded_severity: Its severity, 1-4, shape (n,).
        key: Fingerprint of all of that.
    """

    cells: Cells
    taxonomy: Taxonomy
    targets: np.ndarray
    folds: Folds
    learned: Cells
    labels: np.ndarray
    learned_folds: Folds
    photographs: np.ndarray
    coarse: Mapping[str, tuple[int, ...]]
    degraded: np.ndarray
    degraded_severity: np.ndarray
    key: str

    @property
    def counts(self) -> np.ndarray:
        """Cells labelled with each class, shape (k,)."""
        return np.bincount(self.targets, minlength=len(self.taxonomy))

    @property
    def coarse_counts(self) -> dict[str, int]:
        """Group -> cells labelled with it."""
        k = len(self.taxonomy)
        return {code: int((self.labels == k + row).sum()) for row, code in enumerate(self.coarse)}

    @property
    def expected_counts(self) -> np.ndarray:
        """Cells of each class, those of a group shared among its classes, shape (k,), float64."""
        stated = dict(zip(self.taxonomy.codes, self.counts.tolist(), strict=True))
        return expected_counts(self.taxonomy, stated | self.coarse_counts)

    @property
    def notes(self) -> tuple[str, ...]:
        """How labels coarser than a class were used, in a sentence; none where there are none."""
        if not self.coarse:
            return ()
        counts, codes = self.coarse_counts, self.taxonomy.codes
        stated = "; ".join(
            f"{counts[code]} cells are labelled {code} ({' or '.join(codes[c] for c in columns)})"
            for code, columns in self.coarse.items()
        )
        known = f"the {len(self.targets)} cells whose class is known"
        return (f"{stated}: the classifier learns that from them, all else is fitted on {known}",)

    def seen_by(
        self,
        images: np.ndarray,
        rows: np.ndarray,
        masks: np.ndarray | None = None,
        reported: np.ndarray | None = None,
    ) -> TrainingCells:
        """What a classifier that may see some cells learns from.

        Args:
            images: Working images of the cells of `learned`, as they are or restored.
            rows: Positions of the cells that it may see among those, shape (r,).
            masks: Of `cell_masks`, for the same images.
            reported: Positions of the cells that it will be scored on; None for none.
        """
        k = len(self.taxonomy)
        table = np.zeros((len(self.coarse), k), dtype=bool)
        for row, columns in enumerate(self.coarse.values()):
            table[row, list(columns)] = True
        cells = TrainingCells(
            images,
            rows,
            self.labels[rows],
            k,
            self.taxonomy.neighbours(),
            masks,
            self.learned_folds.groups[rows] if self.has_groups else None,
            groups=table if len(table) else None,
        )
        return (
            cells
            if reported is None
            else replace(
                cells,
                reported=TrainingCells(
                    images, reported, self.targets[reported], len(self.taxonomy)
                ),
            )
        )

    @property
    def has_groups(self) -> bool:
        """Whether patients are known, or any photograph has copies."""
        n_groups = len(np.unique(self.learned_folds.groups))
        return self.learned.manifest.has_patients or n_groups < len(self.labels)

    @property
    def groups(self) -> np.ndarray:
        """What counts as one observation among cells and twins, shape (2n,).

        The patient where patients are known, else the photograph: neither a twin nor a copy is a
        second cell.
        """
        return np.tile(self.folds.groups, 2)

    @property
    def known_pristine(self) -> np.ndarray:
        """Shape (n,), bool: cells that the data set itself calls pristine."""
        return (self.cells.manifest.frame["severity"] == 0).fillna(False).to_numpy(dtype=bool)


def folds_of(
    manifest: Manifest,
    taxonomy: Taxonomy,
    config: Config,
    photographs: np.ndarray | None = None,
) -> Folds:
    """Deal cells into folds, if a model can be trained outside each and scored inside it.

    Asked before a picture is read, and once more of those that could be read.

    Args:
        manifest: n labelled cells.
        taxonomy: Gives the classes.
        config: Its folds and seed.
        photographs: Shape (n,): copies of one photograph have one number, and one fold; None where
            they are not known yet.

    Raises:
        ConfigError: Fewer cells, or fewer patients, than folds.
        ManifestError: Fewer than `MIN_CLASSES` classes have cells in two folds: no class could be
            told from another by a model that has seen some of it, and asked about the rest.
    """
    targets, labels, coarse = _labels_of(manifest, taxonomy)
    counts = np.bincount(targets, minlength=len(taxonomy))
    if (counts > 0).sum() < MIN_CLASSES:
        raise ManifestError(
            f"the training split holds {counted(int((counts > 0).sum()), 'class', 'classes')}, "
            f"expected at least {MIN_CLASSES}. Add cells of another class, or mend the labels"
        )
    names = (*taxonomy.codes, *coarse)
    patients = manifest.column("patient_id")
    is_known = not all(pd.isna(patient) for patient in patients)
    if config.classify.hold_out == "site":
        sites = manifest.column("site")
        folds = hold_out_sites(labels, sites, names, photographs, len(taxonomy))
    else:
        folds = assign_folds(
            labels,
            patients if is_known else None,
            config.classify.folds,
            config.seed,
            names,
            photographs,
            len(taxonomy),
        )
    spread = [len(np.unique(folds.fold[labels == column])) for column in np.flatnonzero(counts)]
    if sum(n_folds > 1 for n_folds in spread) < MIN_CLASSES:
        held = zip(taxonomy.codes, counts, strict=True)
        listed = ", ".join(f"{code} {n}" for code, n in held if n)
        of_patients = " of different patients" if is_known else ""
        raise ManifestError(
            f"too few cells to train on: the training split holds {listed}. A model is scored on "
            f"cells that it has not seen: at least {MIN_CLASSES} classes need 2 cells{of_patients} "
            f"each. Add cells"
        )
    return folds


def build_training_set(
    cells: Cells,
    taxonomy: Taxonomy,
    config: Config,
    store: StageStore,
    reporter: Reporter | None = None,
) -> TrainingSet:
    """Targets, folds and degraded twins of the training cells.

    Args:
        cells: Of the training split; those whose label is coarser than a class come last, as
            `fine_first` has it.
        taxonomy: The classes.
        config: The settings.
        store: Keeps the twins, and which cells are copies.
        reporter: Progress of the search for copies.

    Raises:
        ManifestError: Too few cells to hold some out: see `folds_of`.
    """
    targets, labels, coarse = _labels_of(cells.manifest, taxonomy)
    n = len(targets)
    fine = cells.first(n)
    photographs = find_photographs(cells.manifest, cells.digests, store, reporter)
    folds = folds_of(cells.manifest, taxonomy, config, photographs)
    dealt = hashlib.sha256(labels.tobytes() + folds.fold.astype(np.int64).tobytes()).hexdigest()
    whole = hashlib.sha256(folds.groups.astype(np.int64).tobytes()).hexdigest()
    key = digest(cells.key, dealt, taxonomy.codes, {c: list(of) for c, of in coarse.items()}, whole)
    twins = store.run(
        "twins", {"cells": key, "seed": config.seed}, lambda _: _degrade_all(fine, config.seed)
    )
    return TrainingSet(
        fine,
        taxonomy,
        targets,
        replace(folds, fold=folds.fold[:n], groups=folds.groups[:n]),
        cells,
        labels,
        folds,
        photographs[:n],
        coarse,
        twins.arrays["images"],
        twins.arrays["severity"],
        key,
    )


def fine_first(manifest: Manifest, taxonomy: Taxonomy) -> Manifest:
    """The same cells; those whose label is coarser than a class come last."""
    is_fine = taxonomy.is_fine(manifest.frame["label"].tolist())
    return manifest.subset(np.argsort(~is_fine, kind="stable"))


def _labels_of(
    manifest: Manifest, taxonomy: Taxonomy
) -> tuple[np.ndarray, np.ndarray, dict[str, tuple[int, ...]]]:
    """Class of each cell that has one, label of every cell, and the groups among the labels.

    Args:
        manifest: Labelled cells; those whose label is a group come last, as `fine_first` has it.
        taxonomy: Gives k classes.

    Returns:
        Shape (n,); shape (n + m,), a group as k + its place; group -> its columns.
    """
    stated = manifest.frame["label"].tolist()
    n = int(taxonomy.is_fine(stated).sum())
    targets = taxonomy.encode(stated[:n])
    coarse = _coarse(stated[n:], targets, taxonomy)
    place = {code: len(taxonomy) + row for row, code in enumerate(coarse)}
    of_coarse = np.array([place[label] for label in stated[n:]], dtype=np.int64)
    return targets, np.concatenate([targets, of_coarse]), coarse


def _coarse(
    labels: Sequence[str], targets: np.ndarray, taxonomy: Taxonomy
) -> dict[str, tuple[int, ...]]:
    """The groups among some labels, each with those of its classes that have cells."""
    present = set(targets.tolist())
    members = taxonomy.members
    found = {
        code: tuple(column for column in members[code] if column in present)
        for code in sorted(set(labels))
    }
    for code, columns in found.items():
        if len(columns) < 2:
            names = ", ".join(taxonomy.codes[column] for column in members[code])
            raise ManifestError(
                f"label {code!r} is of one of {names}, and fewer than two of these have a readable "
                "cell of their own, so nothing tells them apart. Mend or add such cells, or leave "
                f"the group's out with --leave-out {code}"
            )
    return found


def _degrade_all(cells: Cells, seed: int) -> tuple[dict[str, np.ndarray], dict[str, object]]:
    images = np.empty_like(cells.images)
    severity = np.empty(len(images), dtype=np.int64)
    for row, image in enumerate(cells.images):
        rng = np.random.default_rng((seed, row))
        severity[row] = rng.integers(1, 5)
        images[row] = degrade(image, int(severity[row]), rng)
    return {"images": images, "severity": severity}, {}
