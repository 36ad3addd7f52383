"""The options --optimise and --mix, which several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from buffycoat.errors import ConfigError

WORDS = ("macro-f1", "balanced-recall", "accuracy", "none")
COSTS = (".csv", ".toml")

Optimise = Annotated[
    str | None,
    typer.Option(
        help="What labels maximise: macro-f1, balanced-recall, accuracy, or least cost by a table "
        "of costs (.csv or .toml); none: the label is the most probable class. Only labels move. "
        "Default: the bundle's, or none if --prior is given."
    ),
]
Mix = Annotated[
    str | None,
    typer.Option(
        help="Class frequencies of the cells on which --optimise is to do well: train (default), "
        "uniform, or SNE=60,LY=30,... with every class."
    ),
]


def check_optimise(optimise: str | None, mix: str | None) -> None:
    """Refuse words that mean nothing, before anything is loaded.

    Raises:
        ConfigError: No score and no file of costs, no mix, or a mix without a score.
    """
    is_known = optimise in (None, *WORDS) or Path(optimise).suffix.lower() in COSTS
    if not is_known:
        raise ConfigError(
            f"--optimise {optimise!r}: expected {', '.join(WORDS)}, or a .csv or .toml file of "
            "costs"
        )
    if mix is None:
        return
    if optimise in (None, "none"):
        raise ConfigError(f"--mix {mix!r}: is of a score. Give --optimise with it, or leave it out")
    if mix not in ("train", "uniform") and "=" not in mix:
        raise ConfigError(
            f"--mix {mix!r}: expected train, uniform or a mix such as SNE=60,LY=30,..."
        )
