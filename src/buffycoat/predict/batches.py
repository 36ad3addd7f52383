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
from buffycoat.predict.stages import batches

BATCHES_AHEAD = 2
"""Decoded while an earlier one is predicted: 19 MB each at 224 px."""


@dataclass(frozen=True)
class Batch:
    """Predictions of some cells.

    Attributes:
        predictions: Of the readable ones, in order.
        image_sha256: Of each prediction's image file.
        bad: The others, and why.
        n_done: Cells of the manifest up to the end of this batch.
    """

    predictions: list[Prediction]
    image_sha256: list[str]
    bad: tuple[BadCell, ...]
    n_done: int


def predict_batches(
    manifest: Manifest,
    fitted: Fitted,
    prior: str | None = None,
    needs: Needs = EVERYTHING,
    spans: Iterable[slice] | None = None,
) -> Iterator[Batch]:
    """Predict cells, a batch in memory at a time.

    Args:
        manifest: The cells.
        fitted: What the bundle holds.
        prior: As in `bracket.run_stages`.
        needs: The same.
        spans: Rows of each batch; by default all, `stages.CELLS_AT_ONCE` at a time.

    Yields:
        Batches in the order of the spans; what is said of a cell does not depend on its batch.
    """
    spans = batches(len(manifest)) if spans is None else spans
    parts = ((span.stop, manifest.subset(np.arange(span.start, span.stop))) for span in spans)
    loaded = ((stop, part, load_work(part, fitted.config.images)) for stop, part in parts)
    for stop, part, work in prefetch(loaded, BATCHES_AHEAD):
        yield _predict(part, work, fitted, prior, needs, stop)


def _predict(
    part: Manifest, work: WorkImages, fitted: Fitted, prior: str | None, needs: Needs, n_done: int
) -> Batch:
    ids = part.frame["cell_id"].to_numpy()[work.is_good].tolist()
    digests = [digest for digest, good in zip(work.digests, work.is_good, strict=True) if good]
    if not ids:
        return Batch([], [], work.bad, n_done)
    images = as_seen(work.images, fitted)
    return Batch(predict_cells(images, ids, fitted, prior, needs), digests, work.bad, n_done)
