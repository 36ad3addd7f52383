"""What models learn from cells without labels."""

from __future__ import annotations

from pydantic import Field

from buffycoat.config.section import Section


class UnlabelledConfig(Section):
    """A second training of each model, on labelled cells and on others that it can name itself.

    Used where `train --unlabelled` gives such cells.
    """

    epochs: int = Field(default=4, ge=1, description="passes over labelled and named cells")
    learning_rate: float = Field(default=5e-4, gt=0, description="the highest, of AdamW")
    precision: float = Field(
        default=0.95,
        gt=0,
        le=1,
        description="how many of the cells that are taken for one class are expected to be of it",
    )
    least_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="of a class's expected cells, those named at least, however sure, as far as so "
        "many are predicted as it",
    )
    strange_above: float = Field(
        default=0.98,
        gt=0,
        le=1,
        description="a cell stranger than this share of the labelled ones is of no class",
    )


class PretrainConfig(Section):
    """A backbone trained further on cells without labels, before it sees any label."""

    epochs: int = Field(
        default=5, ge=1, description="passes over the cells; four times as many brought little more"
    )
    batch_size: int = Field(default=64, ge=2, description="cells, each shown twice")
    learning_rate: float = Field(default=5e-4, gt=0, description="the highest, of AdamW")
    temperature: float = Field(default=0.2, gt=0, description="of the contrastive loss")
    projection: int = Field(default=128, ge=2, description="numbers that two views are compared by")
