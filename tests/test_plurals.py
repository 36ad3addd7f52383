"""Numbers with their nouns, in every message."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from buffycoat.plurals import counted, missing_columns, some_of

SOURCE = Path(__file__).resolve().parents[1] / "src" / "buffycoat"
EVASIVE = re.compile(r"[a-z]\((s|es|ies)\)")
"""As in "1 cell(s)"; Python's own signatures are no words of a message."""


def test_one_is_told_from_several() -> None:
    assert [counted(n, "cell") for n in (0, 1, 2, 1000)] == [
        "0 cells", "1 cell", "2 cells", "1,000 cells",
    ]  # fmt: skip
    assert counted(1, "class", "classes") == "1 class"
    assert counted(3, "class", "classes") == "3 classes"
    assert counted(1200, "cell", comma="") == "1200 cells"
    assert missing_columns(["a"]) == "column 'a' is missing"
    assert missing_columns(["a", "b"]) == "columns 'a', 'b' are missing"


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.name)
def test_no_message_leaves_the_number_open(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not EVASIVE.search(node.value), node.value


TEXTS = (".md", ".html", ".jinja", ".js", ".toml", ".json", ".css", ".svg")
"""Endings of what the package brings for people besides its modules."""


@pytest.mark.parametrize(
    "path", sorted(p for p in SOURCE.rglob("*") if p.suffix in TEXTS), ids=lambda p: p.name
)
def test_no_text_of_the_package_leaves_the_number_open(path: Path) -> None:
    assert not EVASIVE.search(path.read_text(encoding="utf-8"))


def test_some_of_several_have_a_verb_that_fits() -> None:
    assert some_of(1, 1, "cell", "is", "are") == "1 of 1 cell is"
    assert some_of(1, 2, "cell", "is", "are") == "1 of 2 cells is"
    assert some_of(2, 1200, "cell", "is", "are") == "2 of 1,200 cells are"
    assert some_of(2, 1200, "cell", comma="") == "2 of 1200 cells"


NOUNS = re.compile(
    r"^ (train |eval )?(cells|slides|images|pictures|labels|photographs|fields|rows)\b"
)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: p.name)
def test_no_message_says_some_of_1_cells(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        parts = node.values if isinstance(node, ast.JoinedStr) else []
        for before, number, after in zip(parts, parts[1:], parts[2:], strict=False):
            if (
                isinstance(number, ast.FormattedValue)
                and isinstance(before, ast.Constant)
                and isinstance(after, ast.Constant)
                and before.value in (" of ", " of its ")
            ):
                told = ast.unparse(node)
                assert not NOUNS.match(str(after.value)), f"{told}: use plurals.some_of"
