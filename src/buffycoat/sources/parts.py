"""Names of the parts of a data set: training, evaluation, test."""

from __future__ import annotations

import re

from buffycoat.taxonomy.spelling import words_of

_PARTS = {
    "train": re.compile(r"d?train(ing)?(set|data)?\d*|trn"),
    "eval": re.compile(r"d?val(id|idation|idate)?(set|data)?\d*|eval(uation)?|dev"),
    "test": re.compile(r"d?test(ing)?(set|data)?[a-z]?\d*|tst|holdout"),
}
"""What a word of a folder's or table's name looks like: `TestA`, `DTrain`, `val2017`."""


def part_of(name: str) -> str | None:
    """The split that a name tells, with any prefix or suffix and in any case.

    >>> part_of("TEST_SIMPLE"), part_of("C-NMC_training_data"), part_of("DVal"), part_of("latest")
    ('test', 'train', 'eval', None)

    Args:
        name: Of a folder, a table, or a value of a column.

    Returns:
        "train", "eval" or "test"; None if it tells none, or more than one.
    """
    found = {part for word in words_of(name) for part in _PARTS if _PARTS[part].fullmatch(word)}
    return found.pop() if len(found) == 1 else None


def without_part(name: str) -> str:
    """The words of a name that tell no split."""
    words = words_of(name)
    return " ".join(w for w in words if not any(p.fullmatch(w) for p in _PARTS.values()))
