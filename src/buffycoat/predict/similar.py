"""The cells of a collection that look most like one cell."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import Manifest
from buffycoat.embed.cache import encode_cached
from buffycoat.embed.gallery import Match
from buffycoat.embed.neighbours import nearest
from buffycoat.images import BadCell, framed, load_work
from buffycoat.plurals import counted
from buffycoat.predict.background import as_seen
from buffycoat.predict.stages import batches
from buffycoat.progress import Reporter


@dataclass(frozen=True)
class Found:
    """Cells by likeness.

    Attributes:
        rows: Rows of the manifest, nearest first, shape (c,).
        similarity: Cosine of the embeddings, shape (c,).
        n_searched: Cells that were compared.
        copies: Rows of the manifest whose file is, byte for byte, the cell's own; they are not
            among `rows`.
        bad: Cells that could not be read, and why.
    """

    rows: np.ndarray
    similarity: np.ndarray
    n_searched: int
    copies: np.ndarray
    bad: tuple[BadCell, ...]


def find_remembered(
    photograph: np.ndarray, fitted: Fitted, count: int, um_per_px: float | None = None
) -> list[Match]:
    """The training cells of a bundle that look most like a cell, nearest first.

    Args:
        photograph: The cell, shape (h, w, 3), uint8.
        fitted: Of a bundle.
        count: Cells wanted.
        um_per_px: Micrometres that a pixel of the photograph is wide, if known: frames it where
            the bundle frames by scale.
    """
    work = as_seen(framed(photograph, fitted.config.images, um_per_px)[None], fitted)
    return fitted.gallery.search(fitted.encoder.encode(work), count)[0]


def find_similar(
    photograph: np.ndarray,
    digest: str,
    manifest: Manifest,
    fitted: Fitted,
    count: int,
    cache: Path | None,
    reporter: Reporter,
    um_per_px: float | None = None,
) -> Found:
    """Search a collection by the embeddings of a bundle's frozen encoder.

    The encoder has seen no labels of ours, so that cells are near because they look alike, and not
    because a model takes them for one class. Cells are compared as they are, without restoration.

    Args:
        photograph: The cell, shape (h, w, 3), uint8.
        digest: SHA-256 of its file, by which copies of it are told.
        manifest: What to search.
        fitted: Of a bundle.
        count: Neighbours wanted; fewer come where fewer cells can be read.
        cache: Folder of embeddings that were computed before; None to keep none.
        reporter: Progress.
        um_per_px: As in `find_remembered`; of the collection's cells it is in the manifest.
    """
    settings = fitted.config.images
    query = _embed(framed(photograph, settings, um_per_px)[None], fitted, cache)
    embeddings, rows, copies, bad = [], [], [], []
    reporter.start("similar", counted(len(manifest), "cell"))
    for part in batches(len(manifest)):
        inside = np.arange(part.start, part.stop)
        loaded = load_work(manifest.subset(inside), settings)
        bad += loaded.bad
        is_copy = np.array(loaded.digests) == digest
        copies.append(inside[is_copy])
        is_wanted = loaded.is_good & ~is_copy
        embeddings.append(_embed(loaded.images[is_wanted[loaded.is_good]], fitted, cache))
        rows.append(inside[is_wanted])
        reporter.advance(part.stop, len(manifest))
    reporter.finish()
    searched = np.concatenate(rows)
    found, similarity = nearest(query, np.concatenate(embeddings), count)
    return Found(
        searched[found[0]], similarity[0], len(searched), np.concatenate(copies), tuple(bad)
    )


def _embed(work: np.ndarray, fitted: Fitted, cache: Path | None) -> np.ndarray:
    return encode_cached(fitted.encoder, as_seen(work, fitted), cache)
