"""The single cells of a report: which are listed, in what order, and their pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from buffycoat.bundle.fitted import Fitted
from buffycoat.cells import DOUBTS, Manifest
from buffycoat.learn import prepare
from buffycoat.learn.run_folder import EVAL, HELD_OUT, RunFolder
from buffycoat.plurals import some_of
from buffycoat.progress import Silent
from buffycoat.refine.feature_words import in_words
from buffycoat.report.page import SHOWN_CELLS, SHOWN_PAIRS
from buffycoat.report.records import (
    DOUBTFUL,
    RIGHT,
    WRONG,
    CellLists,
    ExampleCell,
    RestoredPair,
)

ON_SHEET = 6
"""Cells of one class and kind on its contact sheet, and of one confusion."""
CONFUSIONS = 8
"""Confusions whose cells are shown."""

PLACE = ("path", "um_per_px")
"""Where a picture is, and what frames it; older runs did not keep the second."""
NO_SPLIT = "This run had no labelled held-out cells, so no single cells are listed."
NO_TABLE = (
    f"This run left no predictions of single cells ({HELD_OUT}): a version wrote it that did not "
    "keep them. Train again into the same folder to have them; stages that are finished are not "
    "run again."
)


def cell_lists(fitted: Fitted, run: RunFolder, data: Manifest | None) -> CellLists:
    """Every list of cells, the first of each with pictures.

    Args:
        fitted: What the run learned.
        run: What it left.
        data: Where the pictures are looked for; None for where they lay in training.
    """
    if run.held_out is None:
        has_split = EVAL in run.metrics["evaluations"]
        return CellLists(note=NO_TABLE if has_split else NO_SPLIT)
    chosen = _Chosen.of(run.held_out, fitted.taxonomy.codes)
    shown = chosen.with_pictures()
    pictures, note = _pictures(shown, fitted, data)
    return CellLists(
        n=len(run.held_out),
        doubtful=_examples(chosen.doubtful, pictures),
        rescued=_examples(chosen.rescued, pictures),
        restored=_pairs(chosen.tried, pictures, fitted),
        examples=_examples(chosen.examples, pictures),
        confused=_examples(chosen.confused, pictures),
        note=note,
        is_bare=len(shown) > 0 and not pictures,
    )


@dataclass(frozen=True)
class _Chosen:
    """Rows of the held-out cells, each list in the order in which it is shown."""

    doubtful: pd.DataFrame
    rescued: pd.DataFrame
    tried: pd.DataFrame
    examples: pd.DataFrame
    confused: pd.DataFrame

    @classmethod
    def of(cls, frame: pd.DataFrame, codes: Sequence[str]) -> _Chosen:
        frame = frame.assign(reasons=[json.loads(text) for text in frame["evidence"]])
        doubtful = frame.loc[frame["is_abstained"]]
        doubtful = doubtful.assign(why=[_doubts(reasons) for reasons in doubtful["reasons"]])
        rescued = frame.loc[frame["is_rescued"]].assign(why="rescued")
        tried = frame.loc[frame["restore_change"] != "{}"]
        return cls(
            _in_turn(doubtful.sort_values("probability", kind="stable"), "why"),
            rescued.sort_values("probability", ascending=False, kind="stable"),
            _in_turn(tried.sort_values("severity", ascending=False, kind="stable"), "is_restored"),
            _sheets(frame, codes),
            _confused(frame, codes),
        )

    def with_pictures(self) -> pd.DataFrame:
        """The rows whose pictures the page has room for."""
        parts = (
            self.doubtful.head(SHOWN_CELLS),
            self.rescued.head(SHOWN_CELLS),
            self.tried.head(SHOWN_PAIRS),
            self.examples,
            self.confused,
        )
        columns = [name for name in ("cell_id", "sha256", *PLACE) if name in self.examples]
        return pd.concat([part.loc[:, columns] for part in parts]).drop_duplicates("cell_id")


def _doubts(reasons: list[dict[str, object]]) -> str:
    """Why a person should look; runs of versions without codes did not keep it."""
    codes = [of.get("code") for of in reasons]
    return ", ".join(words for code, words in DOUBTS.items() if code in codes)


def _in_turn(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """The first row of each value of a column, then the second of each: all kinds come early."""
    turn = frame.groupby(column).cumcount().to_numpy()
    return frame.iloc[np.argsort(turn, kind="stable")]


def _sheets(frame: pd.DataFrame, codes: Sequence[str]) -> pd.DataFrame:
    """Of each class, in the taxonomy's order, right, doubtful and wrong cells, the surest first.

    Of doubtful cells, right or wrong, the least probable come first.
    """
    is_right = (frame["label"] == frame["true_label"]).to_numpy()
    is_doubtful = frame["is_abstained"].to_numpy(dtype=bool)
    kind = np.where(is_doubtful, DOUBTFUL, np.where(is_right, RIGHT, WRONG))
    probability = frame["probability"].to_numpy(dtype=float)
    frame = frame.assign(
        why=kind,
        column=[codes.index(code) for code in frame["true_label"]],
        kind=[(RIGHT, DOUBTFUL, WRONG).index(of) for of in kind],
        turn=np.where(is_doubtful, probability, -probability),
    ).sort_values(["column", "kind", "turn"], kind="stable")
    return frame.loc[frame.groupby(["column", "kind"]).cumcount() < ON_SHEET]


def _confused(frame: pd.DataFrame, codes: Sequence[str]) -> pd.DataFrame:
    """The surest cells of the commonest confusions, by share of the true class."""
    wrong = frame.loc[frame["label"] != frame["true_label"]]
    totals, pairs = frame["true_label"].value_counts(), ["true_label", "label"]
    sizes = wrong.groupby(pairs).size()
    order = sorted(
        sizes.index,
        key=lambda pair: (
            -sizes[pair] / totals[pair[0]], -sizes[pair], *map(codes.index, pair)
        ),
    )[:CONFUSIONS]  # fmt: skip
    surest = wrong.assign(why=WRONG).sort_values("probability", ascending=False, kind="stable")
    parts = [
        surest.loc[(surest["true_label"] == true) & (surest["label"] == called)].head(ON_SHEET)
        for true, called in order
    ]
    return pd.concat(parts) if parts else surest


def _pictures(
    rows: pd.DataFrame, fitted: Fitted, data: Manifest | None
) -> tuple[dict[str, np.ndarray], str]:
    """Cell -> working image, shape (w, w, 3); and what the reader must know of those that lack.

    A file that is not, byte for byte, the one that was scored is no picture of the cell.
    """
    wanted = rows if data is None else data.frame
    wanted = wanted.loc[wanted["cell_id"].isin(rows["cell_id"].tolist())]
    if not len(wanted):
        return {}, _missing(rows, {}, data)
    columns = [name for name in ("cell_id", *PLACE) if name in wanted]
    manifest = Manifest.from_frame(wanted.loc[:, columns], "the cells of the report")
    cells = prepare.load_cells(manifest, fitted.config, None, Silent(), allow_bad=len(wanted))
    scored = dict(zip(rows["cell_id"], rows["sha256"], strict=True))
    names = cells.manifest.frame["cell_id"].tolist()
    pictures = {
        name: image
        for name, image, digest in zip(names, cells.images, cells.digests, strict=True)
        if digest == scored[name]
    }
    return pictures, _missing(rows, pictures, data)


def _missing(rows: pd.DataFrame, pictures: Mapping[str, np.ndarray], data: Manifest | None) -> str:
    lacking = [name for name in rows["cell_id"] if name not in pictures]
    if not lacking:
        return ""
    place = "where the cells lay in training" if data is None else "in the data that were given"
    return (
        f"The pictures of {some_of(len(lacking), len(rows), 'cell')} are not available: {place}, "
        "their "
        f"files are missing, cannot be read, or are not those that were scored (first: "
        f"{lacking[0]}). Name the data with --data to have them."
    )


def _examples(rows: pd.DataFrame, pictures: Mapping[str, np.ndarray]) -> list[ExampleCell]:
    return [
        ExampleCell(
            pictures.get(row["cell_id"]),
            row["cell_id"],
            row["label"],
            row["true_label"],
            row["probability"],
            [in_words(str(of["text"])) for of in row["reasons"]],
            row["why"],
            row["conformal_set"].split(),
            row["severity"],
        )
        for row in rows.to_dict("records")
    ]


def _pairs(
    rows: pd.DataFrame, pictures: Mapping[str, np.ndarray], fitted: Fitted
) -> list[RestoredPair]:
    """What was restored is not kept, and is made again for the pairs that are shown."""
    shown = [name for name in rows["cell_id"].head(SHOWN_PAIRS) if name in pictures]
    after = {}
    if shown:
        before = np.stack([pictures[name] for name in shown])
        after = dict(zip(shown, fitted.restoration.restorer.restore(before), strict=True))
    return [
        RestoredPair(
            pictures.get(row["cell_id"]) if row["cell_id"] in after else None,
            after.get(row["cell_id"]),
            row["cell_id"],
            row["is_restored"],
            row["restore_reason"],
            tuple(part for part in row["degradation"].split("+") if part),
            json.loads(row["restore_change"]),
            row["severity"],
        )
        for row in rows.to_dict("records")
    ]
