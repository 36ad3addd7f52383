"""Cells of a manifest, decoded a batch ahead of the one that is being predicted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from buffycoat.backbones.prefetch import prefetch
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest, Prediction
from buffycoat.images import BadCell, WorkImages, load_work
from buffycoat.predict.background import as_seen
from buffycoat.predict.bracket import predict_cells
from buffycoat.predict.needs import EVERYTHING, Needs
from buffycoat.predict.site_look import SiteLooks

BATCHES_AHEAD = 2
"""Decoded while an earlier one is predicted: 19 MB each at 224 px."""


@dataclass(frozen=True)
class Batch:
    """Predictions of some cells.

    Attributes:
        cells: All of them.
        predictions: Of the readable ones, in order.
        image_sha256: Of each prediction's image file.
        bad: The others, and why.
    """

    cells: Manifest
    predictions: list[Prediction]
    image_sha256: list[str]
    bad: tuple[BadCell, ...]

    def __len__(self) -> int:
        return len(self.cells)


def in_batches(cells: Manifest, size: int) -> Iterator[Manifest]:
    """Cells, at most `size` at a time."""
    for start in range(0, len(cells), size):
        yield cells.subset(np.arange(start, min(start + size, len(cells))))


def predict_batches(
    cells: Iterable[Manifest],
    fitted: Fitted,
    looks: SiteLooks,
    prior: str | None = None,
    needs: Needs = EVERYTHING,
) -> Iterator[Batch]:
    """Predict cells, a batch in memory at a time.

    Args:
        cells: Those of each batch; taken as they are needed, in another thread.
        fitted: What the bundle holds.
        looks: How the cells' sites compare with the training cells.
        prior: As in `bracket.run_stages`.
        needs: The same.

    Yields:
        Batches in that order; what is said of a cell does not depend on its batch, but on `looks`.
    """
    loaded = ((batch, load_work(batch, fitted.config.images)) for batch in cells)
    for batch, work in prefetch(loaded, BATCHES_AHEAD):
        yield _predict(batch, work, fitted, looks, prior, needs)


def _predict(
    cells: Manifest,
    work: WorkImages,
    fitted: Fitted,
    looks: SiteLooks,
    prior: str | None,
    needs: Needs,
) -> Batch:
    ids = cells.frame["cell_id"].to_numpy()[work.is_good].tolist()
    digests = [digest for digest, good in zip(work.digests, work.is_good, strict=True) if good]
    if not ids:
        return Batch(cells, [], [], work.bad)
    images = as_seen(work.images, fitted)
    shifts = looks.of(cells.subset(work.is_good))
    found = predict_cells(images, ids, fitted, prior, needs, shifts)
    return Batch(cells, found, digests, work.bad)
