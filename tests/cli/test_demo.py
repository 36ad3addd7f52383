"""`demo --quick`, and where a demo opens the review page."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.main import get_command
from typer.testing import CliRunner

from buffycoat.cli import demo_quick, demo_review, review
from buffycoat.cli.demo_review import Shown, has_display, open_review
from buffycoat.cli.main import app
from buffycoat.errors import MissingExtraError

SHOWN = Shown(Path("a b/cells.parquet"), Path("cells"), Path("fields"))


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the review server is started with, where a display is pretended."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(demo_review, "has_display", lambda: True)
    monkeypatch.setattr(
        review, "serve", lambda *a, **options: calls.append({"given": a, **options})
    )
    return calls


def test_the_page_opens_on_a_free_port_where_someone_sees_it(served: list[dict[str, Any]]) -> None:
    open_review(SHOWN, is_wanted=True)
    assert served == [{"given": (SHOWN.predictions, SHOWN.images, SHOWN.fields), "port": 0}]


def test_it_does_not_open_unwanted_or_without_a_display(
    served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    open_review(SHOWN, is_wanted=False)
    monkeypatch.setattr(demo_review, "has_display", lambda: False)
    open_review(SHOWN, is_wanted=True)
    assert served == []
    line = "Review page: buffycoat review 'a b/cells.parquet' --images cells --fields fields\n"
    assert capsys.readouterr().out == 2 * line


def test_without_the_extra_it_says_what_to_install(
    served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    def missing() -> None:
        raise MissingExtraError("install buffycoat[serve]")

    monkeypatch.setattr(review, "check_installed", missing)
    open_review(SHOWN, is_wanted=True)
    assert served == []
    assert "buffycoat[serve]" in capsys.readouterr().err


def test_ctrl_c_on_the_page_ends_the_demo_in_peace(
    served: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(review, "serve", stop)
    open_review(SHOWN, is_wanted=True)


@pytest.mark.parametrize(
    ("platform", "variables", "is_terminal", "expected"),
    [
        ("linux", {"DISPLAY": ":0"}, True, True),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, True, True),
        ("linux", {}, True, False),
        ("linux", {"DISPLAY": ":0"}, False, False),
        ("linux", {"DISPLAY": ":0", "CI": "true"}, True, False),
        ("win32", {}, True, True),
        ("darwin", {}, True, True),
        ("darwin", {"SSH_CONNECTION": "1 2 3 4"}, True, False),
        ("win32", {"CI": "1"}, True, False),
    ],
)
def test_who_has_a_display(
    platform: str,
    variables: dict[str, str],
    is_terminal: bool,
    expected: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("CI", "DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: is_terminal, raising=False)
    assert has_display() == expected


@pytest.mark.slow
def test_quick_counts_drawn_fields_and_says_how_to_review_them(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a tiny bundle in place of the starter, and two fields."""
    monkeypatch.chdir(tmp_path)
    Path("starter").symlink_to(tiny_bundle)  # a folder of that name comes first
    monkeypatch.setattr(demo_quick, "FIELDS", 2)
    monkeypatch.setattr(demo_quick, "CELLS", demo_quick.CELLS[:8])
    monkeypatch.setattr(demo_quick, "SIZE_PX", 400)
    out = tmp_path / "a demo"
    for _ in range(2):  # what is there is kept, and the same again is no fault
        done = CliRunner().invoke(app, ["demo", "--quick", "--out", str(out)])
        assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    caveat = next(row for row, line in enumerate(said) if line.startswith("These cells are drawn"))
    assert caveat < next(row for row, line in enumerate(said) if "need a look" in line)
    page = (out / "differential" / "differential.html").read_text("utf-8")
    assert page.index("These cells are drawn") < page.index("leukocytes")
    (command,) = (line for line in said if line.startswith("Review page: "))
    words = shlex.split(command.removeprefix("Review page: "))
    assert words[:2] == ["buffycoat", "review"]
    serve: Any = get_command(app).commands["review"].commands["serve"]  # type: ignore[attr-defined]
    options = serve.make_context("serve", words[2:]).params
    assert all(Path(options[name]).exists() for name in ("predictions", "images", "fields"))
    assert set(pd.read_parquet(options["predictions"])["slide_id"]) == {demo_quick.SLIDE}
    assert (out / "differential" / "differential.csv").exists()
