"""What a receiver must know of a differential beside its figures, worded once for every format."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from buffycoat.plurals import counted

FEWEST = 100
"""Leukocytes that a manual differential is of; of fewer, every report says so."""

Role = Literal["first", "second", "consensus"]
ROLES: dict[Role, str] = {
    "first": "First reading",
    "second": "Second reading",
    "consensus": "Consensus",
}
Identity = Literal["account", "stated", "machine"]
IDENTITIES: dict[Identity, str] = {
    "account": "",
    "stated": "a stated name, not a login",
    "machine": "the computer's user, not a login",
}
"""How a name is known: who had the password of an account; who said so; who uses the computer."""


@dataclass(frozen=True)
class Flag:
    """Why a slide should be looked at.

    Attributes:
        code: "blasts", "left_shift", "doubtful" or "unfamiliar_site".
        text: In a sentence's words, with the figure and its limit.
    """

    code: str
    text: str


@dataclass(frozen=True)
class ReadBy:
    """Who read a slide.

    Attributes:
        role: Of the reading.
        name: Of the reader.
        finished: When, with a time zone; None while it is not finished.
        identity: How the name is known; None where that was not recorded.
    """

    role: Role
    name: str
    finished: datetime | None
    identity: Identity | None = None

    def words(self, roles: Collection[Role]) -> str:
        """Who, in which of the slide's readings, until when."""
        done = "not finished" if self.finished is None else minute(self.finished)
        return f"{role_in_words(self.role, roles)}: {named(self.name, self.identity)}, {done}."


def role_in_words(role: Role, roles: Collection[Role]) -> str:
    """A reading in words.

    >>> role_in_words("consensus", ("first", "second", "consensus"))
    'Consensus'
    >>> role_in_words("consensus", ("first", "consensus"))
    'Correction'

    Args:
        role: Of the reading.
        roles: Of all readings of the slide: where one has read it, what comes after is no consensus
            of two.
    """
    return ROLES[role] if role != "consensus" or "second" in roles else "Correction"


def named(name: str, identity: Identity | None) -> str:
    """A name, with how it is known where that is not by a login."""
    known = IDENTITIES[identity] if identity else ""
    return f"{name} ({known})" if known else name


def minute(when: datetime) -> str:
    """A moment as people read it.

    >>> minute(datetime(2026, 3, 1, 12, 30, 15, tzinfo=UTC))
    '2026-03-01 12:30 UTC'
    """
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def too_few(n_leukocytes: int) -> str | None:
    """Why a differential of so few leukocytes says little; None where there are enough.

    >>> too_few(32)
    '32 leukocytes counted: too few for a differential of 100; limits are wide'
    """
    if n_leukocytes >= FEWEST:
        return None
    cells = counted(n_leukocytes, "leukocyte", comma="")
    return f"{cells} counted: too few for a differential of {FEWEST}; limits are wide"
