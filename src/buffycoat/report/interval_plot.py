"""A row a score: a dot, its interval, its numbers. Drawn twice, for a desk and for a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from buffycoat.report import svg, wording
from buffycoat.report.svg import Tone

MAX_LABEL = 31
"""Letters that fit to the left of the wide plot; longer labels lose their middle."""


@dataclass(frozen=True)
class Layout:
    """Where things stand, in px.

    Attributes:
        width: Of the drawing.
        row: Height of a row.
        left: Where the axis begins.
        right: Where it ends.
        is_narrow: Whether words stand above the track, not beside it.
    """

    width: int
    row: int
    left: int
    right: int
    is_narrow: bool

    @property
    def lift(self) -> float:
        """From the middle of a row down to its track."""
        return 11.0 if self.is_narrow else 0.0


WIDE = Layout(720, 28, 220, 560, False)
NARROW = Layout(340, 46, 16, 324, True)
TOP = 10
AXIS = 44


@dataclass(frozen=True)
class Dot:
    """One row of the plot.

    Attributes:
        label: Words at the left.
        value: The score; None draws the words in `text` only.
        low: Lower end of the interval, if there is one.
        high: Upper end.
        text: Words at the right.
        tone: "main", "tail" for a rare class, "muted" for what is switched off.
    """

    label: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    tone: Tone = "main"


def dot_of(row: Mapping[str, Any], column: str, label: str, tone: Tone = "main") -> Dot:
    """The dot of a score in a row of a table."""
    value, low, high = (row[name] for name in (column, f"{column}_low", f"{column}_high"))
    words = wording.number(value, 2)
    if low is not None:
        words += f" ({wording.between(low, high, 2)})"
    is_number = isinstance(value, float | int)
    return Dot(label, value if is_number else None, low, high, words, tone)


def interval_plots(
    name: str, title: str, dots: Sequence[Dot], axis: str, wanted: float | None = None
) -> Markup:
    """The plot for wide and for narrow pages; the style sheet shows one of them.

    Args:
        name: Unique on the page; the base of the ids.
        title: What it shows.
        dots: The rows, from the top.
        axis: Name of the axis.
        wanted: A value that all should reach, drawn as a dashed line.
    """
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    wide = svg.inline(interval_plot(dots, axis, WIDE, wanted), name, title, said)
    narrow = interval_plot(dots, axis, NARROW, wanted)
    small = svg.inline(narrow, f"{name}-narrow", title, said)
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{small}</div>')


@svg.styled
def interval_plot(
    dots: Sequence[Dot], axis: str, layout: Layout = WIDE, wanted: float | None = None
) -> Figure:
    """One drawing; arguments as in `interval_plots`."""
    start, stop, step = scale(
        [x for d in dots for x in (d.value, d.low, d.high, wanted) if x is not None]
    )
    height = layout.row * len(dots)
    figure = svg.new_figure(layout.width, TOP + height + AXIS)
    axes = svg.new_axes(figure, layout.left, TOP, layout.right - layout.left, height)
    axes.set(xlim=(start, stop), ylim=(height, 0), yticks=[], xlabel=axis)
    axes.set_xticks(np.arange(start, stop + step / 2, step))
    axes.xaxis.set_major_formatter("{x:.2f}")
    axes.spines["left"].set_visible(False)
    if wanted is not None:
        axes.axvline(wanted, color=svg.SOFT, linewidth=1.2, dashes=(5, 4))
    for place, dot in enumerate(dots):
        middle = layout.row * (place + 0.5)
        y = middle + layout.lift
        if dot.low is not None and dot.high is not None:
            colour = svg.TONES[dot.tone]
            axes.plot([dot.low, dot.high], [y, y], color=colour, linewidth=2.5, alpha=0.55)
        if dot.value is not None:
            svg.mark(axes, dot.value, y, dot.tone)
        name_row(figure, dot.label, dot.text, layout, TOP + middle)
    return figure


def name_row(figure: Figure, label: str, text: str, layout: Layout, y: float) -> None:
    """The words of a row whose middle is y px from the top."""
    if layout.is_narrow:
        svg.words(figure, 0, y - 8, label)
        svg.words(figure, layout.width, y - 8, text, ha="right")
    else:
        svg.words(figure, layout.left - 14, y, wording.shortened(label, MAX_LABEL), ha="right")
        svg.words(figure, layout.right + 14, y, text)


def scale(values: Sequence[float]) -> tuple[float, float, float]:
    """Start, stop and step of an axis for scores in 0 to 1."""
    low = min(values, default=0.0)
    start = min(max(np.floor(low * 10 - 0.2) / 10, 0.0), 0.9)
    span = 1.0 - start
    return float(start), 1.0, 0.2 if span > 0.6 else 0.1 if span > 0.25 else 0.05
