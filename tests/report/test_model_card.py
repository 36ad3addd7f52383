"""The card that travels with a bundle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from buffycoat.evaluate.summary import evaluate
from buffycoat.report.model_card import CardData, Source, model_card
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE
from buffycoat.taxonomy import PBC


@pytest.fixture(scope="module")
def card_data():
    targets = np.repeat(np.arange(10), 8)
    predicted = np.where(np.arange(80) % 7 == 0, 0, targets)
    counts = dict.fromkeys(PBC.codes, 20) | {"SNE": 946}
    return CardData(
        name="starter",
        description="Ten classes of blood cells.",
        classes={cell.code: cell.name for cell in PBC.classes},
        train_counts=counts,
        sources=[Source("PBC", "CC BY 4.0", "Acevedo et al. 2020", "centre crop | new names")],
        training={"backbone": "tf_efficientnet_lite0"},
        evaluations={"phase2_eval": evaluate(predicted, targets, PBC, counts, np.arange(80) % 2)},
        limits=["Donors had no hematologic disease.", "It has never seen a blast."],
        load="starter",
    )


def test_card_says_what_a_user_must_know(card_data):
    card = model_card(card_data)
    for words in (
        "# starter",
        NOT_A_MEDICAL_DEVICE,
        "## Intended use",
        "- It has never seen a blast.",
        "| SNE | segmented neutrophil | 946 |",
        "CC BY 4.0",
        "Acevedo et al. 2020",
        "| Balanced macro-F1 |",
        "| Prior-weighted macro-F1 |",
        "| phase2_eval | 80 | image-level |",
        "| Severity | n |",
        "| tail | ",
        "| SNE | head | 8 | 0.44 (",
        "Too few",
        'buffycoat.load("starter")',
        "buffycoat predict starter IMAGES",
    ):
        assert words in card, words
    assert "Non-commercial" not in card


def test_every_table_row_has_the_columns_of_its_head(card_data):
    card = model_card(card_data).replace("\\|", "")
    for table in [block for block in card.split("\n\n") if block.startswith("|")]:
        widths = {line.count("|") for line in table.splitlines()}
        assert len(widths) == 1, table


def test_data_cannot_break_the_card(card_data):
    evil = replace(card_data, name="<script>\n| x |", limits=["<b>blast</b>"])
    card = model_card(evil)
    assert "<script>" not in card
    assert "<b>" not in card
    assert card.splitlines()[0] == "# &lt;script> \\| x \\|"
    assert "- &lt;b>blast&lt;/b>" in card


def test_non_commercial_sources_are_called_out(card_data):
    restricted = Source("WBCBench", "CC BY-NC 4.0", "Tian et al.", is_non_commercial=True)
    card = model_card(replace(card_data, sources=[*card_data.sources, restricted]))
    assert "**Non-commercial use only**, because of: WBCBench." in card


def test_provenance_is_optional(card_data):
    assert "## Provenance" not in model_card(card_data)
    card = model_card(replace(card_data, provenance={"config hash": "abc"}))
    assert "| config hash | abc |" in card
