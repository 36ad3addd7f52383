"""The tutorial of the review page, step by step as it stands in docs/tutorials/review.md."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("review_page")]

PAGE = Path(__file__).resolve().parents[3] / "docs" / "tutorials" / "review.md"


def test_review_a_slide_and_sign_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serve_as: Any, open_page: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    (draw,) = [text for language, text in blocks if language == "python"]
    lines = [line for language, text in blocks if language == "bash" for line in text.splitlines()]
    predict, review, *after = [shlex.split(line)[1:] for line in lines]

    exec(compile(draw, PAGE.name, "exec"), {})
    assert CliRunner().invoke(app, predict).exit_code == 0
    read_and_sign(open_page(serve_as(review[1:])))
    for words in after:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (words, result.output)
    assert (tmp_path / "decided.csv").read_text(encoding="utf-8").count("\n") == 3  # head, 2 cells


def read_and_sign(page: Any) -> None:
    """Steps 2 to 5."""
    asked = page.get_by_role("dialog", name="Who reads?")
    asked.get_by_label("Name").fill("Anna Berg")
    asked.get_by_role("button", name="Go on").click()
    page.locator("a", has_text="slide").or_(page.locator("table a")).first.click()
    page.wait_for_selector(".cell")
    page.keyboard.press(".")
    page.keyboard.press("Enter")
    page.keyboard.press(".")
    page.keyboard.press(page.get_attribute('.palette [data-drop="MY"]', "aria-keyshortcuts"))
    page.get_by_text("All saved").first.wait_for()
    page.get_by_role("tab", name="Differential").click()
    page.get_by_label("WBC of the analyser").fill("7.5")
    page.get_by_role("button", name="Sign …").click()
    told = page.get_by_role("dialog")
    told.wait_for()
    assert "22 cells" in told.inner_text()
    told.get_by_role("button", name="Sign").click()
    page.get_by_text("Signed as version 1. Amend to change it.").wait_for()
    page.get_by_role("tab", name="Versions").click()
    page.get_by_role("heading", name="Version 1").wait_for()
