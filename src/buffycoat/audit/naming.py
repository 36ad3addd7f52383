"""Cells of a finding by name: which split holds which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from buffycoat.audit.findings import Finding, Severity

MAX_NAMED = 6
"""Cells that a sentence names; the finding itself lists all."""
UNASSIGNED = "no split"
TRAIN = "train"


def splits_of(frame: pd.DataFrame) -> list[str]:
    """Split of each row; `UNASSIGNED` where there is none."""
    return frame["split"].fillna(UNASSIGNED).astype(str).tolist()


def labels_of(frame: pd.DataFrame) -> list[str]:
    """Label of each row, "" where there is none."""
    return frame["label"].fillna("").astype(str).tolist()


def ids_of(frame: pd.DataFrame, column: str) -> list[str]:
    """A column of ids, "" where there is none."""
    return frame[column].astype("string").fillna("").tolist()


def originals_of(frame: pd.DataFrame) -> list[str]:
    """The cell that each was made from, or is itself."""
    pairs = zip(ids_of(frame, "original_id"), ids_of(frame, "cell_id"), strict=True)
    return [original or cell_id for original, cell_id in pairs]


def order(splits: Iterable[str]) -> list[str]:
    """Splits that occur, in the usual order."""
    there = set(splits)
    return [split for split in ("train", "eval", "test", UNASSIGNED) if split in there]


@dataclass(frozen=True)
class Cells:
    """What a sentence needs of each cell of a manifest, as lists with one entry a row."""

    cell_ids: list[str]
    paths: list[str]
    labels: list[str]
    splits: list[str]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> Cells:
        """Of a manifest's frame."""
        ids, paths = ids_of(frame, "cell_id"), ids_of(frame, "path")
        return cls(ids, paths, labels_of(frame), splits_of(frame))

    def name(self, rows: Sequence[int]) -> str:
        """Such as "train: a.jpg, b.jpg; eval: c.jpg"."""
        shown = list(rows)[:MAX_NAMED]
        parts = {
            split: [self.cell_ids[row] for row in shown if self.splits[row] == split]
            for split in order(self.splits[row] for row in shown)
        }
        text = "; ".join(f"{split}: {', '.join(names)}" for split, names in parts.items())
        more = len(rows) - len(shown)
        return f"{text}; and {more:,} more" if more > 0 else text

    def finding(
        self,
        check: str,
        severity: Severity,
        message: str,
        rows: Sequence[int],
        number: float | None = None,
        is_picture: bool = False,
    ) -> Finding:
        """A finding that names the cells of some rows."""
        cell_ids = tuple(self.cell_ids[row] for row in rows)
        paths = tuple(self.paths[row] for row in rows)
        return Finding(check, severity, message, cell_ids, paths, number, is_picture)
