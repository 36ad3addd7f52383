"""What requests may hold."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from fastapi import Depends, Path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic_core import PydanticCustomError

from buffycoat.evaluate.reported import MOST_WBC
from buffycoat.serve.decisions import MOST
from buffycoat.serve.people import Person
from buffycoat.serve.review import Review, review_of, signed_in

MOST_ID = 2**31 - 1
MOST_CODE = 200
"""Characters of a class's code: a taxonomy of one's own may have long ones."""


OWN_WORDS = {"wbc", "text"}
"""Kinds of fault whose message says all itself."""
_LINE_END = re.compile("\r\n|[\r\u2028\u2029]")
_ODD_SPACE = re.compile(r"[^\S\n]")
"""A tab, or a space that does not break, as word processors write them."""


def _printable(text: str) -> str:
    """Text with plain spaces and ends of lines; what cannot be seen is refused."""
    plain = _ODD_SPACE.sub(" ", _LINE_END.sub("\n", text))
    hidden = next((c for c in plain if not c.isprintable() and c != "\n"), None)
    if hidden is not None:
        raise PydanticCustomError(
            "text",
            "the text has a character that cannot be seen, U+{code}, behind '{before}': "
            "take it out",
            {"code": f"{ord(hidden):04X}", "before": plain.partition(hidden)[0][-20:]},
        )
    return plain


def _white_cells(value: Any) -> Any:
    """Refuse another unit with words; what is no number is refused by the next validator."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return value
    if not 0 < number < MOST_WBC:
        raise PydanticCustomError(
            "wbc",
            "WBC {wbc}, expected 10^9/L, above 0 and below {most}: 7.5, not 7500",
            {"wbc": f"{number:g}", "most": MOST_WBC},
        )
    return value


Number = Annotated[int, Field(ge=1, le=MOST_ID)]
Id = Annotated[int, Path(ge=1, le=MOST_ID)]
ClientId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{8,64}$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
Code = Annotated[
    str, StringConstraints(min_length=1, max_length=MOST_CODE), AfterValidator(_printable)
]
Comment = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_printable)]
TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{12}$")]
Password = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Wbc = Annotated[
    float,
    BeforeValidator(_white_cells),
    Field(gt=0, lt=MOST_WBC, allow_inf_nan=False),
]
Role = Literal["first", "second", "consensus"]
Act = Literal["decide", "undo", "redo"]

SignedIn = Annotated[Person, Depends(signed_in)]
Served = Annotated[Review, Depends(review_of)]


class Form(BaseModel):
    """A body without unknown keys."""

    model_config = ConfigDict(extra="forbid")


class LoginForm(Form):
    """Sign in."""

    name: Line
    password: Password


class ReadingForm(Form):
    """Take a reading."""

    role: Role


class DecisionForm(Form):
    """One decision."""

    client_id: ClientId
    cell: Number
    role: Role
    label: Code | None
    expects: Number | None = None
    step: ClientId | None = None
    act: Act = "decide"


class DecisionsForm(Form):
    """Some decisions, in the order that they were made."""

    decisions: Annotated[list[DecisionForm], Field(min_length=1, max_length=MOST)]


class SignForm(Form):
    """Sign a slide."""

    client_id: ClientId
    wbc: Wbc | None = None
    comment: Comment = ""
    state: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class WbcForm(Form):
    """The analyser's white cells."""

    client_id: ClientId
    wbc: Wbc | None


class AmendForm(Form):
    """Open a signed slide again."""

    client_id: ClientId
    reason: Comment


class UserForm(Form):
    """Make an account."""

    name: Line
    password: Password
    roles: Annotated[list[Literal["reader", "signer", "admin"]], Field(min_length=1, max_length=3)]


class PasswordForm(Form):
    """Change a password; one's own needs the current one too."""

    password: Password
    current: Password | None = None


class DisabledForm(Form):
    """Lock an account, or open it."""

    disabled: bool = True


class TokenForm(Form):
    """Make a token for a program."""

    purpose: Line
    days: Annotated[int, Field(ge=1, le=3650)] = 365


class LogQuery(Form):
    """Which entries of the log."""

    after: Annotated[int, Field(ge=0, le=MOST_ID)] = 0
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    order: Literal["oldest", "newest"] = "oldest"
    slide: Number | None = None
    person: Line | None = None
    kind: Code | None = None
