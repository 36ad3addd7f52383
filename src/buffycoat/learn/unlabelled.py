"""Cells without labels: read, and everything left out that a model must not learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.backbones.weights import sha256
from buffycoat.cells import Manifest
from buffycoat.config import Config
from buffycoat.errors import ManifestError
from buffycoat.fuse.pseudo_labels import NONE
from buffycoat.images import BadCell, decoder_versions, load_work
from buffycoat.learn.copies import find_photographs
from buffycoat.learn.prepare import Cells, places, segment_key
from buffycoat.learn.stage_store import Outcome, StageStore, digest, gather
from buffycoat.plurals import counted
from buffycoat.predict.background import paint_if_asked
from buffycoat.predict.stages import batches
from buffycoat.progress import Reporter
from buffycoat.segment.segmenters import build_segmenter
from buffycoat.sources.options import Reading
from buffycoat.sources.read import read
from buffycoat.tables import write_csv

TABLE = "unlabelled_cells.csv"
"""In the folder of a run: what became of each cell that was given."""
LEAST_CELLS = 20
"""With fewer cells nothing can be said of their class mix."""
UNREADABLE = "unreadable"
COPY = "whose photograph the data set has, or the archive before"
PATIENT = "of a patient of the data set"
NO_CELL = "without a cell in the picture"


@dataclass(frozen=True)
class UnlabelledCells:
    """Cells that a classifier may name, and those that were left out before it is asked.

    Attributes:
        cells: Those that are left; nothing knows their labels.
        given: All, one row each: `cell_id`, `path`, `left_out` (why it was; "" if it was not),
            `copy_of` (the cell whose photograph it shows) and `fault` (of a picture that cannot be
            read).
    """

    cells: Cells
    given: pd.DataFrame

    @property
    def left_out(self) -> dict[str, int]:
        """Reason -> number of cells."""
        return _reasons(self.given)

    @property
    def sentence(self) -> str:
        """What was kept and what was not."""
        lost = ", ".join(f"{n} {reason}" for reason, n in self.left_out.items() if n)
        return f"{len(self.cells.manifest)} of {len(self.given)} unlabelled cells are usable" + (
            f" (left out: {lost})" if lost else ""
        )


@dataclass(frozen=True)
class PseudoLabelled:
    """Cells without labels, as a model learns from them that somebody named them for.

    Attributes:
        cells: All that are usable.
        labels: Shape (m,), int64: the class of each, or `NONE`.
    """

    cells: Cells
    labels: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """Cells that have a class."""
        return np.flatnonzero(self.labels != NONE)

    @property
    def key(self) -> str:
        """Fingerprint of the cells and of their labels."""
        return digest(self.cells.key, self.labels.tolist())


def read_cells(paths: Sequence[Path], reporter: Reporter) -> Manifest:
    """Cells of folders or tables, without their labels if there are any.

    What the readers leave out, such as smudges that `find` cut out, is said.

    Raises:
        ManifestError: Nothing is there, or too few cells; but none are asked for without paths.
    """
    if not paths:
        return Manifest.from_frame(pd.DataFrame(columns=["cell_id", "path"]), "no unlabelled cells")
    frames = []
    for path in paths:
        layout = "images" if path.is_dir() else "auto"
        try:
            manifest = read(path, layout, Reading(needs_labels=False))
        except ManifestError as error:
            raise ManifestError(f"unlabelled cells: {error}") from error
        for note in manifest.notes:
            reporter.say(f"{path}: {note}")
        frames.append(manifest.frame.assign(cell_id=f"{path}:" + manifest.frame["cell_id"]))
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.assign(label=pd.NA, split=pd.NA, severity=pd.NA)
    frame = frame.drop_duplicates("cell_id", ignore_index=True)
    cells = Manifest.from_frame(frame, "unlabelled cells")
    if len(cells) < LEAST_CELLS:
        raise ManifestError(
            f"{', '.join(map(str, paths))}: {counted(len(cells), 'unlabelled cell')}, expected at "
            f"least {LEAST_CELLS}. Give more, or do without them"
        )
    return cells


def load(
    cells: Manifest,
    known: Manifest,
    config: Config,
    out: Path,
    store: StageStore,
    reporter: Reporter,
) -> UnlabelledCells:
    """Decode unlabelled cells, and leave out what is no new cell.

    That is: pictures that cannot be read; copies of a photograph of the data set, in whatever
    split, so that no held-out cell is learned from, and for that reason the cells of its patients;
    all but one of several copies; pictures in which no cell is found. What is left out, and why,
    stands in `TABLE`: `cell_id`, `path`, `left_out` (empty where a cell is usable), `copy_of` (the
    cell whose photograph it shows), and `fault` (of a picture that cannot be read).

    Args:
        cells: From `read_cells`.
        known: All cells of the data set, of every split.
        config: The settings.
        out: Folder of the run, for the table and for working images.
        store: Keeps what was found.
        reporter: Progress.

    Raises:
        ManifestError: Too few are left.
    """
    loaded = load_work(cells, config.images, out / "cache", on_progress=reporter.advance)
    good = cells.subset(loaded.is_good)
    images = paint_if_asked(loaded.images, config)
    digests = np.array(loaded.digests)[loaded.is_good]
    parts = places(good, config.images)
    key = digest(*digests, decoder_versions(), config.images.model_dump(mode="json"), *parts)
    found = store.run(
        "unlabelled-cells",
        {"images": key, "segment": segment_key(config)},
        lambda _: _has_cell(images, config, reporter),
    )
    originals = _originals(good, digests.tolist(), known, store, reporter)
    tests = {
        COPY: originals != "",
        PATIENT: _of_known_patients(good, known),
        NO_CELL: ~found.arrays["has_cell"],
    }
    reasons = np.select([is_met for is_met in tests.values()], list(tests), default="")
    originals[reasons != COPY] = ""
    given = _given(cells, loaded.is_good, reasons, originals, loaded.bad)
    write_csv(out / TABLE, given)
    kept = np.flatnonzero(reasons == "")
    if len(kept) < LEAST_CELLS:
        listed = ", ".join(f"{n} {reason}" for reason, n in _reasons(given).items() if n)
        raise ManifestError(
            f"{len(kept)} of {len(cells)} unlabelled cells can be used ({listed}; "
            f"{out / TABLE} lists them), expected at least {LEAST_CELLS}. Give others, or do "
            "without them"
        )
    key = digest(found.key, kept.tolist())
    if len(kept) < len(images):
        images = store.run(
            "unlabelled-images",
            {"cells": key},
            lambda folder, all_of=images: (
                {"images": gather(folder / "images.npy", [(all_of, kept)])},
                {},
            ),
        ).arrays["images"]
    usable = Cells(good.subset(kept), images, loaded.bad, key, tuple(digests[kept].tolist()))
    return UnlabelledCells(usable, given)


def _reasons(given: pd.DataFrame) -> dict[str, int]:
    """Reason -> number of cells that it leaves out."""
    reasons = given["left_out"].tolist()
    return {reason: reasons.count(reason) for reason in (UNREADABLE, COPY, PATIENT, NO_CELL)}


def _given(
    cells: Manifest,
    is_good: np.ndarray,
    reasons: np.ndarray,
    originals: np.ndarray,
    bad: Sequence[BadCell],
) -> pd.DataFrame:
    """One row a cell that was given: why it was left out, or "".

    Args:
        cells: All, n of them.
        is_good: Shape (n,), bool: those that could be read.
        reasons: Of these, why each is left out, or "".
        originals: Of these, the cell whose photograph each shows, or "".
        bad: The others, with their faults.
    """
    faults = {cell.cell_id: cell.reason for cell in bad}
    left_out = np.full(len(cells), UNREADABLE, dtype=object)
    left_out[is_good] = reasons
    copy_of = np.full(len(cells), "", dtype=object)
    copy_of[is_good] = originals
    table = cells.frame[["cell_id", "path"]].assign(left_out=left_out, copy_of=copy_of)
    return table.assign(fault=[faults.get(name, "") for name in table["cell_id"]])


def _originals(
    cells: Manifest,
    digests: Sequence[str],
    known: Manifest,
    store: StageStore,
    reporter: Reporter,
) -> np.ndarray:
    """The cell of the data set, or else the earlier cell, whose photograph each shows; or ""."""
    named = _without_site(known, "original_id").fillna(_without_site(known, "cell_id"))
    own = known.frame.assign(
        cell_id="known:" + known.frame["cell_id"], original_id=named, label=pd.NA
    )
    both = Manifest(pd.concat([own, cells.frame], ignore_index=True))
    files = {str(ref.path) for ref in known.refs()}
    stated = [sha256(Path(file)) for file in sorted(files) if Path(file).is_file()]
    shown = find_photographs(both, [*stated, *own["cell_id"], *digests], store, reporter)
    names = [*known.frame["cell_id"], *cells.frame["cell_id"]]
    first = dict(zip(reversed(shown.tolist()), reversed(names), strict=True))
    is_copy = pd.Series(shown).duplicated(keep="first")
    found = [first[one] if copy else "" for one, copy in zip(shown, is_copy, strict=True)]
    return np.array(found[len(own) :], dtype=object)


def _of_known_patients(cells: Manifest, known: Manifest) -> np.ndarray:
    """Which cells are of a patient whom the data set has, at whatever site, shape (n,), bool."""
    patients = {*known.frame["patient_id"].dropna(), *_without_site(known, "patient_id").dropna()}
    return cells.frame["patient_id"].isin(list(patients)).to_numpy(dtype=bool)


def _without_site(known: Manifest, column: str) -> pd.Series:
    """A column without the names of sites that `read_sites` puts before it where it reads several.

    The unlabelled cells do not say of which site they are.
    """
    pairs = zip(known.frame[column], known.frame["site"].fillna(""), strict=True)
    bare = [text if pd.isna(text) else str(text).removeprefix(f"{site}/") for text, site in pairs]
    return pd.Series(bare, index=known.frame.index, dtype="string")


def _has_cell(images: np.ndarray, config: Config, reporter: Reporter) -> Outcome:
    segment = build_segmenter(config.segment)
    found = np.empty(len(images), dtype=bool)
    for rows in batches(len(images)):
        found[rows] = [masks.cell.any() for masks in segment(images[rows])]
        reporter.advance(rows.stop, len(images))
    return {"has_cell": found}, {}
