"""A trained system put to use: a folder, a table or images in memory in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pandas as pd

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.bundle.lineage import restricted
from buffycoat.cells import Manifest, Prediction
from buffycoat.errors import BadCellsError, ShapeError
from buffycoat.fuse.label_rule import Objective
from buffycoat.images import BadCell, check_scale, framed
from buffycoat.plurals import counted
from buffycoat.predict import rows, stages
from buffycoat.predict.background import as_seen
from buffycoat.predict.batches import in_batches, predict_batches
from buffycoat.predict.bracket import predict_cells
from buffycoat.predict.site_look import look_ahead, look_at_photographs
from buffycoat.progress import Progress, Reporter, Silent
from buffycoat.sites.shift import Shift
from buffycoat.taxonomy import Taxonomy

Scales: TypeAlias = float | Sequence[float | None] | None
"""Micrometres that a pixel is wide: of all photographs, of each, or not known."""


@dataclass(frozen=True)
class PredictionSet:
    """Predictions of a manifest.

    Attributes:
        predictions: One a readable cell, in the manifest's order.
        bad: Cells that could not be read, and why.
        frame: The predictions as a table, with `patient_id` and `slide_id` where these are known.
    """

    predictions: list[Prediction]
    bad: tuple[BadCell, ...]
    frame: pd.DataFrame


class Pipeline:
    """A trained system.

    Args:
        fitted: What training learned.
        bundle_sha256: Of the bundle that holds it, "" where it was never written.
        folder: Where other processes can read that bundle; None where it was never written.
    """

    def __init__(
        self, fitted: Fitted, bundle_sha256: str = "", folder: str | Path | None = None
    ) -> None:
        self.fitted = fitted
        self.bundle_sha256 = bundle_sha256
        self.folder = folder

    @classmethod
    def load(cls, folder: str | Path) -> Pipeline:
        """Load a bundle: a folder, or "starter".

        Raises:
            BundleError: No bundle, or one of its files has changed.
        """
        return cls(files.read(folder), files.checksum(folder), folder)

    def optimising(self, score: str, mix: str = "train") -> Pipeline:
        """The same system, whose labels maximise a score; probabilities and sets stay.

        Args:
            score: "macro-f1", "balanced-recall", "accuracy" or "none", or the path of a file of
                costs (`fuse.costs`).
            mix: Class frequencies at which the score counts: "train", "uniform" or
                "SNE=60,LY=30,...".

        Raises:
            ConfigError: No such score or mix, or the file of costs is at fault.
        """
        asked = Objective.of(score, mix, self.taxonomy.codes)
        return Pipeline(self.fitted.optimising(asked), self.bundle_sha256, self.folder)

    @property
    def taxonomy(self) -> Taxonomy:
        """The classes."""
        return self.fitted.taxonomy

    @property
    def notice(self) -> str:
        """What a person must know before they read a prediction."""
        parts = (self.fitted.provenance["notice"], *restricted(self.fitted.provenance))
        return " ".join(parts)

    def predict(
        self,
        images: Sequence[np.ndarray],
        cell_ids: Sequence[str] | None = None,
        prior: str | None = None,
        um_per_px: Scales = None,
    ) -> list[Prediction]:
        """Classify cells.

        Args:
            images: Photographs with one cell in the centre, each (h, w, 3), uint8, RGB.
            cell_ids: Their names; by default "0", "1", ...
            prior: "uniform", "train" or a mix "SNE=60,LY=30,..."; None for the bundle's own.
            um_per_px: Micrometres that a pixel is wide: of all photographs, or of each, None where
                it is not known. A bundle that frames by scale (`images.photograph_um`) frames by
                it, as by the column of a table; others do not look at it.

        Returns:
            One prediction an image; the same numbers as the command line gives. Whether they look
            like the training cells is asked of all of them together: give those of one site in
            one call.

        Raises:
            ConfigError: `um_per_px` is no width of a pixel.
            ShapeError: Not one `um_per_px` an image.
        """
        shift = self.look(images, um_per_px)
        return self.predict_of_site(images, shift, cell_ids, prior, um_per_px)

    def look(self, images: Sequence[np.ndarray], um_per_px: Scales = None) -> Shift | None:
        """How cells of one site compare with the training cells; None of too few cells.

        Args:
            images: As `predict` takes them.
            um_per_px: As `predict` takes it.
        """
        return look_at_photographs(images, self.fitted, scales(um_per_px, len(images)))

    def predict_of_site(
        self,
        images: Sequence[np.ndarray],
        shift: Shift | None,
        cell_ids: Sequence[str] | None = None,
        prior: str | None = None,
        um_per_px: Scales = None,
        on_progress: Progress | None = None,
    ) -> list[Prediction]:
        """`predict` for cells of a site that `look` has compared already."""
        ids = [str(i) for i in range(len(images))] if cell_ids is None else list(cell_ids)
        settings, wide = self.fitted.config.images, scales(um_per_px, len(images))
        found: list[Prediction] = []
        for part in stages.batches(len(images)):
            cells = zip(images[part], wide[part], strict=True)
            work = np.stack([framed(image, settings, um) for image, um in cells])
            work = as_seen(work, self.fitted)
            found += predict_cells(work, ids[part], self.fitted, prior, shifts=[shift] * len(work))
            if on_progress is not None:
                on_progress(len(found), len(images))
        return found

    def predict_manifest(
        self,
        manifest: Manifest,
        reporter: Reporter | None = None,
        allow_bad: int = 0,
        prior: str | None = None,
    ) -> PredictionSet:
        """Classify the cells of a manifest, and keep all predictions in memory.

        `local.run` writes them in parts instead.

        Raises:
            BadCellsError: More cells than allowed could not be read.
        """
        reporter = reporter or Silent()
        reporter.start("predict", counted(len(manifest), "cell"))
        found: list[Prediction] = []
        bad: list[BadCell] = []
        digests: list[str] = []
        n_done = 0
        cells = in_batches(manifest, stages.CELLS_AT_ONCE)
        looks = look_ahead(manifest, self.fitted)
        for batch in predict_batches(cells, self.fitted, looks, prior):
            n_done += len(batch)
            found += batch.predictions
            digests += batch.image_sha256
            bad += batch.bad
            if len(bad) > allow_bad:
                lines = "\n  ".join(f"{cell.path}: {cell.reason}" for cell in bad)
                raise BadCellsError(
                    f"more than {allow_bad} cells cannot be read:\n  {lines}",
                    [(cell.cell_id, cell.path, cell.reason) for cell in bad],
                )
            reporter.advance(n_done, len(manifest))
        reporter.finish()
        frame = rows.to_frame(found, digests, self.bundle_sha256, manifest, self.taxonomy)
        return PredictionSet(found, tuple(bad), frame.loc[:, self.columns(manifest)])

    def columns(self, manifest: Manifest) -> list[str]:
        """Columns of the table that `predict_manifest` makes of these cells."""
        return rows.columns_of(manifest, self.taxonomy)


def scales(um_per_px: Scales, n: int) -> list[float | None]:
    """The scale of each of n photographs.

    Raises:
        ConfigError: One is no width of a pixel.
        ShapeError: Not one a photograph.
    """
    if um_per_px is None or isinstance(um_per_px, int | float):
        check_scale(um_per_px)
        return [um_per_px] * n
    each = [None if one is None or pd.isna(one) else float(one) for one in um_per_px]
    if len(each) != n:
        raise ShapeError(f"um_per_px: expected one for each of {n} photographs, got {len(each)}")
    for one in each:
        check_scale(one)
    return each
