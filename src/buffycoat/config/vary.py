"""How far training pictures are moved from those of the training laboratory."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from buffycoat.config.section import Section


class VaryConfig(Section):
    """Differences between laboratories that are simulated while a classifier is trained.

    All are off by default: at home they cost a little, and a data set of one laboratory cannot show
    what they gain.
    """

    share: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="of the pictures; the others differ as they do within a laboratory. Background "
        "and features have chances of their own",
    )
    stain: float = Field(
        default=0.0, ge=0, le=1, description="spread of each stain's amount and colour"
    )
    light: float = Field(
        default=0.0, ge=0, le=1, description="spread of white point, exposure, haze and gamma"
    )
    sharpness: float = Field(
        default=0.0, ge=0, le=1, description="chance of fewer pixels, or of a sharpening camera"
    )
    background: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="chance of another background: of any picture, or plain",
    )
    scale: tuple[float, float] = Field(
        default=(0.85, 1.15), description="least and largest size of a cell over its own"
    )
    shift: float = Field(
        default=0.04, ge=0, le=0.25, description="distance off the centre, over the input's side"
    )
    features: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="chance that early feature maps take the style of another cell (MixStyle)",
    )

    @model_validator(mode="after")
    def _scale_is_a_span(self) -> Self:
        low, high = self.scale
        if not 0.25 <= low <= high <= 4:
            raise ValueError(f"scale={list(self.scale)}: expected 0.25 <= least <= largest <= 4")
        return self
