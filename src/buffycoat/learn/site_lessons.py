"""What the last stage of each model learns from at a site, computed once for all cross-fits."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.classify.views import D4
from buffycoat.images import load_work
from buffycoat.learn.fit_tail import Lesson
from buffycoat.learn.site_labels import SiteLabels
from buffycoat.learn.tail import Tail
from buffycoat.predict import cleaning, stages
from buffycoat.predict.background import as_seen
from buffycoat.predict.needs import needs_of
from buffycoat.progress import Reporter

OTHERS = 256
"""Cells without a label that are looked at beside those with one; bounds the time."""
SIDES = 2
"""Views of each of them."""


def other_cells(made: Fitted, labels: SiteLabels, manifest: Manifest) -> np.ndarray:
    """Working images of cells without a label, as the classifier sees them, at most `OTHERS`.

    Args:
        made: The bundle after the steps without labels.
        labels: Of the cells that are left out.
        manifest: All cells of the site.

    Returns:
        Shape (n, w, w, 3), uint8; n may be 0.
    """
    rows = np.flatnonzero(~manifest.frame["cell_id"].isin(labels.ids).to_numpy(dtype=bool))
    side = made.config.images.work_px
    if not len(rows):
        return np.zeros((0, side, side, 3), np.uint8)
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:OTHERS])
    images = as_seen(load_work(manifest.subset(rows), made.config.images).images, made)
    if made.use != "restored":
        return images
    return cleaning.clean(images, made.restoration, needs_of(["label"], made)).images


def lessons(
    made: Fitted, images: np.ndarray, labels: SiteLabels, others: np.ndarray, reporter: Reporter
) -> list[Lesson]:
    """What the last stage of each model learns from.

    Args:
        made: The bundle after the steps without labels.
        images: Of the labelled cells, as the classifier sees them, shape (m, w, w, 3), uint8.
        labels: Of these cells.
        others: The same of other cells, shape (n, w, w, 3).
        reporter: Progress.
    """
    rng = np.random.default_rng(0)
    all_sides = np.tile(np.arange(len(D4)), (len(images), 1))
    some_sides = rng.integers(len(D4), size=(len(others), SIDES))
    n, total = len(images) + len(others), (len(images) + len(others)) * len(made.models)
    maps, scores = [], []
    for number, (model, temperature) in enumerate(zip(made.models, made.temperatures, strict=True)):
        tail, done = Tail(model), number * n
        own = tail.maps(images, all_sides, lambda i, done=done: reporter.advance(done + i, total))
        done += len(images)
        seen = tail.maps(others, some_sides, lambda i, done=done: reporter.advance(done + i, total))
        maps.append((own, seen))
        if len(others):
            scores.append(stages.of_views([tail.logits(seen)], temperature))
    probs = np.zeros((0, len(made.taxonomy)))
    if scores:
        probs = np.exp(stages.together(scores, made.config.fuse.average).log_probs)
    return [Lesson(own, labels.allowed, seen, probs) for own, seen in maps]


def said(tail: Tail, maps: Tensor) -> np.ndarray:
    """Logits of the views that a prediction looks at, shape (m, v, k), of maps (m, 8, ...)."""
    return tail.logits(maps[:, tail.views])
