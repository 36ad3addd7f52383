"""What a bundle was made from, in words: population, classes never seen, licences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from buffycoat.config import DataConfig
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE
from buffycoat.taxonomy import BUILT_IN, Taxonomy


def notice(population: str, unseen: Sequence[str]) -> str:
    """What is printed before a prediction: no diagnosis, whose cells, which were never seen."""
    parts = [NOT_A_MEDICAL_DEVICE, population]
    if unseen:
        parts.append(unseen_sentence(unseen))
    return " ".join(part for part in parts if part)


def never_seen(taxonomy: Taxonomy, counts: np.ndarray) -> list[str]:
    """Names of white cells that a user may meet and the model does not know."""
    trained = {c.code for c, n in zip(taxonomy.classes, counts, strict=True) if n > 0}
    known = {cell.code: cell.name for other in BUILT_IN.values() for cell in other.classes}
    known |= {cell.code: cell.name for cell in taxonomy.classes}
    # A class that is read as a coarser one, such as SNE where NE is a class, was seen.
    return [name for code, name in known.items() if taxonomy.spelling.find(code) not in trained]


def restricted(record: Mapping[str, Any]) -> list[str]:
    """One sentence for each licence of data or weights that forbids commercial use.

    Args:
        record: From `provenance`.
    """
    licences = {
        record["data"]["name"]: record["data"]["licence"],
        "initial weights": record["initial_weights"]["licence"],
        "encoder": record["encoder"]["licence"],
    }
    if learned_unlabelled(record):
        named = unlabelled_source(record)
        licences[f"unlabelled cells ({named['name']})"] = named["licence"]
    return [
        f"Non-commercial use only: {what} ({text})."
        for what, text in licences.items()
        if is_non_commercial(text)
    ]


def learned_unlabelled(record: Mapping[str, Any]) -> bool:
    """Whether the weights learned from cells without labels.

    Args:
        record: From `provenance`.
    """
    return bool(record.get("unlabelled", {}).get("is_kept"))


def unlabelled_source(record: Mapping[str, Any]) -> dict[str, str]:
    """Name, licence and attribution of the unlabelled cells, as the settings gave them.

    Args:
        record: From `provenance`.
    """
    fields = DataConfig.model_fields
    keys = ("name", "licence", "attribution")
    data = record["data"]  # of earlier bundles without these settings
    return {key: data.get(f"unlabelled_{key}", fields[f"unlabelled_{key}"].default) for key in keys}


def unseen_sentence(names: Sequence[str]) -> str:
    """What the model has not learned and will therefore get wrong."""
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    article = "an" if listed[0] in "aeiou" else "a"
    return f"It has never seen {article} {listed}, and will call one something else."


def is_non_commercial(licence: str) -> bool:
    """Whether a licence forbids commercial use, by its name."""
    text = licence.upper().replace("_", "-")
    return "-NC" in text or "NONCOMMERCIAL" in text or "NON-COMMERCIAL" in text
