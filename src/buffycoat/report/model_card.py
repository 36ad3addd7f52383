"""The Markdown card that travels with a bundle (after Mitchell et al. 2019, arXiv 1810.03993)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from buffycoat.report import wording
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE

DEFAULT_USES = (
    "Research on white-blood-cell classification where classes are rare or images degraded.",
    "Sorting archived images of single cells for review by a person who is trained to do so.",
)


@dataclass(frozen=True)
class Source:
    """Data or initial weights that went into the model.

    Attributes:
        name: What it is.
        licence: Its licence, e.g. "CC BY 4.0".
        attribution: Who made it, and where it is found.
        changes: What was changed, as CC BY asks to state.
        is_non_commercial: Whether the licence forbids commercial use.
    """

    name: str
    licence: str
    attribution: str
    changes: str = ""
    is_non_commercial: bool = False


@dataclass(frozen=True)
class CardData:
    """Everything on a model card.

    Attributes:
        name: The bundle's name.
        description: What it is, in a sentence or two.
        classes: Code -> name of the classes it knows, in column order.
        train_counts: Code -> training cells.
        sources: Data and initial weights.
        training: What was done -> how, e.g. "backbone" -> "tf_efficientnet_lite0".
        evaluations: Split -> record of `evaluate.summary.evaluate`.
        intended_uses: What it is for.
        limits: What it must not be used for or has not seen, one sentence each.
        never_seen: Names of classes that a user may meet and it will call something else.
        load: Path or name to load it by.
        licence: Of the weights themselves.
        provenance: What -> value: config hash, versions, fingerprints.
    """

    name: str
    description: str
    classes: Mapping[str, str]
    train_counts: Mapping[str, int]
    sources: Sequence[Source]
    training: Mapping[str, str]
    evaluations: Mapping[str, Mapping[str, Any]]
    intended_uses: Sequence[str] = DEFAULT_USES
    limits: Sequence[str] = ()
    never_seen: Sequence[str] = ()
    load: str = "path/to/bundle"
    licence: str = "Apache-2.0"
    provenance: Mapping[str, str] = field(default_factory=dict)


def model_card(data: CardData) -> str:
    """The card as Markdown; words of the data cannot break its tables or become HTML.

    Args:
        data: What it says.
    """
    blocks = [
        f"# {_inline(data.name)}",
        _inline(data.description),
        f"**{NOT_A_MEDICAL_DEVICE}**",
        "## Intended use",
        _bullets(data.intended_uses),
        "## Not intended",
        _bullets([NOT_A_MEDICAL_DEVICE, *data.limits, *_never_seen(data.never_seen)]),
        "## Classes",
        _table(
            ("Code", "Name", "Training cells"),
            [(c, n, f"{data.train_counts.get(c, 0):,}") for c, n in data.classes.items()],
        ),
        "## Data and initial weights",
        _sources(data),
        "## Training",
        _table(("What", "How"), list(data.training.items())),
        "## Figures",
        *[_figures(split, record) for split, record in data.evaluations.items()],
        "## How to load",
        _how_to_load(data.load),
    ]
    if data.provenance:
        blocks += ["## Provenance", _table(("What", "Value"), list(data.provenance.items()))]
    return "\n\n".join(blocks) + "\n"


def _never_seen(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return [f"It has never seen a {listed}, and will call one something else."]


def _sources(data: CardData) -> str:
    rows = [(s.name, s.licence, s.attribution, s.changes or "none") for s in data.sources]
    lines = [_table(("What", "Licence", "Attribution", "Changes"), rows)]
    lines.append(f"The weights in this bundle are released under {_inline(data.licence)}.")
    restricted = [s.name for s in data.sources if s.is_non_commercial]
    if restricted:
        lines.append(f"**Non-commercial use only**, because of: {_inline(', '.join(restricted))}.")
    return "\n\n".join(lines)


def _figures(split: str, record: Mapping[str, Any]) -> str:
    rows = wording.metric_rows(split, record)
    keys = ("metric", "value", "interval", "split", "n", "level", "method")
    overall = _table(
        ("Metric", "Value", "Interval", "Split", "n", "Level", "Method"),
        [tuple(row[key] for key in keys) for row in rows],
    )
    classes = _table(
        ("Class", "n", "Precision", "Sensitivity", "Specificity", "F1", "F1 interval"),
        [
            (
                row["code"],
                str(row["support"]),
                *(wording.number(row[key]) for key in ("precision", "sensitivity", "specificity")),
                wording.number(row["f1"]),
                wording.ends(row["f1_interval"]),
            )
            for row in record["per_class"]
        ],
    )
    by_severity = _severity(record["by_severity"])
    words = " ".join(wording.sentences(split, record))
    return "\n\n".join(
        block
        for block in (f"### {_inline(split)}", _inline(words), overall, classes, by_severity)
        if block
    )


def _severity(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return ""
    return _table(
        ("Severity", "n", "Balanced macro-F1", "Interval"),
        [
            (
                row["severity"] if isinstance(row["severity"], str) else f"{row['severity']:g}",
                f"{row['n']:,}",
                wording.number(row["balanced_macro_f1"]["estimate"]),
                wording.ends(row["balanced_macro_f1"]),
            )
            for row in rows
        ],
    )


def _how_to_load(name: str) -> str:
    return (
        "```python\n"
        "import buffycoat\n\n"
        f"model = buffycoat.load({json.dumps(name)})\n"
        "predictions = model.predict(images)  # (h, w, 3) uint8 RGB arrays\n"
        "```\n\n"
        "or, from the command line:\n\n"
        f"```sh\nbuffycoat predict {name} IMAGES --out predictions.csv\n```"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'-|' * len(head)}"]
    lines += [f"| {' | '.join(_inline(str(value)) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_inline(line)}" for line in lines)


def _inline(words: str) -> str:
    """One line that is neither a table's edge nor HTML."""
    flat = " ".join(words.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
