"""Labels as people write them: codes in any case, full names, plurals, other word orders."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable
from functools import cache

from buffycoat.taxonomy.classes import CODE_LISTS, NOT_CLASSES, CellClass, CellGroup

_EMPTY_WORDS = frozenset({"cell", "granulocyte", "wbc"})
"""Words that a class may carry or lack: "band cell", "neutrophil granulocyte"."""
_NEAR = 0.75
"""Likeness (difflib's ratio) from which a name is offered as what was meant."""

Named = CellClass | CellGroup


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name: lower case, singular, without numbers that stand alone.

    >>> words_of("02_Neutrophils-Segmented"), words_of("BandNeutrophil")
    (('neutrophil', 'segmented'), ('band', 'neutrophil'))
    """
    plain = unicodedata.normalize("NFKC", text)
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", plain)
    words = [word for word in re.findall(r"[^\W_]+", parted.casefold()) if not word.isdigit()]
    return tuple(w[:-1] if len(w) > 3 and w.endswith("s") and w[-2] != "s" else w for w in words)


class Spelling:
    """Finds the class or group that a label means.

    Args:
        classes: With their codes, names and aliases.
        groups: The same of groups.
    """

    def __init__(self, classes: Iterable[CellClass], groups: Iterable[CellGroup]) -> None:
        self._shown: dict[str, str] = {}
        known: list[Named] = [*classes, *groups]
        exact = {plain(name): one.code for one in known for name in (*one.aliases, one.name)}
        exact |= {plain(one.code): one.code for one in known}
        claims: dict[str, set[str]] = {}
        for one in known:
            for name in (one.code, one.name, *one.aliases):
                for key in _keys(name):
                    claims.setdefault(key, set()).add(one.code)
                self._shown.setdefault(name.casefold(), name)
        # What two of them share is no name: "type 1" and "type 2" without their numbers.
        self._codes = {key: codes.pop() for key, codes in claims.items() if len(codes) == 1} | exact

    def find(self, label: str) -> str | None:
        """Code of the class or group that a label means; None if none is meant for sure.

        Args:
            label: As it stands in a folder's name or a table.
        """
        for key in (plain(label), *_keys(label)):
            if key in self._codes:
                return self._codes[key]
        # "BA - Basophil": each word by itself says the same.
        said = {self._codes.get(word) for word in words_of(label)}
        return said.pop() if len(said) == 1 else None

    def suggest(self, label: str) -> str | None:
        """The name most like a label that means none, if one is like it."""
        near = difflib.get_close_matches(label.casefold(), self._shown, n=1, cutoff=_NEAR)
        return self._shown[near[0]] if near else None


def plain(name: str) -> str:
    """A name without case and signs, its numbers kept: "Blast_type-2" is "blast type 2"."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(re.findall(r"[^\W_]+", folded)) or folded.strip()


def _keys(text: str) -> tuple[str, ...]:
    """A name's words in a fixed order, with and without the words that say nothing."""
    words = words_of(text)
    told = [word for word in words if word not in _EMPTY_WORDS] or list(words)
    return tuple(
        key for key in (" ".join(sorted(words)), " ".join(sorted(told)), "".join(words)) if key
    )


def is_no_class(label: str) -> bool:
    """Whether a label is a known name of what is no white cell, such as a platelet."""
    return any(key in _no_classes() for key in _keys(label))


@cache
def _no_classes() -> frozenset[str]:
    return frozenset(key for name in NOT_CLASSES for key in _keys(name))


def code_list_of(labels: Iterable[str]) -> dict[str, str]:
    """What the labels mean in the data set whose own codes they all are; empty if in none."""
    present = {label.strip() for label in labels if not is_no_class(label)}
    for codes in CODE_LISTS.values():
        if present and present <= set(codes):
            return {label: codes[label] for label in present}
    return {}
