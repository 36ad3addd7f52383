"""The site builds without a warning, its links lead somewhere, and it loads nothing foreign."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import buffycoat
from buffycoat import config
from buffycoat.cli.main import app

pytestmark = [pytest.mark.xdist_group("site"), pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
LOADS = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}
"""What a browser requests by itself."""


@dataclass
class Page(HTMLParser):
    """Ids and links of a page.

    Attributes:
        ids: What an anchor can name.
        links: (tag, attribute, target) of whatever leads somewhere.
    """

    ids: set[str] = field(default_factory=set)
    links: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.ids.add(value)
            if name in ("href", "src", "srcset") and value is not None:
                self.links.append((tag, name, value))


@cache
def read(path: Path) -> Page:
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def lost(page: Path, link: str) -> bool:
    """Whether a link within the site leads nowhere."""
    parts = urlsplit(link)
    if parts.scheme or link.startswith("//"):
        return False
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_file():
        return True
    is_page = target.suffix == ".html" and parts.fragment
    return bool(is_page) and unquote(parts.fragment) not in read(target).ids


def test_every_link_and_anchor_leads_somewhere(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    nowhere = [
        f"{page.relative_to(site)}: {link}"
        for page in pages
        for _, _, link in read(page).links
        if lost(page, link)
    ]
    assert nowhere == []


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    elsewhere = [
        f"{page.relative_to(site)}: {link}"
        for page in site.rglob("*.html")
        for tag, name, link in read(page).links
        if (tag, name) in LOADS and re.match(r"(\w+:)?//", link)
    ]
    elsewhere += [
        sheet.name
        for sheet in site.rglob("*.css")
        if re.search(r"(@import|url\()\s*[\"']?(https?:)?//", sheet.read_text(encoding="utf-8"))
    ]
    assert elsewhere == []


def test_the_first_page_is_the_readme(site: Path) -> None:
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()
    assert "Not a medical device" in (site / "index.html").read_text(encoding="utf-8")


def test_every_page_of_docs_is_on_the_site_and_in_the_side_bar(site: Path) -> None:
    home = {link for _, _, link in read(site / "README.html").links}
    pages = [
        page.relative_to(ROOT).with_suffix(".html").as_posix()
        for page in (ROOT / "docs").rglob("*.md")
        if page.name != "0000-template.md"
    ]
    assert [page for page in pages if not (site / page).is_file()] == []
    assert [page for page in pages if page not in home] == []


def options(command: object, words: str = "buffycoat") -> list[tuple[str, str]]:
    """Every command with each of its options."""
    found = [(words, option) for one in command.params for option in one.opts]  # type: ignore[attr-defined]
    if isinstance(command, TyperGroup):
        for name, child in command.commands.items():
            found += [(f"{words} {name}", ""), *options(child, f"{words} {name}")]
    return found


def test_the_reference_has_every_command_option_setting_and_public_name(site: Path) -> None:
    def text_of(name: str) -> str:
        html = (site / "docs" / "reference" / f"{name}.html").read_text(encoding="utf-8")
        return re.sub(r"<[^>]+>", "", html)

    commands = text_of("command-line")
    for words, option in options(get_command(app)):
        assert words in commands
        assert option in commands or not option.startswith("--")
    settings = text_of("settings")
    assert [key for key in keys(config.load("default").model_dump()) if key not in settings] == []
    python = text_of("python")
    assert [name for name in buffycoat.__all__ if name not in python and name[0] != "_"] == []
    assert "<!-- generated" not in commands + settings + python


def keys(values: dict, above: str = "") -> list[str]:
    """Dotted names of all settings; a table that is itself a value counts as none."""
    found = [f"{above}{key}" for key, value in values.items() if not isinstance(value, dict)]
    for key, value in values.items():
        found += keys(value, f"{above}{key}.") if isinstance(value, dict) else []
    return found
