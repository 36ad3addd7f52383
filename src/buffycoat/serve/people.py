"""Who works with the server, and what each may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from buffycoat.errors import ConfigError
from buffycoat.exchange.remarks import Identity
from buffycoat.serve.refused import RefusedError

READER, SIGNER, ADMIN = "reader", "signer", "admin"
ROLES = (READER, SIGNER, ADMIN)
"""Readers decide, signers sign and amend, admins keep users and see the log."""


@dataclass(frozen=True)
class Person:
    """Somebody who is signed in.

    Attributes:
        name: As it stands in the log.
        roles: Of `ROLES`.
        is_single: The one user of a server on loopback without users.
        identity: How the name is known.
    """

    name: str
    roles: frozenset[str]
    is_single: bool = False
    identity: Identity = "account"

    def require(self, *roles: str) -> None:
        """Make sure of one of some roles.

        Raises:
            RefusedError: The person has none of them.
        """
        if not self.roles & {*roles}:
            raise RefusedError(
                403,
                "role",
                f"needs the role {' or '.join(roles)}; {self.name} is "
                f"{', '.join(sorted(self.roles)) or 'nothing'}. Ask an admin",
            )


def check_roles(roles: Iterable[str]) -> list[str]:
    """Roles in their order.

    Raises:
        ConfigError: None, or one that there is not.
    """
    asked = {*roles}
    unknown = sorted(asked - {*ROLES})
    if unknown or not asked:
        raise ConfigError(
            f"role {', '.join(map(repr, unknown)) or 'missing'}: expected one or more of "
            f"{', '.join(ROLES)}"
        )
    return [role for role in ROLES if role in asked]
