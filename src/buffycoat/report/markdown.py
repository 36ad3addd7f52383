"""Markdown of a model card: words of the data cannot break its tables or become HTML."""

from __future__ import annotations

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table; every row has the columns of its head."""
    lines = [f"| {' | '.join(head)} |", f"|{'-|' * len(head)}"]
    lines += [f"| {' | '.join(inline(str(value)) for value in row)} |" for row in rows]
    return "\n".join(lines)


def bullets(lines: Sequence[str]) -> str:
    """A list."""
    return "\n".join(f"- {inline(line)}" for line in lines)


def inline(words: str) -> str:
    """One line that is neither a table's edge nor HTML."""
    flat = " ".join(words.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
