"""A few labelled cells of a site, checked before anything is learned from them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.audit.pairs import photographs
from buffycoat.audit.scan import scan
from buffycoat.cells import Manifest, manifest_error
from buffycoat.errors import NotEstimableError, TaxonomyError
from buffycoat.plurals import counted
from buffycoat.splits import assign_folds, merge_groups
from buffycoat.tables.labels import join, read_labels
from buffycoat.taxonomy import Taxonomy
from buffycoat.taxonomy.classes import GROUPS

FEWEST = 5
"""Labelled cells of a type from which anything is learned of it: of fewer, a cross-fit has none to
learn from or none to try it on."""
LEAST_TYPES = 2
BETTER = 10
"""Cells of each type that are better."""
FOLDS = 3
"""Parts of the cross-fit: each is scored by what the others taught."""


@dataclass(frozen=True)
class SiteLabels:
    """Labelled cells of a site.

    Attributes:
        manifest: The m labelled cells.
        labels: Code of a class or group for each.
        taxonomy: The bundle's.
    """

    manifest: Manifest
    labels: tuple[str, ...]
    taxonomy: Taxonomy

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def ids(self) -> list[str]:
        """Of the cells."""
        return self.manifest.column("cell_id").tolist()

    @property
    def counts(self) -> dict[str, int]:
        """Code -> labelled cells, in the order of the taxonomy."""
        counts = Counter(self.labels)
        return {code: counts[code] for code in self.taxonomy.members if code in counts}

    @property
    def types(self) -> np.ndarray:
        """Place of each cell's label in `counts`, shape (m,), int64."""
        place = {code: number for number, code in enumerate(self.counts)}
        return np.array([place[label] for label in self.labels], dtype=np.int64)

    @property
    def allowed(self) -> np.ndarray:
        """The classes that each label leaves open, shape (m, k), bool."""
        return self.taxonomy.allowed(self.labels)

    @property
    def of_types(self) -> np.ndarray:
        """The classes of each label in `counts`, shape (t, k), bool."""
        return self.taxonomy.allowed(list(self.counts))

    def words(self) -> str:
        """How many cells of what, in a sentence."""
        listed = ", ".join(f"{code} {n}" for code, n in self.counts.items())
        return f"Labelled cells: {listed}."

    def few_words(self) -> str:
        """The types with few cells, in a sentence with a space after it; "" where there is none."""
        listed = ", ".join(f"{code} {n}" for code, n in self.counts.items() if n < BETTER)
        return f"Few labelled cells: {listed}; {BETTER} to 50 a type are better. " if listed else ""

    def subset(self, rows: np.ndarray) -> SiteLabels:
        """Those at a boolean mask, shape (m,)."""
        labels = tuple(np.array(self.labels, dtype=object)[rows])
        return SiteLabels(self.manifest.subset(rows), labels, self.taxonomy)

    def check(self) -> None:
        """Refuse too few.

        Raises:
            NotEstimableError: Fewer than `FEWEST` cells of all but one type.
        """
        counts = self.counts
        if sum(n >= FEWEST for n in counts.values()) >= LEAST_TYPES:
            return
        listed = ", ".join(f"{code} {n}" for code, n in counts.items()) or "none"
        raise NotEstimableError(
            f"labelled cells: {listed}. Labels teach from {FEWEST} cells a type in at least "
            f"{LEAST_TYPES} types; better {BETTER} to 50 of every type that the site sees. Label "
            "more, or adapt without --labels"
        )

    def folds(self, seed: int = 0) -> np.ndarray:
        """Part of the cross-fit that scores each cell, shape (m,); patients and copies stay whole.

        Raises:
            NotEstimableError: The cells are of fewer photographs or patients than parts.
        """
        found = photographs(scan(self.manifest))
        patients = self.manifest.column("patient_id")
        # a cell whose patient is not known counts for one of its own
        named = [f"cell {n}" if pd.isna(one) else f"of {one}" for n, one in enumerate(patients)]
        whole = merge_groups(found, np.array(named, dtype=str))
        n = len(np.unique(whole))
        if n < FOLDS:
            raise NotEstimableError(
                f"The labelled cells ({len(self)}) show "
                f"{counted(n, 'photograph or patient', 'photographs or patients')}; at least "
                f"{FOLDS} are needed to try what was learned on cells that it was not learned "
                "from. Label others"
            )
        known = None if pd.isna(patients).all() else patients
        return assign_folds(self.types, known, FOLDS, seed, copies=found).fold


def read(path: Path, manifest: Manifest, taxonomy: Taxonomy) -> SiteLabels:
    """Read a table of labels of some of a site's cells.

    Args:
        path: With an ID and a label a row.
        manifest: All cells of the site.
        taxonomy: Of the bundle.

    Raises:
        ManifestError: A cell that is none of the site's; every such one is listed.
        TaxonomyError: A label that is no class and no group of the bundle.
        NotEstimableError: See `of`.
    """
    known = manifest.column("cell_id").tolist()
    given = read_labels(path, known=known)
    joined, faults = join(path, given, known, "the cells of the site", "is no cell of the site")
    if faults:
        raise manifest_error(str(path), faults)
    return of(joined, manifest, taxonomy)


def of(given: Mapping[str, str], manifest: Manifest, taxonomy: Taxonomy) -> SiteLabels:
    """Labels of some of a site's cells.

    Args:
        given: Cell's id -> label.
        manifest: All cells of the site.
        taxonomy: Of the bundle.

    Raises:
        TaxonomyError: A label that is no class and no group of the bundle.
        NotEstimableError: Fewer than `FEWEST` cells of all but one type.
    """
    taxonomy = with_known_groups(taxonomy)
    codes = {label: taxonomy.spelling.find(label) or label for label in set(given.values())}
    unknown = taxonomy.lacks(codes.values())
    if unknown:
        raise _unknown(given, codes, unknown, taxonomy)
    rows = np.flatnonzero(manifest.frame["cell_id"].isin(list(given)).to_numpy())
    chosen = manifest.subset(rows)
    labels = tuple(codes[given[cell]] for cell in chosen.column("cell_id"))
    found = SiteLabels(chosen, labels, taxonomy)
    found.check()
    return found


def _unknown(
    given: Mapping[str, str],
    codes: Mapping[str, str],
    unknown: Sequence[str],
    taxonomy: Taxonomy,
) -> TaxonomyError:
    listed = []
    for code in unknown:
        cells = [cell for cell, label in given.items() if codes[label] == code]
        more = f" and {len(cells) - 1} more" if len(cells) > 1 else ""
        listed.append(f"{code!r}, of {cells[0]}{more}")
    groups = ", ".join(group.code for group in taxonomy.groups)
    return TaxonomyError(
        f"labels that are no class of the bundle: {'; '.join(listed)}. It has "
        f"{', '.join(taxonomy.codes)}, and the groups {groups}. A few labels teach no new class: "
        "correct these rows or take them out of the table; for a new class, `train` with its cells"
    )


def with_known_groups(taxonomy: Taxonomy) -> Taxonomy:
    """A bundle's taxonomy with the usual groups of its classes, which older bundles do not list."""
    usual = [
        group
        for group in GROUPS
        if {*group.members} <= {*taxonomy.codes} and group.code not in taxonomy.members
    ]
    return replace(taxonomy, groups=(*taxonomy.groups, *usual))
