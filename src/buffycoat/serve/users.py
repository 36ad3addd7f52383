"""Users with argon2id passwords, and their sessions."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import Connection, delete, func, insert, select, update

from buffycoat.errors import ConfigError
from buffycoat.serve import log, schema
from buffycoat.serve.people import ADMIN, Person, check_roles
from buffycoat.serve.refused import RefusedError, not_found

SESSION_S = 12 * 3600
"""A session ends after this time: a shift."""
LEAST_CHARACTERS = 12
"""Of a password (NIST SP 800-63B-4 asks for 8 with and 15 without a second factor)."""
MOST_CHARACTERS = 200
_NAME = re.compile(r"[^\W_][\w .@'-]{0,63}")
_HASHER = PasswordHasher()


@cache
def _nobody() -> str:
    """Hash of no password: checked for unknown names, which then take as long as known ones."""
    return _HASHER.hash(secrets.token_urlsafe())


@dataclass(frozen=True)
class User:
    """An account.

    Attributes:
        name: As in the log.
        roles: Of `people.ROLES`.
        is_disabled: Whether it may not sign in.
        made_at: UTC.
    """

    name: str
    roles: tuple[str, ...]
    is_disabled: bool
    made_at: str

    @property
    def person(self) -> Person:
        """Who it is."""
        return Person(self.name, frozenset(self.roles))


def n_users(reader: Connection) -> int:
    """Accounts, disabled ones too; with none, a server on loopback has a single user."""
    return reader.execute(select(func.count()).select_from(schema.users)).scalar_one()


def users(reader: Connection) -> list[User]:
    """All accounts, by name."""
    rows = reader.execute(select(schema.users).order_by(schema.users.c.name))
    return [_user(row) for row in rows]


def _user(row: Any) -> User:
    return User(row.name, tuple(row.roles.split()), row.is_disabled, row.made_at)


def person_of(row: Any) -> Person:
    """Who works with an account, from its row."""
    return _user(row).person


def add_user(writer: Connection, by: str, name: str, password: str, roles: Iterable[str]) -> User:
    """Make an account.

    Raises:
        ConfigError: The name is taken or odd, the password short, or a role unknown.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"user {name!r}: expected 1 to 64 letters, digits, spaces or .@'-_, beginning with a "
            "letter or digit"
        )
    if _find(writer, name) is not None:
        raise ConfigError(f"user {name!r} is there already. Choose another name")
    chosen = check_roles(roles)
    if ADMIN not in chosen and not n_users(writer):
        raise RefusedError(
            422,
            "first_user",
            f"user {name!r}: the first account must have the role admin too, since nobody else "
            "could make accounts on the page. Add this role, or make the admin's account first",
        )
    made_at = log.now()
    row = {"name": name, "password": _hashed(password), "roles": " ".join(chosen)}
    writer.execute(insert(schema.users).values(**row, is_disabled=False, made_at=made_at))
    log.append(writer, [log.Event("user_added", by, {"name": name, "roles": chosen})])
    return User(name, tuple(chosen), False, made_at)


def reset_password(writer: Connection, by: str, name: str, password: str) -> int:
    """Give another's account another password; its sessions end, and its tokens are void.

    Returns:
        Tokens that worked until now.

    Raises:
        RefusedError: No such user.
        ConfigError: The password is short.
    """
    _set_password(writer, name, password)
    n = _n_working(writer, name)
    for table in (schema.sessions, schema.tokens):
        writer.execute(delete(table).where(table.c.person == name))
    log.append(writer, [log.Event("password_changed", by, {"name": name, "n_tokens_voided": n})])
    return n


def change_password(writer: Connection, name: str, password: str, session: str | None) -> int:
    """Give one's own account another password; its other sessions end, and its tokens stay.

    Args:
        writer: From `Store.writing`.
        name: Of the account.
        password: The new one.
        session: Key of the session that goes on, from `session_key`; None for none.

    Returns:
        Tokens that still work.

    Raises:
        RefusedError: No such user.
        ConfigError: The password is short.
    """
    _set_password(writer, name, password)
    sessions = schema.sessions.c
    others = sessions.key != (session or "")
    writer.execute(delete(schema.sessions).where((sessions.person == name) & others))
    log.append(writer, [log.Event("password_changed", name, {"name": name})])
    return _n_working(writer, name)


def _n_working(reader: Connection, name: str) -> int:
    """Tokens of an account that have not ended."""
    columns = schema.tokens.c
    works = (columns.person == name) & (columns.expires_at > time.time())
    return reader.execute(select(func.count()).select_from(schema.tokens).where(works)).scalar_one()


def _set_password(writer: Connection, name: str, password: str) -> None:
    require(writer, name)
    change = {"password": _hashed(password)}
    writer.execute(update(schema.users).where(schema.users.c.name == name).values(**change))


def set_disabled(writer: Connection, by: str, name: str, *, is_disabled: bool) -> None:
    """Lock an account, its sessions and tokens out, or let it in again.

    Raises:
        RefusedError: No such user.
    """
    require(writer, name)
    change = {"is_disabled": is_disabled}
    writer.execute(update(schema.users).where(schema.users.c.name == name).values(**change))
    if is_disabled:
        for table in (schema.sessions, schema.tokens):
            writer.execute(delete(table).where(table.c.person == name))
    kind = "user_disabled" if is_disabled else "user_enabled"
    log.append(writer, [log.Event(kind, by, {"name": name})])


def _hashed(password: str) -> str:
    if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
        raise ConfigError(
            f"the password has {len(password)} characters; expected {LEAST_CHARACTERS} to "
            f"{MOST_CHARACTERS}. A few words do"
        )
    return _HASHER.hash(password)


def _find(reader: Connection, name: str) -> Any:
    return reader.execute(select(schema.users).where(schema.users.c.name == name)).first()


def require(reader: Connection, name: str) -> None:
    """Make sure that there is an account.

    Raises:
        RefusedError: There is none.
    """
    if _find(reader, name) is None:
        raise not_found(f"user {name!r}")


def check_password(reader: Connection, name: str, password: str) -> User | None:
    """The account if the password is right and it is not locked; takes as long if not."""
    row = _find(reader, name)
    try:
        is_right = _HASHER.verify(_nobody() if row is None else row.password, password)
    except (VerificationError, InvalidHashError):
        return None
    if row is None or row.is_disabled or not is_right:
        return None
    return _user(row)


def session_key(secret: str, cookie: str) -> str:
    """What is stored of a session: with another secret, no cookie opens any."""
    return hmac.new(secret.encode(), b"session " + cookie.encode(), hashlib.sha256).hexdigest()


def begin_session(writer: Connection, user: User, secret: str) -> str:
    """Sign in; sessions that have ended are removed.

    Returns:
        The cookie.
    """
    cookie, at = secrets.token_urlsafe(32), time.time()
    writer.execute(delete(schema.sessions).where(schema.sessions.c.expires_at < at))
    row = {"key": session_key(secret, cookie), "person": user.name, "made_at": at}
    writer.execute(insert(schema.sessions).values(**row, expires_at=at + SESSION_S))
    log.append(writer, [log.Event("login", user.name)])
    return cookie


def end_session(writer: Connection, cookie: str, secret: str) -> None:
    """Sign out."""
    key = session_key(secret, cookie)
    row = writer.execute(select(schema.sessions).where(schema.sessions.c.key == key)).first()
    if row is not None:
        writer.execute(delete(schema.sessions).where(schema.sessions.c.key == key))
        log.append(writer, [log.Event("logout", row.person)])


def of_session(reader: Connection, cookie: str, secret: str) -> Person | None:
    """Who a cookie stands for; None if the session has ended, or the account is locked."""
    columns, key = schema.sessions.c, session_key(secret, cookie)
    is_it = (columns.key == key) & (columns.expires_at > time.time())
    row = reader.execute(select(schema.users).join(schema.sessions).where(is_it)).first()
    return None if row is None or row.is_disabled else person_of(row)


def login_refused() -> RefusedError:
    """The same words for an unknown name and a wrong password."""
    return RefusedError(401, "login", "name or password is wrong, or the account is locked")
