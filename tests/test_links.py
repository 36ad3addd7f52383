"""Every relative link in README and docs leads to a file, and to a heading in it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from buffycoat.taxonomy.classes import GROUPS, KNOWN

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("docs", "benchmarks")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(p for f in FOLDERS for p in (ROOT / f).rglob("*.md"))]


def prose(page: Path) -> str:
    """Text of a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    """Of the headings, as GitHub makes them: lower case, spaces as hyphens, no punctuation."""
    headings = re.findall(r"^#+ +(.*?) *$", prose(page), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_anchors_are_those_of_github(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# What `predict` says: 1. Cells\n\n```\n# a comment\n```\n## N:C ratio\n")
    assert anchors(page) == {"what-predict-says-1-cells", "nc-ratio"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if re.match(r"\w+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        is_there = target.exists() and ROOT in target.parents
        if not is_there or (anchor and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []


def test_no_page_is_without_a_link_to_it() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = [page.relative_to(ROOT / "docs") for page in (ROOT / "docs").rglob("*.md")]
    listed = [page.as_posix() for page in pages if page.parent.name != "adr"]
    assert {name for name in listed if name != "README.md" and f"]({name}" not in index} == set()


def titles() -> dict[str, dict[str, str]]:
    """Heading of docs/README.md -> page that its table lists -> title of the page."""
    found: dict[str, dict[str, str]] = {}
    index = (ROOT / "docs" / "README.md").read_text()
    for part in re.split(r"^## +", index, flags=re.M)[1:]:
        heading, _, text = part.partition("\n")
        names = re.findall(r"^\| *\[[^]]*\]\(([^)#]+\.md)\)", text, re.M)
        pages = {name: (ROOT / "docs" / name).resolve() for name in names}
        found[heading] = {name: page.read_text().split("\n")[0] for name, page in pages.items()}
    return found


def test_a_title_says_what_kind_of_page_it_is() -> None:
    kinds = {"Tutorials": "# Tutorial: ", "How to": "# How to "}
    for heading, pages in titles().items():
        for name, title in pages.items():
            said = [kind for kind, begin in kinds.items() if title.startswith(begin)]
            assert said == ([heading] if heading in kinds else []), name
    every = [title for pages in titles().values() for title in pages.values()]
    assert len({*every}) == len(every)


def test_the_glossary_has_the_code_of_every_class_and_group() -> None:
    rows = (ROOT / "docs" / "glossary.md").read_text()
    named = [(kind.code, kind.name) for kind in (*KNOWN.values(), *GROUPS)]
    assert [(code, name) for code, name in named if f"| {code} | {name}" not in rows] == []


def test_every_benchmark_is_in_their_index() -> None:
    results = ROOT / "benchmarks" / "results"
    index = (results / "README.md").read_text()
    folders = [page.parent.name for page in results.glob("*/README.md")]
    assert [name for name in folders if f"]({name}/README.md)" not in index] == []
