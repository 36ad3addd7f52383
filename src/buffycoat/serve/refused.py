"""What the server does not do, with a code for programs and words for people."""

from __future__ import annotations

from buffycoat.errors import BuffycoatError


class RefusedError(BuffycoatError):
    """A request that is not carried out; nothing of it was stored.

    Args:
        status: Of HTTP.
        code: For programs; stable.
        message: What was expected and what to do.
        headers: Of the answer.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.headers = status, code, headers or {}

    @property
    def message(self) -> str:
        """In words."""
        return str(self)


def not_found(what: str) -> RefusedError:
    """No such slide, cell, version or user."""
    return RefusedError(404, "not_found", f"{what} is not in this review. Load the list again")
