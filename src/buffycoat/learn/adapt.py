"""A bundle adapted to the cells of another laboratory, without labels or with a few.

In this order: the frame, so that cells have the training's size; colour, so that they have its
white and stain strength; then the classifier's batch-norm statistics, estimated anew on what comes
of that. Each is left out where the site does not differ in it, and the record says so. What labels
teach comes last (`teach`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from buffycoat.backbones.memory import peak_mb
from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.errors import BadCellsError, BundleError, NotEstimableError, OutputError
from buffycoat.images import load_work, only_writer
from buffycoat.learn import site_checks, site_labels
from buffycoat.learn.batch_norm import SHARE
from buffycoat.learn.site_labels import SiteLabels
from buffycoat.learn.site_steps import coloured, framed, normed
from buffycoat.learn.site_trial import NoGainError
from buffycoat.learn.teach import teach
from buffycoat.plurals import counted
from buffycoat.predict.site_look import Seen, look
from buffycoat.progress import Reporter, Silent
from buffycoat.sites.colour import measure
from buffycoat.sites.reference import AdaptedSite, SiteReference
from buffycoat.sites.scale import Magnification
from buffycoat.sites.shift import Shift
from buffycoat.sites.standardise import ColourReference

UNCHECKED = (
    "Without labels nobody can say whether predictions are better now: check some by hand, or "
    "label 10 to 50 cells of each type and give them with --labels. Probabilities and prediction "
    "sets are not calibrated on cells of this site."
)


COLOUR, BATCH_NORM = "Colour", "Batch norm"
STEPS: Mapping[str, Callable[[Fitted, np.ndarray], Fitted]] = {
    COLOUR: lambda made, images: coloured(made, images, made.site.name if made.site else ""),
    BATCH_NORM: normed,
}
"""Tried in this order; each is kept if the classifier is as sure of the site's cells with it, or
surer. Confidence is no accuracy, but where a step harms it falls (docs/adr/0026)."""
UNCHANGED = "No step was kept: the new bundle classifies as the old one does."
WORDS = {
    COLOUR: "each photograph is brought to the training's white and stain strength",
    BATCH_NORM: f"{100 * SHARE:.0f} % of each statistic is from these cells",
}


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
    labels: Path | None = None,
) -> Adapted:
    """Adapt a bundle to a site's cells and write it as a new one; the old one is not touched.

    Args:
        bundle: Folder, or "starter".
        manifest: The site's cells; labels in it are not looked at.
        out: Folder of the new bundle.
        name: Of the site.
        reporter: Progress.
        allow_bad: Unreadable cells that are tolerated.
        labels: Table of labels of a few of the cells; None adapts without.

    Raises:
        BundleError: The bundle was adapted before, does not know its own training cells' looks, or
            is the folder that shall be written.
        OutputError: That folder is there and not empty, another command writes into it, or it
            cannot be written.
        NotEstimableError: The cells are too few, of one class, gray or drawn; or the labels are
            too few, or show no gain.
        ManifestError: A label of no cell of the site.
        TaxonomyError: A label that is no class of the bundle.
        BadCellsError: More cells than allowed cannot be read.
    """
    # The lock lies beside the folder, in which only files of the bundle may be.
    with only_writer(out, out.with_name(f".{out.name}.lock")):
        return _adapt(bundle, manifest, out, name, reporter or Silent(), allow_bad, labels)


def _adapt(
    bundle: str | Path,
    manifest: Manifest,
    out: Path,
    name: str,
    reporter: Reporter,
    allow_bad: int,
    labels: Path | None,
) -> Adapted:
    start, folder = time.monotonic(), files.locate(bundle)
    if out.resolve() == folder.resolve():
        raise BundleError(f"{out}: is the bundle itself. Choose another folder for the new one")
    if out.exists() and any(out.iterdir()):
        raise OutputError(
            f"{out}: is there already and not empty. Choose another folder for the new bundle, or "
            "remove that one"
        )
    fitted = files.read(bundle)
    home = home_of(fitted, str(bundle))
    few = None if labels is None else site_labels.read(labels, manifest, fitted.taxonomy)
    reporter.start("adapt", counted(len(manifest), "cell"))
    site_checks.enough(len(manifest))
    made, sentences = without_labels(fitted, home, manifest, name, allow_bad)
    reporter.finish()
    if few is not None:
        made, sentences = _taught(fitted, (made, sentences), few, manifest, reporter)
    elif made.site is not None and made.site.is_changed:
        sentences = (*sentences, UNCHECKED)
    cost = {"seconds": round(time.monotonic() - start, 1), "peak_mb": peak_mb()}
    assert made.site is not None
    record = {"from": files.checksum(bundle), **made.site.record, **cost}
    made = replace(made, site=replace(made.site, record=record))
    metrics, card = files.side_files(folder)
    files.write(out, made, metrics, f"{card.rstrip()}\n\n{_section(made, sentences)}",
                files.is_half(folder))  # fmt: skip
    memory = "unknown" if cost["peak_mb"] is None else f"{cost['peak_mb']} MB"
    reporter.say(f"Adapted in {cost['seconds']} s, peak memory {memory}")
    return Adapted(made, sentences)


def _taught(
    fitted: Fitted,
    adapted: tuple[Fitted, tuple[str, ...]],
    few: SiteLabels,
    manifest: Manifest,
    reporter: Reporter,
) -> tuple[Fitted, tuple[str, ...]]:
    """What labels teach, after the steps without them, or in their place where these lose."""
    made, sentences = adapted
    try:
        taught = teach(fitted, made, few, manifest, reporter)
    except NoGainError:
        if made.site is None or not made.site.is_changed:
            raise
        record = {**made.site.record, "scale": None, "batch_norm_share": 0.0}
        site = replace(made.site, is_standardised=False, record=record)
        made = replace(fitted, site=site)
        sentences = (
            *sentences,
            "These steps are right on fewer of the labelled cells than the bundle as it is: they "
            "are left out, and labels teach the bundle as it is.",
        )
        taught = teach(fitted, made, few, manifest, reporter)
    return taught.fitted, sentences + taught.sentences


def home_of(fitted: Fitted, bundle: str) -> SiteReference:
    """What is known of the training cells' laboratory.

    Raises:
        BundleError: Nothing, or the bundle was adapted before.
    """
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


def without_labels(
    fitted: Fitted, home: SiteReference, manifest: Manifest, name: str, allow_bad: int
) -> tuple[Fitted, tuple[str, ...]]:
    """The bundle after the steps that need no label, and what they did, in sentences.

    Args:
        fitted: The bundle.
        home: Of its training cells.
        manifest: The site's cells.
        name: Of the site.
        allow_bad: Unreadable cells that are tolerated.

    Raises:
        NotEstimableError: The cells are too few, of one class, gray or drawn.
        BadCellsError: More cells than allowed cannot be read.
    """
    before = look(_load(manifest, fitted, allow_bad), fitted)
    site_checks.photographs(before.images)
    site_checks.classes(before.log_probs.argmax(axis=1), fitted.taxonomy.codes)
    if not before.shift.is_alarm:
        colour = ColourReference.of(measure(before.images))
        record = _record(before, before, Magnification(1.0, "not compared"), 0.0)
        same = replace(fitted, site=AdaptedSite(name, colour, False, record))
        return same, (_like_home(before.shift),)
    made, magnification = framed(fitted, home, manifest)
    images = _load(manifest, made, allow_bad) if magnification.factor != 1 else before.images
    colour = ColourReference.of(measure(images))
    made = replace(made, site=AdaptedSite(name, colour, False, {}))
    after = look(images, made)
    kept, said = set(), []
    for step, change in STEPS.items():
        try:
            changed = change(made, images)
        except NotEstimableError as error:  # a network without batch norms, such as Swin
            said.append(f"{step}: left out, since {error}.")
            continue
        seen = look(images, changed)
        with_it, without = _sureness(seen), _sureness(after)
        said.append(_step(step, with_it, without))
        if with_it >= without:
            made, after = changed, seen
            kept.add(step)
    site_checks.classes(after.log_probs.argmax(axis=1), fitted.taxonomy.codes)
    record = _record(before, after, magnification, SHARE if BATCH_NORM in kept else 0.0)
    assert made.site is not None
    made = replace(made, site=replace(made.site, record=record))
    return made, _sentences(before, after, magnification, made, said)


def _sureness(seen: Seen) -> float:
    """Mean top probability."""
    return float(np.exp(seen.log_probs.max(axis=1)).mean())


def _load(manifest: Manifest, fitted: Fitted, allow_bad: int) -> np.ndarray:
    work = load_work(manifest, fitted.config.images)
    if len(work.bad) > allow_bad:
        lines = "\n  ".join(f"{cell.path}: {cell.reason}" for cell in work.bad[:10])
        raise BadCellsError(
            f"{len(work.bad)} of {counted(len(manifest), 'cell')} cannot be read:\n  {lines}",
            [(cell.cell_id, cell.path, cell.reason) for cell in work.bad],
        )
    site_checks.enough(len(work.images))
    return work.images


def _record(
    before: Seen, after: Seen, magnification: Magnification, share: float
) -> dict[str, Any]:
    same = before.log_probs.argmax(axis=1) == after.log_probs.argmax(axis=1)
    return {
        "cells": len(before.images),
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
    before: Seen,
    after: Seen,
    magnification: Magnification,
    made: Fitted,
    said: Sequence[str],
) -> tuple[str, ...]:
    changed = (before.log_probs.argmax(axis=1) != after.log_probs.argmax(axis=1)).mean()
    fraction = made.config.images.frame_fraction
    left = after.shift.words()
    assert made.site is not None
    return (
        f"Before: {before.shift.words()}.",
        f"Frame: {magnification.reason}; the central {100 * fraction:.0f} % of each photograph "
        "is taken.",
        *said,
        f"After: {left or 'nothing differs beyond its limit'}. {100 * changed:.0f} % of the labels "
        f"changed, mean top probability {_sureness(before):.2f} before and "
        f"{_sureness(after):.2f} after.",
        *(() if made.site.is_changed else (UNCHANGED,)),
    )


def _step(step: str, after: float, before: float) -> str:
    if after >= before:
        return f"{step}: {WORDS[step]}."
    return (
        f"{step}: left out, since the classifier is less sure of these cells with it (mean top "
        f"probability {after:.2f} against {before:.2f})."
    )


def _section(made: Fitted, sentences: Sequence[str]) -> str:
    assert made.site is not None
    listed = "\n".join(f"- {sentence}" for sentence in sentences)
    how = "With labels of some of" if made.site.has_labels else "Without labels, on"
    return (
        f"## Adapted to {made.site.name or 'a site'}\n\n{how} "
        f"{made.site.record['cells']} cells, from the bundle with checksum "
        f"{made.site.record['from'][:16]}. The figures above are of that bundle, on its own "
        f"laboratory's cells.\n\n{listed}\n"
    )
