"""The page of a differential of fields."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import numpy as np
from markupsafe import Markup

from buffycoat.report.field_page import (
    FieldPage,
    Figures,
    LeftOut,
    SheetCell,
    SheetClass,
    write_field_page,
)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def _written(folder: Path, **changes: object) -> str:
    image = np.full((40, 40, 3), 200, np.uint8)
    cells = [
        SheetCell(
            "a<b>.png",
            image,
            "s1/a.jpg",
            "0.40, or MO",
            "low probability",
            "",
            "overlays/a.jpg.jpg",
        ),
        SheetCell("c.png", image, "s2, c.jpg", "0.99", "", "cut by the right or lower border", ""),
    ]
    said = {
        "title": "s <1>",
        "bundle": "Bundle 0123",
        "notice": "Not a medical device.",
        "warnings": ["colour differs by 7.0 SD; run `adapt`"],
        "summary": ["2 white cells"],
        "figures": [
            Figures("s: 1 leukocytes", ["class", "cells"], [["LY", "1"]], Markup("<svg></svg>"))
        ],
        "refused": ["slide t: 3 of 4 cells are doubtful; no differential"],
        "n_more": 5,
        "left_out": [LeftOut("b.jpg", "too thick", "overlays/b.jpg.jpg")],
        "classes": [SheetClass("LY", "lymphocyte", (1, 2, 3), 7, 1, cells)],
    }
    path = folder / "page.html"
    write_field_page(path, FieldPage(**(said | changes)))
    return path.read_text()


def test_the_page_stands_alone_and_runs_nothing(tmp_path: Path) -> None:
    text = _written(tmp_path)
    seen = _Links()
    seen.feed(text)
    assert not {"script", "link", "iframe"} & {*seen.tags}
    assert {link.partition(":")[0] for link in seen.links if not link.startswith("#")} == {
        "data", "overlays/a.jpg.jpg", "overlays/b.jpg.jpg",
    }  # fmt: skip


def test_words_of_the_data_are_escaped_and_nothing_is_left_unsaid(tmp_path: Path) -> None:
    text = _written(tmp_path)
    assert "a&lt;b&gt;.png" in text
    assert "s &lt;1&gt;" in text
    assert "Look:</strong> low probability" in text
    assert "Not counted: cut by the right or lower border" in text
    assert "5 more are not shown" in text
    assert 'class="alarm">colour differs by 7.0 SD' in text
    assert "s1/a.jpg" in text
    assert "3 of 4 cells are doubtful" in text
    assert "5 more are in differential.csv" in text
    assert "too thick" in text
    assert "<svg></svg><figcaption>s: 1 leukocytes." in text


def test_without_fields_left_out_there_is_no_such_section(tmp_path: Path) -> None:
    assert "Fields left out" not in _written(tmp_path, left_out=[])
