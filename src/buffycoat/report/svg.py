"""Figures of matplotlib as SVG: inline in a page, or as a file of their own.

Inline, colours are variables of the page's style sheet, so that one drawing serves light and dark;
words stay text, which can be searched, read out and drawn in the reader's fonts.
"""

from __future__ import annotations

import io
import re
import warnings
from html import escape
from typing import Any, Literal

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Tone = Literal["main", "tail", "muted"]

INK, SOFT, RULE, PAPER = "#1f1b2e", "#5f5a6e", "#ddd7cf", "#fdfcfa"
ACCENT, WARM = "#51408f", "#a63446"
VARIABLES = {
    INK: "--ink", SOFT: "--soft", RULE: "--rule", PAPER: "--paper", ACCENT: "--accent",
    WARM: "--warm",
}  # fmt: skip
"""Colour as drawn -> variable of `page.css.jinja` that has this value on light paper."""
TONES: dict[Tone, str] = {"main": ACCENT, "tail": WARM, "muted": SOFT}
MARKERS: dict[Tone, str] = {"main": "o", "tail": "D", "muted": "o"}
"""Rare classes are diamonds as well as another colour: colour alone would not reach all."""
PX = 72
"""Units of an SVG to matplotlib's inch: one point is one px."""
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": SOFT,
    "axes.labelsize": 12,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 13,
    "grid.color": RULE,
    "grid.linewidth": 1,
    "lines.solid_capstyle": "round",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "svg.hashsalt": "buffycoat",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": SOFT,
    "xtick.labelsize": 12,
    "xtick.major.size": 0,
    "ytick.color": SOFT,
    "ytick.labelsize": 12,
    "ytick.major.size": 0,
}
"""Equal input gives an equal file; a dollar sign in a name is a dollar sign."""
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
FAMILY = r"'DejaVu Sans'[^;\"]*"
"""What matplotlib measures text by, which readers need not have."""
styled = matplotlib.rc_context(STYLE)
"""Decorates what draws: style is taken when a mark is made."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in px."""
    return Figure(figsize=(width / PX, height / PX))


def new_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes in px, measured from the upper left corner."""
    across, down = figure.get_size_inches() * PX
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def words(figure: Figure, x: float, y: float, text: str, **style: Any) -> None:
    """Text whose middle is y px from the top."""
    across, down = figure.get_size_inches() * PX
    figure.text(x / across, 1 - y / down, text, va="center_baseline", **style)


def mark(axes: Axes, x: float, y: float, tone: Tone) -> None:
    """A dot or diamond with a rim of paper; a hollow dot for what is switched off."""
    is_hollow = tone == "muted"
    axes.plot(
        [x], [y], MARKERS[tone], clip_on=False, zorder=3,
        markersize=9 if is_hollow else 10,
        color=PAPER if is_hollow else TONES[tone],
        markeredgecolor=SOFT if is_hollow else PAPER,
        markeredgewidth=2 if is_hollow else 1.5,
    )  # fmt: skip


def inline(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an `<svg>` for a page.

    Args:
        figure: What was drawn, by functions that are `styled`.
        name: Unique on the page; the base of its ids.
        title: What it shows.
        description: What a reader who cannot see it should know.
    """
    body = re.sub(r"#[0-9a-f]{6}\b", _variable, _body(figure, name))
    body = re.sub(FAMILY, "var(--sans)", body)
    return Markup(_wrapped(figure, body, name, title, description))


def alone(figure: Figure, name: str, title: str, description: str) -> str:
    """The figure as the text of an .svg file, on white paper; arguments as in `inline`."""
    figure.set_facecolor("white")
    body = re.sub(FAMILY, "sans-serif", _body(figure, name))
    return _wrapped(figure, body, name, title, description)


def _body(figure: Figure, name: str) -> str:
    """What is inside the `<svg>`, with ids that no other figure of a page has."""
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # the reader's fonts draw the text, and have more letters than matplotlib's
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        facecolor = figure.get_facecolor()
        figure.savefig(buffer, format="svg", metadata=NO_METADATA, facecolor=facecolor)
    _, _, text = buffer.getvalue().partition("<svg")
    body = text.partition(">")[2].rpartition("</svg>")[0].replace("xlink:href", "href")
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)  # would style the page too
    used = {*re.findall(r'(?:href="#|url\(#)([^")]+)', body)}
    body = re.sub(
        r' id="([^"]*)"', lambda of: f' id="{name}-{of[1]}"' if of[1] in used else "", body
    )
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    return re.sub(r"\s*\n\s*", " ", body.replace("base64,\n", "base64,"))


def _variable(colour: re.Match[str]) -> str:
    return f"var({VARIABLES[colour[0]]})" if colour[0] in VARIABLES else colour[0]


def _wrapped(figure: Figure, body: str, name: str, title: str, description: str) -> str:
    width, height = figure.get_size_inches() * PX
    return (
        f'<svg role="img" aria-labelledby="{name}-title" aria-describedby="{name}-desc" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{body}</svg>'
    )
