"""The cells under review as the model left them; they do not change, so they are kept in memory."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select

from buffycoat.cells import CellRef
from buffycoat.evaluate.label_next import NO_CELL
from buffycoat.fields.crops import part_in_field
from buffycoat.fields.rows import box_of
from buffycoat.refine.feature_words import in_words
from buffycoat.serve import counts, schema
from buffycoat.serve.refused import not_found
from buffycoat.taxonomy import Taxonomy

KEPT_SLIDES = 256


@dataclass(frozen=True)
class ReviewedCell:
    """One cell.

    Attributes:
        n: Its number, for URLs.
        slide: Number of its slide.
        name: Its id in the predictions.
        ref: Where its picture is, the path from the folder of images.
        predicted: Class code.
        probability: Of that class; None where unknown.
        is_doubtful: Whether a person should look; None where unknown.
        details: From `predictions`.
        image_sha256: Of the picture as predicted; None where unknown.
        bundle_sha256: Of the bundle; None where unknown.
    """

    n: int
    slide: int
    name: str
    ref: CellRef
    predicted: str
    probability: float | None
    is_doubtful: bool | None
    details: dict[str, Any]
    image_sha256: str | None
    bundle_sha256: str | None

    @property
    def seen(self) -> list[float] | None:
        """The part of the picture that is not mirrored beyond the border of the field.

        Left, top, right and bottom end in sides of the picture; None for all of it, or where the
        size of the field is not known.
        """
        field = self.details.get("field", {})
        if not {"size", "crop_px", "box"} <= field.keys():
            return None
        side = int(field["crop_px"])
        width, height = field["size"]
        ends = part_in_field(box_of(field), side, (width, height))
        return None if ends == (0, 0, side, side) else [round(end / side, 4) for end in ends]

    @property
    def not_counted(self) -> str | None:
        """Why the cell is in no figure; None if it counts."""
        return self.details.get("not_counted")

    def to_row(self) -> dict[str, Any]:
        """What the grid shows of it, without anybody's decision."""
        field = self.details.get("field", {})
        return {
            "id": self.name,
            "n": self.n,
            "seen": self.seen,
            "predicted": self.predicted,
            "probability": self.probability,
            "set": self.details.get("set", []),
            "needs_look": bool(self.is_doubtful),
            "reasons": self.details.get("reasons", []),
            "outlier_percentile": self.details.get("outlier_percentile"),
            "site_shift": self.details.get("site_shift"),
            "kind": field.get("kind"),
            "is_cut": bool(field.get("is_cut")),
            "has_outline": True,
            "is_counted": self.not_counted is None,
            "not_counted": self.not_counted,
        }


@dataclass(frozen=True)
class SlideCells:
    """The cells of a slide, most doubtful first.

    Attributes:
        cells: All of them.
        taxonomy: Of their classes.
    """

    cells: tuple[ReviewedCell, ...]
    taxonomy: Taxonomy

    @cached_property
    def predicted(self) -> dict[int, str]:
        """Cell -> class."""
        return {cell.n: cell.predicted for cell in self.cells}

    @cached_property
    def doubtful(self) -> frozenset[int] | None:
        """Cells that a person should look at; None where the predictions do not say."""
        if any(cell.is_doubtful is None for cell in self.cells):
            return None
        return frozenset(cell.n for cell in self.cells if cell.is_doubtful)

    @cached_property
    def not_counted(self) -> dict[int, str]:
        """Cell -> why it is in no figure, of those that are in none."""
        return {cell.n: cell.not_counted for cell in self.cells if cell.not_counted}

    @cached_property
    def bundles(self) -> list[str]:
        """Checksums of the bundles that predicted them, sorted; "" where one is unknown."""
        return sorted({cell.bundle_sha256 or "" for cell in self.cells})

    def counted(
        self, labels: Mapping[int, str], decided: Collection[int], *confusion: Any
    ) -> counts.Counted:
        """Count the cells that are to be counted.

        A doubtful cell is one until somebody decides it: to finish or sign a reading decides none.

        Args:
            labels: Cell -> code, of all cells.
            decided: Cells that somebody decided, from `states.decided_cells`.
            confusion: As of `counts.count`.
        """
        kept = {n: label for n, label in labels.items() if n not in self.not_counted}
        doubtful = None if self.doubtful is None else self.doubtful - {*decided}
        return counts.count(kept, doubtful, self.taxonomy, *confusion, left_out=self.not_counted)

    @cached_property
    def rows(self) -> tuple[dict[str, Any], ...]:
        """Of the grid."""
        return tuple(cell.to_row() for cell in self.cells)

    @cached_property
    def scores(self) -> np.ndarray:
        """Square roots of the class probabilities, shape (n, k): rows of length 1."""
        codes = self.taxonomy.codes
        table = [[cell.details.get("probs", {}).get(c, 0.0) for c in codes] for cell in self.cells]
        return np.sqrt(np.array(table, dtype=np.float64).reshape(len(self.cells), len(codes)))

    @cached_property
    def without_cell(self) -> np.ndarray:
        """Which show no white cell by the model's evidence, shape (n,), bool."""
        found = [
            any(reason["code"] == NO_CELL for reason in cell.details.get("reasons", ()))
            for cell in self.cells
        ]
        return np.array(found, dtype=bool)

    def alike(self, n: int, count: int) -> list[int]:
        """Cells of the slide whose class probabilities are nearest (Hellinger distance)."""
        if not self.scores.any():
            return []
        place = next(place for place, cell in enumerate(self.cells) if cell.n == n)
        nearness = self.scores @ self.scores[place]
        nearness[place] = -1
        order = np.argsort(-nearness, kind="stable")[:count]
        return [self.cells[row].n for row in order if nearness[row] >= 0]


class Catalogue:
    """Reads slides once, and keeps those that were asked for last.

    Args:
        taxonomy: Of the project.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._kept: OrderedDict[tuple[int, int], SlideCells] = OrderedDict()
        self._lock = threading.Lock()

    def newest(self, reader: Connection) -> int:
        """Number of the cell that was added last: another server may add some."""
        return reader.execute(select(func.max(schema.cells.c.id))).scalar() or 0

    def slide(self, reader: Connection, slide: int) -> SlideCells:
        """The cells of a slide as a reader sees them; empty if there is no such slide."""
        key = slide, self.newest(reader)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        rows = reader.execute(select(schema.cells).where(schema.cells.c.slide == slide))
        cells = sorted(map(_cell, rows), key=_doubt)
        found = SlideCells(tuple(cells), self.taxonomy)
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT_SLIDES:
                self._kept.popitem(last=False)
        return found

    def cell(self, reader: Connection, n: int) -> ReviewedCell:
        """One cell.

        Raises:
            RefusedError: No such cell.
        """
        row = reader.execute(select(schema.cells).where(schema.cells.c.id == n)).first()
        if row is None:
            raise not_found(f"cell {n}")
        return _cell(row)


def _cell(row: Row[Any]) -> ReviewedCell:
    details = json.loads(row.details)
    for kind in ("evidence", "reasons"):
        for one in details.get(kind, ()):
            one["text"] = in_words(one["text"])
    return ReviewedCell(
        n=row.id,
        slide=row.slide,
        name=row.name,
        ref=CellRef.parse(row.path, row.box, details.get("um_per_px")),
        predicted=row.predicted,
        probability=row.probability,
        is_doubtful=row.is_doubtful,
        details=details,
        image_sha256=row.image_sha256,
        bundle_sha256=row.bundle_sha256,
    )


def _doubt(cell: ReviewedCell) -> tuple[bool, float, int]:
    probability = 1.0 if cell.probability is None else cell.probability
    return not cell.is_doubtful, probability, cell.n
