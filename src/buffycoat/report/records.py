"""What a report is made of: plain records that the pipeline fills and the page only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

NOT_A_MEDICAL_DEVICE = (
    "Not a medical device. Not for diagnosis, screening or any decision about a patient."
)
"""Stands on every page and card."""

StageState = Literal["on", "off", "partly"]
RIGHT, DOUBTFUL, WRONG, TRAINING = "right", "doubtful", "wrong", "training"
"""Why a cell is on a contact sheet or on the map."""


@dataclass(frozen=True)
class ExampleCell:
    """One cell to look at.

    Attributes:
        image: Shape (h, w, 3), uint8, RGB; None where the picture cannot be had.
        caption: A few words, e.g. the cell's id.
        predicted: Class code given by the model.
        true: Class code given by people, if known.
        probability: Of `predicted`, 0-1.
        evidence: Reasons, one sentence each.
        why: Why it is shown, in a word or two.
        label_set: Classes that cannot be ruled out.
        severity: Estimated degradation, 0-4.
    """

    image: np.ndarray[Any, Any] | None
    caption: str
    predicted: str
    true: str | None = None
    probability: float | None = None
    evidence: Sequence[str] = ()
    why: str = ""
    label_set: Sequence[str] = ()
    severity: float | None = None


@dataclass(frozen=True)
class RestoredPair:
    """A cell before and after restoration.

    Attributes:
        before: Shape (h, w, 3), uint8, RGB; None where the picture cannot be had.
        after: The same of the restored image.
        caption: A few words, e.g. the cell's id.
        is_accepted: Whether the gate let later stages see `after`.
        reason: Why the gate did so.
        degradation: What the cell suffers, e.g. ("noise",).
        change: What the gate measured, number by number.
        severity: Estimated degradation, 0-4.
    """

    before: np.ndarray[Any, Any] | None
    after: np.ndarray[Any, Any] | None
    caption: str
    is_accepted: bool
    reason: str = ""
    degradation: Sequence[str] = ()
    change: Mapping[str, float] = field(default_factory=dict)
    severity: float | None = None


@dataclass(frozen=True)
class MapPoint:
    """One cell on the map of embeddings.

    Attributes:
        caption: Its id.
        kind: `TRAINING`, `DOUBTFUL` or `WRONG`.
        code: Class by its label for a training cell, else the predicted one.
        x: From the left, 0-1.
        y: From below, 0-1.
        image: Shape (h, w, 3), uint8; None for a dot or a sign.
    """

    caption: str
    kind: str
    code: str
    x: float
    y: float
    image: np.ndarray[Any, Any] | None = None


@dataclass(frozen=True)
class AblationRow:
    """The score with the stages up to one.

    Attributes:
        stage: E.g. "classifier alone", "+ restoration".
        balanced_macro_f1: `Interval.to_dict()`.
        prior_weighted_macro_f1: `Interval.to_dict()`, if the training counts are known.
        gain: `Interval.to_dict()` of the paired difference to the row above, if there is one.
        is_used: Whether the stage is on in what ships.
        note: What the reader should know of it.
    """

    stage: str
    balanced_macro_f1: Mapping[str, Any]
    prior_weighted_macro_f1: Mapping[str, Any] | None = None
    gain: Mapping[str, Any] | None = None
    is_used: bool = True
    note: str = ""


@dataclass(frozen=True)
class StageNote:
    """What a stage did, or why it was switched off.

    Attributes:
        stage: Its name.
        state: "on", "off" or "partly".
        note: The reason, with the numbers it rests on.
    """

    stage: str
    state: StageState
    note: str


@dataclass(frozen=True)
class Doubt:
    """Coverage of prediction sets, and what it gains to leave unsure cells to a person.

    Attributes:
        alpha: Error rate that the sets were made for.
        guarantees: Class -> what its coverage rests on.
        coverage: Split -> rows of `evaluate.doubt.coverage_rows`.
        abstention: Split -> rows of `evaluate.doubt.abstention_curve`.
    """

    alpha: float
    guarantees: Mapping[str, str]
    coverage: Mapping[str, Sequence[Mapping[str, Any]]]
    abstention: Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class CellLists:
    """Cells of the first split, in the order in which they are shown; only the first have images.

    Attributes:
        n: Cells that were scored; 0 where no predictions of single cells were left.
        doubtful: All that a person should look at.
        rescued: All whose label a rule changed.
        restored: All that restoration was tried on.
        examples: Of each class the surest right cells, the doubtful and the surest wrong ones;
            `why` says which.
        confused: Of the commonest confusions the surest cells, one confusion after the other.
        note: What the reader must know of the cells or their pictures; "" for nothing.
        is_bare: Whether cells are listed and no picture of any was found.
    """

    n: int = 0
    doubtful: Sequence[ExampleCell] = ()
    rescued: Sequence[ExampleCell] = ()
    restored: Sequence[RestoredPair] = ()
    examples: Sequence[ExampleCell] = ()
    confused: Sequence[ExampleCell] = ()
    note: str = ""
    is_bare: bool = False


@dataclass(frozen=True)
class ReportData:
    """Everything on a report's page.

    Attributes:
        title: Heading of the page.
        evaluations: Split -> record of `evaluate.summary.evaluate`; the first is shown in detail.
        summary: Paragraphs that open the page, before the sentences made from the figures.
        ablation: One row a stage, in the order in which the stages were added.
        stage_notes: One a stage.
        rules: Rescue rules as `RescueRules.table` gives them.
        curves: Split -> class -> points of its curve: `threshold`, `recall`, `precision`.
        crossing: Split -> rows of `evaluate.crossing.crossing_rows`.
        doubt: What label sets and abstention do on each split; None where it was not measured.
        cells: Single cells.
        points: The map of embeddings, the marked cells in the order of their importance.
        audit: As `audit.findings.Audit.to_dict` gives it; None where none was made.
        provenance: Name -> value; nested mappings are shown as groups.
        settings: The same of the resolved settings.
        seconds: Stage -> seconds that it took.
        limits: What the model must not be used for or has not seen, one sentence each.
    """

    title: str
    evaluations: Mapping[str, Mapping[str, Any]]
    summary: Sequence[str] = ()
    ablation: Sequence[AblationRow] = ()
    stage_notes: Sequence[StageNote] = ()
    rules: Sequence[Mapping[str, Any]] = ()
    curves: Mapping[str, Mapping[str, Sequence[Mapping[str, float]]]] = field(default_factory=dict)
    crossing: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    doubt: Doubt | None = None
    cells: CellLists = field(default_factory=CellLists)
    points: Sequence[MapPoint] = ()
    audit: Mapping[str, Any] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    limits: Sequence[str] = ()
