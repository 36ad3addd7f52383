"""The key that gives each class: digits in the order of the page, then letters."""

from __future__ import annotations

from collections.abc import Sequence

from buffycoat.serve.states import ARTEFACT, SMUDGE, UNSURE

CLASS_KEYS = "1234567890qwertyiop"
"""In the order of a keyboard's rows; without `u`, which undoes."""
EXTRA_KEYS = {ARTEFACT: "a", SMUDGE: "s", UNSURE: "d"}


def keys_of(codes: Sequence[str]) -> dict[str, str | None]:
    """Code -> key; None for classes that are more than there are keys.

    Args:
        codes: Of the classes, in the order of the page.
    """
    keys = dict.fromkeys(codes) | dict(zip(codes, CLASS_KEYS, strict=False))
    return EXTRA_KEYS | keys
