"""A look at some cells of a job before its parts are predicted: are they like the training cells?

That is a question about many cells together, and must have one answer for a whole job: it is asked
once, of cells drawn by a fixed seed, and kept in the job's folder for whoever predicts parts of it.
Where the table of cells names several sites, each has a look of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.errors import OutputError
from buffycoat.images import framed, load_work, write_atomic
from buffycoat.predict.background import as_seen
from buffycoat.predict.job import Job
from buffycoat.predict.stages import of_views, together
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sites.look import GOOD_OUTLINE, colour_and_sharpness, scale
from buffycoat.sites.shift import BATCH, LEAST, Shift

NAME = "_site.json"
"""Readers of a folder of Parquet files leave out names that begin with an underscore."""
SEED = 0


@dataclass(frozen=True)
class Seen:
    """Cells as a bundle sees them, with its opinion.

    Attributes:
        images: Shape (n, w, w, 3), uint8.
        log_probs: Of the classifier, by one view, shape (n, k).
        shift: How unlike the training cells they look.
    """

    images: np.ndarray
    log_probs: np.ndarray
    shift: Shift


@dataclass(frozen=True)
class SiteLooks:
    """How the cells of a job compare with the training cells.

    Attributes:
        shifts: Site, "" where the table of cells names none -> how unlike; sites with too few
            cells are left out.
    """

    shifts: Mapping[str, Shift]

    def of(self, cells: Manifest) -> list[Shift | None]:
        """That of the site of each cell, n of them; None where it is not known."""
        return [self.shifts.get(site) for site in _sites(cells)]


def look(images: np.ndarray, fitted: Fitted) -> Seen:
    """Compare cells with the training cells of a bundle that knows their looks.

    Args:
        images: Working images, shape (n, w, w, 3), uint8; n is at least `LEAST`.
        fitted: What the bundle holds; one that was adapted compares what its stages see.

    Raises:
        NotEstimableError: Too few cells.
    """
    assert fitted.home is not None
    seen = as_seen(images, fitted)
    masks = build_segmenter(fitted.config.segment)(seen)
    areas = [m.cell.mean() if m.quality >= GOOD_OUTLINE else np.nan for m in masks]
    scores = [
        of_views([model.look(seen, [0])], temperature)
        for model, temperature in zip(fitted.models, fitted.temperatures, strict=True)
    ]
    said = together(scores, fitted.config.fuse.average)
    numbers = colour_and_sharpness(seen)
    numbers |= {"scale": scale(np.array(areas)), "network": said.logits}
    return Seen(seen, said.log_probs, fitted.home.shift.score(numbers, said.logits.argmax(axis=1)))


def look_ahead(cells: Manifest, fitted: Fitted) -> SiteLooks:
    """Compare some cells of each site with the training cells.

    Args:
        cells: All of them.
        fitted: What the bundle holds.
    """
    shifts = {}
    for site, rows in _drawn_by_site(cells, fitted):
        images = load_work(cells.subset(rows), fitted.config.images).images
        if len(images) >= LEAST:
            shifts[site] = look(images, fitted).shift
    return SiteLooks(shifts)


def look_at_photographs(
    photographs: Sequence[np.ndarray], fitted: Fitted, um_per_px: Sequence[float | None]
) -> Shift | None:
    """The same for photographs in memory, all of one site; None where they are too few.

    Args:
        photographs: n of them, each (h, w, 3), uint8, RGB.
        fitted: What the bundle holds.
        um_per_px: Micrometres that a pixel of each is wide, None where that is not known, n.
    """
    if fitted.home is None or len(photographs) < LEAST:
        return None
    drawn = _drawn(len(photographs))
    work = [framed(photographs[row], fitted.config.images, um_per_px[row]) for row in drawn]
    return look(np.stack(work), fitted).shift


def begin(job: Job, cells: Manifest, fitted: Fitted) -> SiteLooks:
    """The look of a job: the one that its folder holds, else a new one, which is kept there.

    Args:
        job: Begun, or begun again.
        cells: All of its cells.
        fitted: What the bundle holds.

    Raises:
        OutputError: The folder cannot be written or read.
    """
    if (job.folder / NAME).exists():
        return read(job)
    looks = look_ahead(cells, fitted)
    stored = {site: shift.to_dict() for site, shift in looks.shifts.items()}
    write_atomic(job.folder / NAME, json.dumps(stored, indent=1).encode())
    return looks


def read(job: Job) -> SiteLooks:
    """The look that `begin` kept.

    Raises:
        OutputError: It is not there, or cannot be read.
    """
    path = job.folder / NAME
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return SiteLooks({site: Shift.from_dict(values) for site, values in stored.items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(
            f"{path}: cannot be read ({error}). Every process and machine must see the folder of "
            "results at this path; if it is there and damaged, remove that folder and begin anew"
        ) from error


def _sites(cells: Manifest) -> np.ndarray:
    return cells.frame["site"].fillna("").to_numpy(dtype=object)


def _drawn_by_site(cells: Manifest, fitted: Fitted) -> Iterator[tuple[str, np.ndarray]]:
    """Site, and rows of the cells that are looked at, for each site that has enough cells."""
    if fitted.home is None or len(cells) < LEAST:
        return
    sites = _sites(cells)
    for site in sorted(set(sites)):
        rows = np.flatnonzero(sites == site)
        if len(rows) >= LEAST:
            yield str(site), rows[_drawn(len(rows))]


def _drawn(n: int) -> np.ndarray:
    """At most `BATCH` of n rows, in order; the same for the same n."""
    return np.sort(np.random.default_rng(SEED).permutation(n)[:BATCH])
