"""A trained system put to use: a folder, a table or images in memory in, predictions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from buffycoat.bundle import files
from buffycoat.bundle.fitted import Fitted
from buffycoat.bundle.lineage import restricted
from buffycoat.cells import Manifest, Prediction, prediction_columns, predictions_frame
from buffycoat.errors import BadCellsError
from buffycoat.images import BadCell, load_work, to_work
from buffycoat.predict import stages
from buffycoat.predict.background import paint_if_asked
from buffycoat.predict.bracket import predict_cells
from buffycoat.progress import Reporter, Silent
from buffycoat.taxonomy import Taxonomy


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
    """

    def __init__(self, fitted: Fitted) -> None:
        self.fitted = fitted

    @classmethod
    def load(cls, folder: str | Path) -> Pipeline:
        """Load a bundle: a folder, or "starter".

        Raises:
            BundleError: No bundle, or one of its files has changed.
        """
        return cls(files.read(folder))

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
    ) -> list[Prediction]:
        """Name cells.

        Args:
            images: Photographs with one cell in the centre, each (h, w, 3), uint8, RGB.
            cell_ids: Their names; by default "0", "1", ...
            prior: "uniform", "train" or a mix "SNE=60,LY=30,..."; None for the bundle's own.

        Returns:
            One prediction an image; the same numbers as the command line gives.
        """
        ids = [str(i) for i in range(len(images))] if cell_ids is None else list(cell_ids)
        settings = self.fitted.config.images
        found: list[Prediction] = []
        for rows in stages.batches(len(images)):
            work = np.stack(
                [to_work(i, settings.work_px, settings.frame_fraction) for i in images[rows]]
            )
            found += self._judge(work, ids[rows], prior)
        return found

    def predict_manifest(
        self,
        manifest: Manifest,
        reporter: Reporter | None = None,
        allow_bad: int = 0,
        prior: str | None = None,
    ) -> PredictionSet:
        """Name the cells of a manifest, a batch in memory at a time.

        Raises:
            BadCellsError: More cells than allowed could not be read.
        """
        reporter = reporter or Silent()
        reporter.start("predict", f"{len(manifest)} cells")
        found: list[Prediction] = []
        bad: list[BadCell] = []
        for rows in stages.batches(len(manifest)):
            part = manifest.subset(np.arange(rows.start, rows.stop))
            loaded = load_work(part, self.fitted.config.images)
            bad += loaded.bad
            if len(bad) > allow_bad:
                lines = "\n  ".join(f"{cell.path}: {cell.reason}" for cell in bad)
                raise BadCellsError(
                    f"more than {allow_bad} cells cannot be read:\n  {lines}",
                    [(cell.cell_id, cell.path, cell.reason) for cell in bad],
                )
            ids = part.subset(loaded.is_good).frame["cell_id"].tolist()
            if ids:
                found += self._judge(loaded.images, ids, prior)
            reporter.advance(rows.stop, len(manifest))
        reporter.finish()
        frame = predictions_frame(found, self.taxonomy)
        sources = manifest.frame.set_index("cell_id")
        for name in _known_groups(manifest):
            frame[name] = sources[name].reindex(frame["cell_id"]).to_numpy()
        return PredictionSet(found, tuple(bad), frame.loc[:, self.columns(manifest)])

    def columns(self, manifest: Manifest) -> list[str]:
        """Columns of the table that `predict_manifest` makes of these cells."""
        first, *others = prediction_columns(self.taxonomy)
        return [first, *_known_groups(manifest), *others]

    def _judge(self, work: np.ndarray, ids: Sequence[str], prior: str | None) -> list[Prediction]:
        return predict_cells(paint_if_asked(work, self.fitted.config), ids, self.fitted, prior)


def _known_groups(manifest: Manifest) -> list[str]:
    """Slide and patient, where any cell has one."""
    return [c for c in ("slide_id", "patient_id") if manifest.frame[c].notna().to_numpy().any()]
