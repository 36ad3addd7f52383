"""The documentation site; `make site` writes it to build/site.

Sphinx with MyST, since MyST reads Markdown as GitHub does: the same pages, with the same links,
serve there and here. (MkDocs 1 is no longer maintained, and support of Material for MkDocs ended
in November 2026.) The source folder is the root of the repository, so that links out of docs/ stay.
"""

from __future__ import annotations

import sys
from pathlib import Path

import buffycoat

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(HERE))  # the extensions `navigation` and `generated`

PLACES = ("docs", "benchmarks", "src", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")

project = "buffycoat"
author = "the buffycoat authors"
copyright = author
release = version = buffycoat.__version__
root_doc = "README"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "navigation", "generated"]

include_patterns = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "src/buffycoat/starter/MODEL_CARD.md"),
    "docs/**",
    *(  # tables that a README there includes have no title, and are no page
        page.relative_to(ROOT).as_posix()
        for page in (ROOT / "benchmarks" / "results").rglob("*.md")
        if page.read_text(encoding="utf-8").startswith("# ")
    ),
]
exclude_patterns = [
    *(entry.name for entry in ROOT.iterdir() if entry.name not in PLACES),
    "docs/site",
    "docs/adr/0000-template.md",
]

myst_enable_extensions = ["html_image", "tasklist"]
myst_heading_anchors = 4  # as GitHub names them

smartquotes = False  # they would make a dash of the two in --set
toc_object_entries = False
default_role = "code"  # docstrings put names in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = "buffycoat"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_search_summary = False  # it is fetched, which no browser does from a file
html_theme_options = {
    "announcement": "Not a medical device. Not for diagnosis.",
    "top_of_page_buttons": [],
}
html_static_path = ["site.css"]
html_css_files = ["site.css"]
