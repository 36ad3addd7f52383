"""Labelled cells of another laboratory, and the draws of those that teach."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from buffycoat.audit.pairs import photographs
from buffycoat.audit.scan import scan
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.errors import NotEstimableError
from buffycoat.images import load_work
from buffycoat.learn import adapt, site_labels
from buffycoat.learn.experiments.site_scores import SiteTypes
from buffycoat.taxonomy import Taxonomy


@dataclass(frozen=True)
class Site:
    """Labelled cells of one laboratory.

    Attributes:
        name: Of the site.
        manifest: n readable cells.
        labels: Code of a class or group for each.
        fitted: The bundle as it is.
    """

    name: str
    manifest: Manifest
    labels: tuple[str, ...]
    fitted: Fitted

    @cached_property
    def types(self) -> SiteTypes:
        """What the labels tell apart."""
        return SiteTypes.of(self.labels, self._taxonomy)

    @cached_property
    def targets(self) -> np.ndarray:
        """Place of each cell's type, shape (n,)."""
        return self.types.of_labels(self.labels, self._taxonomy)

    @cached_property
    def photographs(self) -> np.ndarray:
        """A number for each photograph, which copies share, shape (n,)."""
        return photographs(scan(self.manifest))

    @cached_property
    def adapted(self) -> Fitted:
        """After all steps without labels."""
        home = adapt.home_of(self.fitted, self.name)
        return adapt.without_labels(self.fitted, home, self.manifest, self.name, 0)[0]

    @property
    def _taxonomy(self) -> Taxonomy:
        return site_labels.with_known_groups(self.fitted.taxonomy)

    def draw(self, n: int, seed: int) -> np.ndarray | None:
        """Cells whose labels are used, as rows: n photographs of each type, or half of its own.

        Args:
            n: Labels a type.
            seed: Of the draw.

        Returns:
            None where fewer than two types have 2 n photographs, so that as many are left.
        """
        rng = np.random.default_rng((seed, n))
        rows, full = [], 0
        for place in range(len(self.types.codes)):
            own = np.unique(self.photographs[self.targets == place])
            full += len(own) >= 2 * n
            for photograph in rng.permutation(own)[: min(n, len(own) // 2)]:
                is_one = (self.photographs == photograph) & (self.targets == place)
                rows.append(int(np.flatnonzero(is_one)[0]))
        return np.array(sorted(rows)) if full >= site_labels.LEAST_TYPES else None


def read_site(name: str, manifest: Manifest, fitted: Fitted) -> Site:
    """The labelled and readable cells of a site.

    Args:
        name: Of the site.
        manifest: Its cells.
        fitted: The bundle.

    Raises:
        NotEstimableError: No cell is labelled.
        TaxonomyError: A label that is no class and no group of the bundle.
    """
    cells = manifest.subset(manifest.is_labelled)
    cells = cells.subset(load_work(cells, fitted.config.images).is_good)
    if not len(cells):
        raise NotEstimableError(f"site {name!r} has no labelled cells that can be read")
    taxonomy = site_labels.with_known_groups(fitted.taxonomy)
    labels = [taxonomy.spelling.find(str(label)) or str(label) for label in cells.column("label")]
    unknown = taxonomy.lacks(labels)
    if unknown:
        raise taxonomy.unknown(unknown)
    return Site(name, cells, tuple(labels), fitted)
