"""From a data set to what the stages learn from: images, targets, folds, degraded twins."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from buffycoat.cells import Manifest
from buffycoat.config import Config, ImagesConfig, to_hash
from buffycoat.errors import BadCellsError
from buffycoat.images import BadCell, decoder_versions, load_work, write_atomic
from buffycoat.learn import run_folder
from buffycoat.learn.stage_store import StageStore, digest, hash_of, of_weights
from buffycoat.plurals import counted
from buffycoat.predict.background import paint_if_asked
from buffycoat.progress import Reporter
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sources.fingerprint import KEY, fingerprints
from buffycoat.sources.options import Reading
from buffycoat.sources.several import name_sites, read_sites

MAX_BAD_SHOWN = 10


@dataclass(frozen=True)
class Cells:
    """Readable cells of one manifest, with their working images.

    Attributes:
        manifest: One row a cell, unreadable ones left out.
        images: Shape (n, w, w, 3), uint8.
        bad: Cells left out, and why.
        key: Fingerprint of the files' bytes, of what is taken of them, and of the image settings.
        digests: SHA-256 of each cell's file, n of them.
    """

    manifest: Manifest
    images: np.ndarray
    bad: tuple[BadCell, ...]
    key: str
    digests: tuple[str, ...]

    def first(self, n: int) -> Cells:
        """The first n cells; their images are a view of these."""
        if n == len(self.manifest):
            return self
        return Cells(
            self.manifest.subset(np.arange(n)),
            self.images[:n],
            self.bad,
            digest(self.key, n),
            self.digests[:n],
        )


def read_data(
    data: Path | Mapping[str, Path],
    layout: str,
    reading: Reading | None,
    config: Config,
    reporter: Reporter,
    out: Path,
    without_labels: Sequence[Path] = (),
) -> Manifest:
    """Read a data set, say what was read, and keep the statement in the run's `data.json`.

    Args:
        data: Folder or table of cells; or several, site -> folder or table.
        layout: How the data lies.
        reading: Where the layout leaves a choice.
        config: Its taxonomy has the names of the classes.
        reporter: Says the statement.
        out: Folder of the run.
        without_labels: Folders or tables of unlabelled cells, for the statement.

    Raises:
        ManifestError: A fault in the data.
        RunError: The folder holds an audit of another data set.
    """
    reading = replace(reading or Reading(), taxonomy=config.taxonomy)
    sites = name_sites([data]) if isinstance(data, Path) else data
    manifest = read_sites(sites, layout, reading)
    for heading, text in manifest.statement.lines():
        reporter.say(f"{heading}: {text}")
    tested = manifest.of_split("test")
    if tested.is_labelled.any() and not manifest.of_split("eval").is_labelled.any():
        reporter.say(
            f"The {int(tested.is_labelled.sum())} labelled test cells are not scored here: predict "
            "them with --split test, then evaluate. Held-out scores need a split called val"
        )
    said = {"layout": layout, "reading": asdict(reading), **manifest.statement.to_dict()}
    said[KEY] = fingerprints(manifest)
    if (out / run_folder.AUDIT).exists():  # the report shows it: refused now, and not at the end
        run_folder.check_audit(out / run_folder.AUDIT, said)
    if without_labels:
        said["said"] |= {"Unlabelled": ", ".join(map(os.path.abspath, without_labels))}
    write_atomic(out / run_folder.DATA, json.dumps(said, indent=1).encode())
    return manifest


def load_cells(
    manifest: Manifest,
    config: Config,
    cache: Path | None,
    reporter: Reporter,
    allow_bad: int,
) -> Cells:
    """Decode cells; fail if more are unreadable than allowed.

    Raises:
        BadCellsError: Names the first unreadable files and why.
    """
    loaded = load_work(manifest, config.images, cache, on_progress=reporter.advance)
    if len(loaded.bad) > allow_bad:
        lines = [f"{cell.path}: {cell.reason}" for cell in loaded.bad[:MAX_BAD_SHOWN]]
        raise BadCellsError(
            f"{len(loaded.bad)} of {counted(len(manifest), 'cell')} cannot be read:\n  "
            + "\n  ".join(lines)
            + f"\nMend or remove them, or pass --allow-bad {len(loaded.bad)}",
            [(cell.cell_id, cell.path, cell.reason) for cell in loaded.bad],
        )
    content = hashlib.sha256("".join(loaded.digests).encode()).hexdigest()
    decoded = hashlib.sha256(loaded.is_good.tobytes()).hexdigest()
    is_painted = config.segment.paint_background
    painted = is_painted and segment_key(config)
    parts = places(manifest, config.images)
    key = digest(content, decoded, decoder_versions(), to_hash(config.images), painted, *parts)
    images = paint_if_asked(loaded.images, config)
    digests = tuple(np.array(loaded.digests)[loaded.is_good].tolist())
    return Cells(manifest.subset(loaded.is_good), images, loaded.bad, key, digests)


def places(manifest: Manifest, config: ImagesConfig) -> list[list[object]]:
    """What decides, beside bytes and settings, which part of each picture is taken.

    Args:
        manifest: The cells.
        config: Whether pictures are framed by their scale.

    Returns:
        Box and scale of each cell; empty where none has one that counts.
    """
    by_scale = config.photograph_um is not None
    found = [[ref.box, ref.um_per_px if by_scale else None] for ref in manifest.refs()]
    return found if any(part is not None for one in found for part in one) else []


def segment_key(config: Config) -> str:
    """Fingerprint of how cells are segmented."""
    weights = of_weights(config.segment.weights)
    settings = hash_of(config.segment)
    return settings if weights is None else digest(settings, weights)


def cell_masks(
    images: np.ndarray, key: str, config: Config, store: StageStore
) -> np.ndarray | None:
    """Cell masks for a classifier that learns from cells cut out; None if this one does not.

    Args:
        images: Working images, shape (n, w, w, 3), uint8.
        key: Their fingerprint.
        config: The settings.
        store: Keeps the masks.

    Returns:
        Shape (n, w, w), bool.
    """
    if not config.classify.cuts_cells:
        return None
    segment = build_segmenter(config.segment)
    found = store.run(
        "masks",
        {"images": key, "segment": segment_key(config)},
        lambda _: ({"cell": np.stack([masks.cell for masks in segment(images)])}, {}),
    )
    return found.arrays["cell"]
