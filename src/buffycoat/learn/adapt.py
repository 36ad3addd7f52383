"""A bundle adapted to the cells of another laboratory, without labels.

In this order: the frame, so that cells have the training's size; colour, so that they have its
white and stain strength; then the classifier's batch-norm statistics, estimated anew on what comes
of that. Each is left out where the site does not differ in it, and the record says so.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.errors import BadCellsError, BundleError
from buffycoat.images import load_work
from buffycoat.learn import site_checks
from buffycoat.learn.batch_norm import SHARE, reestimate
from buffycoat.learn.fit_home import sizes
from buffycoat.predict.background import as_seen
from buffycoat.predict.site_look import Seen, look
from buffycoat.progress import Reporter, Silent
from buffycoat.sites.colour import measure
from buffycoat.sites.reference import AdaptedSite, SiteReference
from buffycoat.sites.scale import Magnification, compare
from buffycoat.sites.shift import Shift
from buffycoat.sites.standardise import ColourReference

WIDEST_FRAME = 1.0
"""Share of a photograph's shorter side that can be taken at most: beyond it there are no pixels."""


@dataclass(frozen=True)
class Adapted:
    """An adapted bundle.

    Attributes:
        fitted: What it holds.
        sentences: What was changed and why, what was not, and what it did to these cells.
    """

    fitted: Fitted
    sentences: tuple[str, ...]


def adapt(
    bundle: str | Path,
    manifest: Manifest,
    out: Path,
    name: str = "",
    reporter: Reporter | None = None,
    allow_bad: int = 0,
) -> Adapted:
    """Adapt a bundle to a site's cells and write it as a new one; the old one is not touched.

    Args:
        bundle: Folder, or "starter".
        manifest: The site's cells; labels are not looked at.
        out: Folder of the new bundle.
        name: Of the site.
        reporter: Progress.
        allow_bad: Unreadable cells that are tolerated.

    Raises:
        BundleError: The bundle was adapted before, does not know its own training cells' looks, or
            is the folder that shall be written.
        NotEstimableError: The cells are too few, of one class, gray or drawn.
        BadCellsError: More cells than allowed cannot be read.
    """
    reporter, start = reporter or Silent(), time.monotonic()
    folder = files.locate(bundle)
    if out.resolve() == folder.resolve():
        raise BundleError(f"{out}: is the bundle itself. Choose another folder for the new one")
    fitted = files.read(bundle)
    home = _home(fitted, str(bundle))
    reporter.start("adapt", f"{len(manifest)} cells")
    site_checks.enough(len(manifest))
    made, sentences = _adapt(fitted, home, manifest, name, allow_bad)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    cost = {"seconds": round(time.monotonic() - start, 1), "peak_mb": round(peak_mb)}
    assert made.site is not None
    record = {"from": files.checksum(bundle), **made.site.record, **cost}
    made = replace(made, site=replace(made.site, record=record))
    metrics, card = files.side_files(folder)
    files.write(out, made, metrics, f"{card.rstrip()}\n\n{_section(made, sentences)}",
                files.is_half(folder))  # fmt: skip
    reporter.finish(f"{cost['seconds']} s, peak {cost['peak_mb']} MB")
    return Adapted(made, sentences)


def _home(fitted: Fitted, bundle: str) -> SiteReference:
    if fitted.site is not None:
        raise BundleError(
            f"{bundle}: was adapted already, to {fitted.site.name or 'a site'!r}. Adapting twice "
            "would mix two sites: adapt the bundle that it was made from "
            f"(checksum {fitted.site.record.get('from', '?')[:16]})"
        )
    if fitted.home is None:
        raise BundleError(
            f"{bundle}: does not know what its training cells look like, so nothing can be "
            "compared with them. Train it again with this version"
        )
    return fitted.home


def _adapt(
    fitted: Fitted,
    home: SiteReference,
    manifest: Manifest,
    name: str,
    allow_bad: int,
) -> tuple[Fitted, tuple[str, ...]]:
    config = fitted.config
    before = look(_load(manifest, fitted, allow_bad), fitted)
    site_checks.photographs(before.images)
    site_checks.classes(before.log_probs.argmax(axis=1), fitted.taxonomy.codes)
    if not before.shift.is_alarm:
        colour = ColourReference.of(measure(before.images))
        record = _record(before, before, Magnification(1.0, "not compared"), 0.0, len(manifest))
        same = replace(fitted, site=AdaptedSite(name, colour, False, record))
        return same, (_like_home(before.shift),)
    magnification = compare(sizes(manifest, config.images, config.segment), home.sizes)
    made = _reframed(fitted, magnification.factor)
    images = _load(manifest, made, allow_bad) if magnification.factor != 1 else before.images
    colour = ColourReference.of(measure(images))
    made = replace(made, site=AdaptedSite(name, colour, True, {}))
    seen = as_seen(images, made)
    made = replace(made, models=tuple(reestimate(model, seen) for model in made.models))
    after = look(images, made)
    site_checks.classes(after.log_probs.argmax(axis=1), fitted.taxonomy.codes)
    record = _record(before, after, magnification, SHARE, len(manifest))
    made = replace(made, site=AdaptedSite(name, colour, True, record))
    return made, _sentences(before, after, magnification, made)


def _load(manifest: Manifest, fitted: Fitted, allow_bad: int) -> np.ndarray:
    work = load_work(manifest, fitted.config.images)
    if len(work.bad) > allow_bad:
        lines = "\n  ".join(f"{cell.path}: {cell.reason}" for cell in work.bad[:10])
        raise BadCellsError(
            f"{len(work.bad)} of {len(manifest)} cells cannot be read:\n  {lines}",
            [(cell.cell_id, cell.path, cell.reason) for cell in work.bad],
        )
    site_checks.enough(len(work.images))
    return work.images


def _reframed(fitted: Fitted, factor: float) -> Fitted:
    images = fitted.config.images
    fraction = min(images.frame_fraction * factor, WIDEST_FRAME)
    framed = images.model_copy(update={"frame_fraction": round(fraction, 4)})
    return replace(fitted, config=fitted.config.model_copy(update={"images": framed}))


def _record(
    before: Seen, after: Seen, magnification: Magnification, share: float, n: int
) -> dict[str, Any]:
    same = before.log_probs.argmax(axis=1) == after.log_probs.argmax(axis=1)
    return {
        "cells": n,
        "scale": {"factor": magnification.factor, "reason": magnification.reason},
        "batch_norm_share": share,
        "shift_before": {k: round(v, 3) for k, v in before.shift.distances.items()},
        "shift_after": {k: round(v, 3) for k, v in after.shift.distances.items()},
        "labels_kept": float(same.mean()),
    }


def _like_home(shift: Shift) -> str:
    found = ", ".join(f"{name} {value:.1f}" for name, value in shift.distances.items())
    return (
        f"These cells look like the training cells ({found} SD, all under their limits): nothing "
        "was changed"
    )


def _sentences(
    before: Seen, after: Seen, magnification: Magnification, made: Fitted
) -> tuple[str, ...]:
    top = [np.exp(seen.log_probs.max(axis=1)).mean() for seen in (before, after)]
    changed = (before.log_probs.argmax(axis=1) != after.log_probs.argmax(axis=1)).mean()
    fraction = made.config.images.frame_fraction
    left = after.shift.words()
    return (
        f"Before: {before.shift.words()}.",
        f"Frame: {magnification.reason}; the central {100 * fraction:.0f} % of each photograph "
        "is taken.",
        "Colour: each photograph is brought to the training's white and stain strength.",
        f"Batch norm: {100 * SHARE:.0f} % of each statistic is from these cells.",
        f"After: {left or 'nothing differs beyond its limit'}. {100 * changed:.0f} % of the labels "
        f"changed, mean top probability {top[0]:.2f} before and {top[1]:.2f} after.",
        "Without labels nobody can say whether labels are better now: check some by hand. "
        "Probabilities and prediction sets were calibrated at the training's laboratory.",
    )


def _section(made: Fitted, sentences: Sequence[str]) -> str:
    assert made.site is not None
    listed = "\n".join(f"- {sentence}" for sentence in sentences)
    return (
        f"## Adapted to {made.site.name or 'a site'}\n\nWithout labels, on "
        f"{made.site.record['cells']} cells, from the bundle with checksum "
        f"{made.site.record['from'][:16]}. The figures above are of that bundle, on its own "
        f"laboratory's cells.\n\n{listed}\n"
    )
