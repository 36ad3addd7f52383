"""The side bar of the site, read from the tables of docs/README.md, and index.html."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

FOLDERS = {"docs/adr/README": "*", "benchmarks/results/README": "*/*"}
"""Pages that list what lies beside them: each with the pattern of its entries."""
ABOUT = ("CONTRIBUTING", "CHANGELOG", "src/buffycoat/starter/MODEL_CARD")


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("source-read", _add_contents)
    app.connect("build-finished", _copy_home)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def sections(index: str) -> dict[str, list[str]]:
    """Pages that the tables of an index list, by its headings; a part of a page is none."""
    found: dict[str, list[str]] = {}
    for part in re.split(r"^## +", index, flags=re.M)[1:]:
        heading, _, text = part.partition("\n")
        pages = re.findall(r"^\| *\[[^]]*\]\(([^)#]+\.md)\)", text, re.M)
        found |= {heading.strip(): pages} if pages else {}
    return found


def with_files(text: str, folder: Path) -> str:
    """Links to a folder, which GitHub shows with its README.md, as links to that file."""

    def fit(link: re.Match[str]) -> str:
        inside = folder / link[1] / "README.md"
        return f"]({link[1].rstrip('/')}/README.md)" if inside.exists() else link[0]

    return re.sub(r"\]\(([^)#:\s]+)\)", fit, text)


def _add_contents(app: Any, docname: str, source: list[str]) -> None:
    source[0] = with_files(source[0], Path(app.srcdir, docname).parent)
    if docname in FOLDERS:
        source[0] += _contents("", [FOLDERS[docname]], "glob")
    if docname == "README":
        index = Path(app.srcdir, "docs", "README.md").read_text(encoding="utf-8")
        for heading, pages in sections(index).items():
            source[0] += _contents(heading, [f"docs/{page}" for page in pages], "hidden")
        source[0] += _contents("About", ["docs/README", *ABOUT], "hidden")


def _contents(caption: str, entries: list[str], *options: str) -> str:
    lines = [f":caption: {caption}"] if caption else []
    lines += [f":{option}:" for option in options]
    return "\n".join(["\n\n```{toctree}", *lines, "", *entries, "```\n"])


def _copy_home(app: Any, exception: Exception | None) -> None:
    """The first page is README.html: the same again as index.html, which servers look for."""
    home = Path(app.outdir, "README.html")
    if exception is None and home.exists():
        shutil.copyfile(home, home.with_name("index.html"))
