"""The Markdown card that travels with a bundle (after Mitchell et al. 2019, arXiv 1810.03993)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from buffycoat.report.card_figures import figures
from buffycoat.report.markdown import bullets, inline, table
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
    load: str = "path/to/bundle"
    licence: str = "Apache-2.0"
    provenance: Mapping[str, str] = field(default_factory=dict)


def model_card(data: CardData) -> str:
    """The card as Markdown; words of the data cannot break its tables or become HTML.

    Args:
        data: What it says.
    """
    blocks = [
        f"# {inline(data.name)}",
        inline(data.description),
        f"**{NOT_A_MEDICAL_DEVICE}**",
        "## Intended use",
        bullets(data.intended_uses),
        "## Not intended",
        bullets([NOT_A_MEDICAL_DEVICE, *data.limits]),
        "## Classes",
        table(
            ("Code", "Name", "Training cells"),
            [(c, n, f"{data.train_counts.get(c, 0):,}") for c, n in data.classes.items()],
        ),
        "## Data and initial weights",
        _sources(data),
        "## Training",
        table(("What", "How"), list(data.training.items())),
        "## Figures",
        *[figures(split, record) for split, record in data.evaluations.items()],
        "## How to load",
        _how_to_load(data.load),
    ]
    if data.provenance:
        blocks += ["## Provenance", table(("What", "Value"), list(data.provenance.items()))]
    return "\n\n".join(blocks) + "\n"


def _sources(data: CardData) -> str:
    rows = [(s.name, s.licence, s.attribution, s.changes or "none") for s in data.sources]
    lines = [table(("What", "Licence", "Attribution", "Changes"), rows)]
    lines.append(f"The weights in this bundle are released under {inline(data.licence)}.")
    restricted = [s.name for s in data.sources if s.is_non_commercial]
    if restricted:
        lines.append(f"**Non-commercial use only**, because of: {inline(', '.join(restricted))}.")
    return "\n\n".join(lines)


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
