"""Join two lists of cells' names that may be written in two ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

IMAGE_SUFFIX = re.compile(
    r"\.(png|jpe?g|jpe|jfif|mpo|tiff?|bmp|gif|webp|jp2|j2k|heic|heif|avif|dcm)$", re.IGNORECASE
)


@dataclass(frozen=True)
class Joined:
    """Which known name each given name stands for.

    Attributes:
        known: Given name -> known name; names that stand for none are not in it.
        how: What had to be left out of account, such as "without their folders"; "" for nothing.
        doubtful: Given name -> the known names that it may equally stand for.
    """

    known: dict[str, str]
    how: str = ""
    doubtful: dict[str, list[str]] = field(default_factory=dict)


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name.strip())  # macOS takes letters and accents apart


def _bare(name: str) -> str:
    return IMAGE_SUFFIX.sub("", _plain(name))


def _base(name: str) -> str:
    return re.split(r"[/\\]", _plain(name))[-1]


def _stem(name: str) -> str:
    return IMAGE_SUFFIX.sub("", _base(name))


def _folded(name: str) -> str:
    return _stem(name).casefold()


def _number(name: str) -> str:
    stem = _folded(name)
    return str(int(stem)) if stem.isdecimal() else stem


_WAYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("", str),
    ("without outer spaces", _plain),
    ("without their suffix", _bare),
    ("without their folders", _base),
    ("without folders and suffix", _stem),
    ("without folders, suffix and case", _folded),
    ("as numbers, without suffix and leading zeros", _number),
)
"""Each leaves more out of account than the one before it."""


def join_names(given: Collection[str], known: Collection[str]) -> Joined:
    """Find the known name that each given name stands for.

    All are compared in one way: the strictest of those by which most names are found. A name is
    found only if no other is like it.

    Args:
        given: Names as a table has them.
        known: Names to find them among.
    """
    best = Joined({})
    for how, key in _WAYS:
        tried = _join(given, known, how, key)
        if len(tried.known) > len(best.known) or (not best.known and tried.doubtful):
            best = tried
        if len(best.known) == len(given):
            break
    return best


def _join(
    given: Collection[str], known: Collection[str], how: str, key: Callable[[str], str]
) -> Joined:
    meant = _by_key(known, key)
    said = _by_key(given, key)
    found = {name: meant[key(name)] for name in given if key(name) in meant}
    is_sure = {name: len(of) == 1 and len(said[key(name)]) == 1 for name, of in found.items()}
    return Joined(
        {name: of[0] for name, of in found.items() if is_sure[name]},
        how,
        {name: of for name, of in found.items() if len(of) > 1},
    )


def _by_key(names: Collection[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        found.setdefault(key(name), []).append(name)
    return found
