"""What the reference pages say is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from buffycoat import config
from buffycoat.cells import PLACE
from buffycoat.predict.rows import GROUPS, ORIGIN, prediction_columns
from buffycoat.report.page import SECTIONS
from buffycoat.taxonomy import WBCBENCH

DOCS = Path(__file__).resolve().parents[2] / "docs"


def silent(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """Settings without a word on what they mean."""
    for name, field in model.model_fields.items():
        inside = field.annotation
        if isinstance(inside, type) and issubclass(inside, BaseModel):
            yield from silent(inside, f"{above}{name}.")
        elif not field.description:
            yield f"{above}{name}"


def test_every_setting_says_what_it_means() -> None:
    assert list(silent(config.Config)) == []


def test_every_column_of_a_prediction_is_explained() -> None:
    page = (DOCS / "predict.md").read_text(encoding="utf-8")
    table = page.split("## Columns")[1].split("\n## ")[0]
    explained = set(re.findall(r"`([^`]+)`", "".join(re.findall(r"^\|[^|]*\|", table, re.M))))
    columns = [*GROUPS, *PLACE, *prediction_columns(WBCBENCH), *ORIGIN]
    names = {"prob_<CODE>" if name.startswith("prob_") else name for name in columns}
    assert names - explained == set()


def test_the_guide_to_a_report_has_its_sections_in_their_order() -> None:
    guide = (DOCS / "read-a-report.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([A-Z][^|]*) \|", guide, re.M)
    assert [row for row in rows if row in SECTIONS.values()] == list(SECTIONS.values())
