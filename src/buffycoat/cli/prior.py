"""The option --prior, which several commands take."""

from __future__ import annotations

from typing import Annotated

import typer

from buffycoat.errors import ConfigError

PRIORS = ("uniform", "train")

Prior = Annotated[
    str | None,
    typer.Option(
        help="Class frequencies to assume: uniform, train, or a mix of your own, "
        "SNE=60,LY=30,... with every class; default: the bundle's."
    ),
]


def check_prior(prior: str | None) -> None:
    """Refuse a word that is no prior, before anything is loaded.

    Raises:
        ConfigError: It is neither one of `PRIORS` nor a mix.
    """
    if prior is not None and prior not in PRIORS and "=" not in prior:
        raise ConfigError(
            f"--prior {prior!r}: expected {', '.join(PRIORS)} or a mix such as SNE=60,LY=30,..."
        )
