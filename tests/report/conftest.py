"""One report with something in every section, and a parser that checks what it reads."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from buffycoat.evaluate.crossing import crossing_rows
from buffycoat.evaluate.curves import precision_recall
from buffycoat.evaluate.doubt import abstention_curve, coverage_rows
from buffycoat.evaluate.summary import evaluate
from buffycoat.report.records import (
    AblationRow,
    CellLists,
    Doubt,
    ExampleCell,
    MapPoint,
    ReportData,
    RestoredPair,
    StageNote,
)
from buffycoat.taxonomy import PBC

VOID = {"meta", "br", "img", "link", "input", "hr"}
COUNTS = dict(zip(PBC.codes, (946, 600, 230, 160, 70, 40, 36, 32, 14, 10), strict=True))
SUPPORT = (12, 12, 12, 12, 12, 12, 12, 12, 12, 3)
"""The last class has too few cells for scores of its own."""


class Page(HTMLParser):
    """Collects tags and words, and fails on a tag that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()} closes another tag"

    def handle_data(self, data):
        self.words += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="session")
def parse():
    """Text of a page -> `Page`."""
    return Page


@pytest.fixture(scope="session")
def scored():
    """Probabilities, targets and severities of a small split."""
    rng = np.random.default_rng(2)
    targets = np.repeat(np.arange(10), SUPPORT)
    logits = rng.normal(size=(len(targets), 10))
    logits[np.arange(len(targets)), targets] += 2.5
    probs = np.exp(logits)
    probs /= probs.sum(axis=1, keepdims=True)
    return probs, targets, np.arange(len(targets)) % 5


@pytest.fixture(scope="session")
def record(scored):
    """What `evaluate` says of it."""
    probs, targets, severity = scored
    return evaluate(probs, targets, PBC, COUNTS, severity)


@pytest.fixture(scope="session")
def full_report(scored, record):
    """A report in which no section is empty."""
    probs, targets, severity = scored
    called = probs.argmax(axis=1)
    points = {
        code: [
            {"threshold": float(t), "recall": float(r), "precision": float(p)}
            for t, r, p in zip(of.threshold, of.recall, of.precision, strict=True)
        ]
        for code, of in zip(PBC.codes, precision_recall(targets, probs), strict=True)
    }
    score = record["balanced_macro_f1"]
    gain = {"estimate": -0.01, "low": -0.02, "high": 0.003}
    sets = probs > 0.1
    sets[np.arange(len(sets)), called] = True
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    cell = ExampleCell(
        image, "cell-1", "LY", "ERB", 0.71, ["spikiness 1.52 > 1.31"], "wrong", ["LY", "ERB"], 1.5
    )
    pair = RestoredPair(
        image, 255 - image, "cell-3", False, "nucleus grew", ("noise", "light"), {"hue_shift": 1.5}
    )
    return ReportData(
        title="Ten classes",
        evaluations={"eval": record, "out of fold": record},
        summary=["A paragraph of the run."],
        ablation=[
            AblationRow("classifier alone", score),
            AblationRow("+ restoration", score, score, gain, False, "Does not win: off."),
        ],
        stage_notes=[StageNote("restore", "off", "It lost out of fold.")],
        rules=[
            {
                "code": "PMY",
                "is_on": False,
                "reason": "no gain",
                "rivals": "MY",
                "corrected": 2,
                "spoiled": 3,
            }
        ],
        curves={"eval": points},
        crossing={"eval": crossing_rows(targets, called, PBC, COUNTS, severity)},
        doubt=Doubt(
            0.1,
            {"SNE": "class", "PMY": "lineage"},
            {"eval": coverage_rows(sets, targets, PBC.codes)},
            {"eval": abstention_curve(targets, called, probs.max(axis=1), 10)},
        ),
        cells=CellLists(
            111,
            [replace(cell, caption=f"doubtful-{n}") for n in range(30)],
            [cell],
            [pair],
            [cell, replace(cell, caption="cell-2", predicted="ERB", why="right")],
            [cell],
        ),
        points=[
            *(
                MapPoint(f"t{n}", "training", PBC.codes[n % 10], n / 40, n % 7 / 7)
                for n in range(40)
            ),
            MapPoint("doubtful-0", "doubtful", "LY", 0.25, 0.75, image),
            MapPoint("cell-1", "wrong", "LY", 0.5, 0.5),
        ],
        audit={
            "data": "cells.csv",
            "n_cells": 111,
            "checks": [
                {
                    "check": "duplicates",
                    "title": "No file is there twice",
                    "trouble": "Files are there twice",
                    "state": "found",
                    "why": "A model may have seen them.",
                    "remedy": "Leave one out.",
                    "said": "111 files were compared.",
                    "not_checked": "",
                    "findings": [{"severity": "finding", "message": "a.png is b.png"}],
                }
            ],
        },
        provenance={"config": {"hash": "abc123"}, "classes": ["SNE", "LY"]},
        settings={"classify": {"folds": 3}},
        seconds={"classify": 12.5},
        limits=["It has never seen a blast."],
    )
