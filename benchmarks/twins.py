"""Degraded cells beside their clean twins, for benchmarks of restoration: evaluation only.

Evaluation cells have clean twins in `phase2/eval_pristine/`, which no command of the package
reads: nothing may be trained, tuned or chosen on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buffycoat.cells import Manifest
from buffycoat.config import Config
from buffycoat.errors import ManifestError
from buffycoat.learn.prepare import load_cells
from buffycoat.progress import Silent
from buffycoat.simulate.degrade import KINDS, MAX_SEVERITY, degrade
from buffycoat.sources.read import read

EVAL_TWINS = Path("phase2") / "eval_pristine"
GROUPS_OF_SEVERITY = {
    **{str(severity): (severity,) for severity in range(MAX_SEVERITY + 1)},
    "0-1": (0, 1),
    "2-4": (2, 3, 4),
    "all": tuple(range(MAX_SEVERITY + 1)),
}
"""Name of a column of the tables -> the severities in it."""


@dataclass(frozen=True)
class Twins:
    """Degraded images and the clean images of the same cells.

    Attributes:
        name: Of the set, e.g. "eval".
        degraded: Shape (n, w, w, 3), uint8.
        clean: Same shape.
        severity: 0-4, shape (n,), int64.
        cell: Which cell it is, shape (n,), int64; several rows may show one cell.
        kind: Kind of degradation, shape (n,), str; "" where it is not known.
    """

    name: str
    degraded: np.ndarray
    clean: np.ndarray
    severity: np.ndarray
    cell: np.ndarray
    kind: np.ndarray

    @property
    def key(self) -> str:
        """Fingerprint of the images."""
        return of_images(self.degraded) + of_images(self.clean)

    def __len__(self) -> int:
        return len(self.severity)

    def by_severity(self) -> Iterator[tuple[str, np.ndarray]]:
        """Name and rows (n,), bool, of each group of severities that has cells."""
        for name, severities in GROUPS_OF_SEVERITY.items():
            rows = np.isin(self.severity, severities)
            if rows.any():
                yield name, rows


def of_images(images: np.ndarray) -> str:
    """Fingerprint of an array's bytes."""
    return hashlib.sha256(np.ascontiguousarray(images).data).hexdigest()[:16]


def spread(n: int, limit: int | None) -> np.ndarray:
    """At most `limit` of n positions, evenly spread, int64; all of them without a limit."""
    if limit is None or limit >= n:
        return np.arange(n)
    return np.linspace(0, n - 1, limit).round().astype(np.int64)


def load_eval(
    data: Path, config: Config, cache: Path | None, limit: int | None = None
) -> tuple[Manifest, Twins]:
    """Evaluation cells as they are, and their clean twins, as working images.

    Args:
        data: A data set in WBCBench's Kaggle layout, with `phase2/eval_pristine/`.
        config: Gives size and frame of the working images.
        cache: Folder for decoded images; None keeps them in memory.
        limit: Take that many cells, evenly spread over the split.

    Raises:
        ManifestError: No twins, or cells of unknown severity.
    """
    cells = read(data).of_split("eval")
    cells = cells.subset(spread(len(cells), limit))
    if not (data / EVAL_TWINS).is_dir():
        raise ManifestError(f"{data / EVAL_TWINS}: no such folder; eval has no clean twins here")
    if cells.frame["severity"].isna().to_numpy().any():
        raise ManifestError(f"{data}: some evaluation cells have no severity")
    twins = cells.frame.assign(path=[str(data / EVAL_TWINS / i) for i in cells.frame["cell_id"]])
    degraded = load_cells(cells, config, cache, Silent(), 0)
    clean = load_cells(Manifest.from_frame(twins, "eval_pristine"), config, cache, Silent(), 0)
    n = len(cells)
    severity = cells.frame["severity"].to_numpy(dtype=np.int64)
    rows, kinds = np.arange(n), np.full(n, "")
    return cells, Twins("eval", degraded.images, clean.images, severity, rows, kinds)


def load_pristine(
    data: Path, config: Config, cache: Path | None, limit: int | None = None
) -> np.ndarray:
    """Working images (n, w, w, 3) of the training cells that are known to be clean."""
    cells = read(data).of_split("train")
    cells = cells.subset(cells.frame["severity"].eq(0).fillna(False).to_numpy(dtype=bool))
    cells = cells.subset(spread(len(cells), limit))
    return load_cells(cells, config, cache, Silent(), 0).images


def as_they_are(clean: np.ndarray) -> Twins:
    """Clean cells as severity 0: what must not change."""
    n = len(clean)
    severity = np.zeros(n, dtype=np.int64)
    return Twins("clean", clean, clean, severity, np.arange(n), np.full(n, ""))


def degrade_again(clean: np.ndarray, seed: int) -> Twins:
    """Each clean cell degraded once by simulation, at a severity of 1-4 that the seed draws.

    Args:
        clean: Shape (n, w, w, 3), uint8.
        seed: The only source of randomness.
    """
    degraded = np.empty(clean.shape, dtype=np.uint8)
    severity = np.empty(len(clean), dtype=np.int64)
    for row, image in enumerate(clean):
        rng = np.random.default_rng((seed, row))
        severity[row] = rng.integers(1, MAX_SEVERITY + 1)
        degraded[row] = degrade(np.ascontiguousarray(image), int(severity[row]), rng)
    rows, kinds = np.arange(len(clean)), np.full(len(clean), "")
    return Twins(f"seed{seed}", degraded, clean, severity, rows, kinds)


def degrade_by_kind(clean: np.ndarray, name: str, per_kind: int, seed: int) -> Twins:
    """Clean cells degraded by one kind each, severities 1-4 in equal numbers.

    Args:
        clean: Shape (n, w, w, 3), uint8.
        name: Of the set.
        per_kind: Images of each kind; no cell shows a kind twice, so at most n.
        seed: The only source of randomness.
    """
    per_kind = min(per_kind, len(clean))
    cells, severities, degraded = [], [], []
    for number, kind in enumerate(KINDS):
        rng = np.random.default_rng((seed, number))
        for turn, cell in enumerate(rng.permutation(len(clean))[:per_kind]):
            severity = 1 + turn % MAX_SEVERITY
            degraded.append(degrade(np.ascontiguousarray(clean[cell]), severity, rng, (kind,)))
            cells.append(cell)
            severities.append(severity)
    return Twins(
        name,
        np.stack(degraded),
        np.asarray(clean[cells]),
        np.array(severities),
        np.array(cells),
        np.repeat(KINDS, per_kind),
    )
