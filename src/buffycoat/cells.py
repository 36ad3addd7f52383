"""What goes between stages: where a cell is, the manifest of cells, the record of a prediction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from buffycoat.errors import ManifestError
from buffycoat.plurals import counted, missing_columns
from buffycoat.statement import Statement
from buffycoat.taxonomy import Taxonomy

COLUMNS = {
    "cell_id": "string",
    "path": "string",
    "label": "string",
    "patient_id": "string",
    "slide_id": "string",
    "split": "string",
    "severity": "Int64",
    "original_id": "string",
    "source": "string",
    "box": "string",
    "um_per_px": "Float64",
    "site": "string",
    "field": "string",
    "field_box": "string",
    "kind": "string",
    "is_cut": "boolean",
    "is_counted": "boolean",
    "field_faults": "string",
}
"""Columns of a manifest and their pandas types; all but the first two may be missing (NA)."""

PLACE = {
    "field": "field",
    "box": "field_box",
    "um_per_px": "um_per_px",
    "kind": "kind",
    "is_cut": "is_cut",
    "is_counted": "is_counted",
    "field_faults": "field_faults",
}
"""Where a cell is in a field of view: column of what `find` and `predict` write -> of a manifest,
whose `box` is a part of the cell's own picture."""

SPLITS = ("train", "eval", "test")
SCALES_UM = 0.01, 5.0
"""Widths of a pixel that a microscope's picture may have, in micrometres."""
SCALE_WORDS = f"micrometres from {SCALES_UM[0]:g} to {SCALES_UM[1]:g}"
_SPLITS = ", ".join(SPLITS)
MAX_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class CellRef:
    """Where the picture of one cell is.

    Attributes:
        path: A file of one picture, or a Parquet table of pictures.
        row: Of the table, from 0; None for a file.
        box: The cell in the picture: left, top, width, height in pixels; None for all of it.
        um_per_px: Micrometres that a pixel is wide, if known.
    """

    path: str
    row: int | None = None
    box: tuple[int, int, int, int] | None = None
    um_per_px: float | None = None

    @classmethod
    def parse(cls, path: str, box: Any = None, um_per_px: Any = None) -> CellRef:
        """What a row of a manifest says.

        >>> CellRef.parse("cells.parquet#7", "0,0,80,90").row
        7

        Args:
            path: A file, or `FILE.parquet#ROW`.
            box: "left,top,width,height"; NA for none.
            um_per_px: NA if unknown.

        Raises:
            ManifestError: The box is not four whole numbers, the last two over 0.
        """
        file, mark, row = path.rpartition("#")
        is_row = bool(mark) and file.endswith(".parquet") and row.isdigit()
        sides = None if box is None or pd.isna(box) else _read_box(str(box), path)
        scale = None if um_per_px is None or pd.isna(um_per_px) else float(um_per_px)
        return cls(file if is_row else path, int(row) if is_row else None, sides, scale)

    def __str__(self) -> str:
        name = self.path if self.row is None else f"{self.path}#{self.row}"
        return name if self.box is None else f"{name} at {','.join(map(str, self.box))}"


def _read_box(text: str, path: str) -> tuple[int, int, int, int]:
    parts = text.split(",")
    if len(parts) == 4 and all(part.strip().isdigit() for part in parts):
        left, top, width, height = map(int, parts)
        if width and height:
            return left, top, width, height
    raise ManifestError(f"{path}: box {text!r}, expected left,top,width,height in whole pixels")


@dataclass(frozen=True)
class Manifest:
    """One row a cell, with a checked schema (`COLUMNS`).

    `path` is a file, or `FILE.parquet#ROW` for an image stored in a Parquet table. `split` is
    "train", "eval" or "test". `severity` is 0 (pristine) to 4, NA where unknown. `original_id`
    names the pristine cell that this one was degraded from. `box` is "left,top,width,height" of a
    cell in a larger picture, `um_per_px` the width of its pixels, `site` the laboratory. Of a cell
    that `find` cut out of a field of view, `field` is that field, `field_box` the cell's box in it,
    `kind` "cell" or "smudge"; `is_cut`, `is_counted`, `field_faults` are as `find` says. A cell's
    id follows from the cell alone, never from which others are in the table; it and the row never
    reach a model.

    Build it with `from_frame`, which checks.

    Attributes:
        frame: The table.
        notes: What the reader left out or took for granted, in sentences, for the report.
        statement: What the reader found in the whole data set, also of cells not in this manifest.
    """

    frame: pd.DataFrame
    notes: tuple[str, ...] = ()
    statement: Statement = field(default_factory=Statement)

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, source: str, notes: Sequence[str] = ()) -> Manifest:
        """Check a table and add the columns that it lacks.

        Args:
            frame: At least `cell_id` and `path`.
            source: Where the table came from, for messages and for the `source` column.
            notes: What the reader left out or took for granted.

        Returns:
            The manifest, rows in the given order.

        Raises:
            ManifestError: Lists every fault: missing or unknown columns, empty or double
                cell_id, empty path, blank label, unknown split, severity or scale out of range.
        """
        missing = [name for name in ("cell_id", "path") if name not in frame]
        faults = [missing_columns(missing)] if missing else []
        faults += [f"unknown column {c!r}" for c in frame if c not in COLUMNS]
        if faults:
            raise manifest_error(source, faults)
        table = frame.reset_index(drop=True).reindex(columns=list(COLUMNS))
        table["source"] = table["source"].fillna(source) if "source" in frame else source
        try:
            table = table.astype(COLUMNS)
        except (TypeError, ValueError) as error:
            raise manifest_error(source, [f"a column has the wrong type ({error})"]) from error
        faults += _row_faults(table)
        if faults:
            raise manifest_error(source, faults)
        return cls(table, tuple(notes))

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def is_labelled(self) -> np.ndarray:
        """Shape (n,), bool: whether the cell has a label."""
        return self.frame["label"].notna().to_numpy(dtype=bool)

    @property
    def has_patients(self) -> bool:
        """Whether every cell has a patient."""
        return len(self) > 0 and bool(self.frame["patient_id"].notna().all())

    def refs(self) -> Iterator[CellRef]:
        """Where the picture of each cell is, in order."""
        columns = (self.column(name) for name in ("path", "box", "um_per_px"))
        for path, box, um_per_px in zip(*columns, strict=True):
            yield CellRef.parse(str(path), box, um_per_px)

    def subset(self, rows: np.ndarray | pd.Series) -> Manifest:
        """The rows where a boolean mask holds, or at the given positions, in that order."""
        keep = np.asarray(rows)
        positions = np.flatnonzero(keep) if keep.dtype == bool else keep.astype(np.int64)
        frame = self.frame.iloc[positions].reset_index(drop=True)
        return Manifest(frame, self.notes, self.statement)

    def of_split(self, *names: str) -> Manifest:
        """The cells whose split is one of the names."""
        return self.subset(self.frame["split"].isin(names).to_numpy(dtype=bool))

    def column(self, name: str) -> np.ndarray:
        """One column of the frame, shape (n,), dtype object; `pd.NA` where it is missing."""
        return self.frame[name].to_numpy(dtype=object)

    def targets(self, taxonomy: Taxonomy) -> np.ndarray:
        """Column index of each label, shape (n,), int64; every cell must have a label."""
        missing = self.frame.loc[~self.is_labelled, "cell_id"]
        if n := len(missing):
            raise ManifestError(f"no label for {counted(n, 'cell')}, first: {missing.iloc[0]!r}")
        return taxonomy.encode(self.frame["label"].tolist())

    def counts(self) -> dict[str, int]:
        """Label -> number of cells."""
        return {str(k): int(v) for k, v in self.frame["label"].value_counts().items()}


def _row_faults(table: pd.DataFrame) -> list[str]:
    cell_id, path, split, um_per_px = (table[c] for c in ("cell_id", "path", "split", "um_per_px"))
    checks = [
        ("cell_id", cell_id.isna() | (cell_id.str.strip() == ""), "cell_id is empty"),
        ("path", path.isna() | (path.str.strip() == ""), "path is empty"),
        ("label", table["label"].str.strip() == "", "label is blank; use NA for none"),
        ("cell_id", cell_id.duplicated() & cell_id.notna(), "cell_id {!r} is used twice"),
        ("split", ~(split.isin(SPLITS) | split.isna()), f"split {{!r}}, expected one of {_SPLITS}"),
        ("severity", ~table["severity"].between(0, 4), "severity {}, expected 0 to 4"),
        ("um_per_px", ~um_per_px.between(*SCALES_UM), f"um_per_px {{}}, expected {SCALE_WORDS}"),
    ]
    return [
        f"row {row}: {words.format(table[name][row])}"
        for name, wrong, words in checks
        for row in np.flatnonzero(wrong.fillna(False).to_numpy(dtype=bool))
    ]


def manifest_error(source: str, faults: Sequence[str]) -> ManifestError:
    """The error that lists all faults of a data set, or `MAX_FAULTS_SHOWN` and how many more."""
    if len(faults) == 1:
        return ManifestError(f"{source}: {faults[0]}")
    shown = "\n  ".join(faults[:MAX_FAULTS_SHOWN])
    more = len(faults) - MAX_FAULTS_SHOWN
    rest = f"\n  ... and {more} more" if more > 0 else ""
    return ManifestError(f"{source}: {counted(len(faults), 'fault')}:\n  {shown}{rest}")


@dataclass(frozen=True)
class EvidenceKind:
    """What a code of `Evidence` stands for.

    Attributes:
        words: A few words for a count of cells, e.g. "low probability".
        is_doubt: Whether a person should look at a cell that has it (`Prediction.is_abstained`).
    """

    words: str
    is_doubt: bool = False


EVIDENCE = {
    "top_classes": EvidenceKind("the two most probable classes"),
    "low_probability": EvidenceKind("low probability", is_doubt=True),
    "outlier": EvidenceKind("unlike the training cells", is_doubt=True),
    "no_cell": EvidenceKind("no cell found", is_doubt=True),
    "poor_outline": EvidenceKind("outline not reliable", is_doubt=True),
    "unfamiliar_site": EvidenceKind("not sure enough for another laboratory", is_doubt=True),
    "restored": EvidenceKind("measured on the restored image"),
    "runner_up": EvidenceKind("replaced by the runner-up"),
    "rescued": EvidenceKind("class changed by a rescue rule"),
    "rescue_limit": EvidenceKind("limit of that rule"),
    "moved": EvidenceKind("label moved from the most probable class for a score"),
    "unusual_feature": EvidenceKind("feature unusual for the class"),
}
"""Every code that evidence may have. Codes are stable, words may change; docs/evidence.md says what
each one means."""
DOUBTS = {code: kind.words for code, kind in EVIDENCE.items() if kind.is_doubt}
"""The codes for which a person should look -> a few words for a count of cells."""


@dataclass(frozen=True)
class Evidence:
    """One reason, in words and numbers.

    Attributes:
        stage: The stage that says it: "restore", "segment", "classify", "embed", "refine".
        code: What kind of reason it is; a key of `EVIDENCE`.
        text: The sentence, e.g. "spikiness 1.52 > 1.31 (LY 99th percentile)".
        value: The number measured, if there is one.
        limit: The number that it was compared with, if there is one.
    """

    stage: str
    code: str
    text: str
    value: float | None = None
    limit: float | None = None

    def __post_init__(self) -> None:
        assert self.code in EVIDENCE, f"{self.code!r} is not in cells.EVIDENCE"


@dataclass(frozen=True)
class Prediction:
    """What buffycoat says of one cell.

    Attributes:
        cell_id: The cell.
        label: Class code.
        probability: Probability of `label`, 0-1.
        probs: Probability of each class in taxonomy order; sums to 1.
        entropy: Of `probs`, in nats.
        views: Views of the cell that the classifier looked at, of all its models together.
        conformal_set: Codes that cannot be ruled out at the bundle's error rate.
        severity: Estimated degradation, 0 (pristine) to 4.
        degradation: What it suffers: of "noise", "blur" and "light"; empty for a pristine cell.
        is_restored: Whether shape and embedding were measured on the restored image; the
            classifier sees it only where that won out of fold.
        restore_reason: Why it was restored, or why not.
        restore_change: What restoration would have changed or did change, number by number (see
            `restore.change.GateNumbers`); empty where it was not tried.
        outlier_score: Larger is stranger; unitless.
        outlier_percentile: Share of training cells, in percent, that are less strange.
        site_shift: How unlike the training cells the cells of this site look, all of them together:
            the largest distance over its limit, an alarm above 1; NaN where they are too few to
            say, or the bundle does not know its training cells' looks.
        is_rescued: Whether a rescue rule changed the label.
        is_moved: Whether the label is another than the most probable class, after rescue, since a
            score is maximised (see `fuse.label_rule`).
        is_abstained: Whether a person should look, for any of `reasons`.
        evidence: The reasons.
    """

    cell_id: str
    label: str
    probability: float
    probs: tuple[float, ...]
    entropy: float
    views: int
    conformal_set: tuple[str, ...]
    severity: float
    degradation: tuple[str, ...]
    is_restored: bool
    restore_reason: str
    restore_change: Mapping[str, float]
    outlier_score: float
    outlier_percentile: float
    site_shift: float
    is_rescued: bool
    is_moved: bool
    is_abstained: bool
    evidence: tuple[Evidence, ...] = field(default_factory=tuple)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes of the evidence for which a person should look; see `DOUBTS`."""
        return tuple(e.code for e in self.evidence if e.code in DOUBTS)
