"""A row a score: a dot, its interval, its numbers. Drawn twice, for a desk and for a phone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from buffycoat.report import svg, wording
from buffycoat.report.svg import Tone

MAX_LABEL = 31
"""Letters that fit to the left of the wide plot; longer labels lose their middle."""


@dataclass(frozen=True)
class Layout:
    """Where things stand.

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
        row: Name of the row in the figure's table.
        column: Column of the score there; its ends are in `COLUMN_low` and `COLUMN_high`.
        label: Words at the left.
        value: The score; None draws the words in `text` only.
        low: Lower end of the interval, if there is one.
        high: Upper end.
        text: Words at the right.
        tone: "main", "tail" for a rare class, "muted" for what is switched off.
    """

    row: str
    column: str
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
    return Dot(row["row"], column, label, value if is_number else None, low, high, words, tone)


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
    wide = interval_plot(name, title, said, dots, axis, WIDE, wanted)
    narrow = interval_plot(f"{name}-narrow", title, said, dots, axis, NARROW, wanted)
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')


def interval_plot(
    name: str,
    title: str,
    description: str,
    dots: Sequence[Dot],
    axis: str,
    layout: Layout = WIDE,
    wanted: float | None = None,
) -> str:
    """One drawing; arguments as in `interval_plots`."""
    ends = [x for d in dots for x in (d.value, d.low, d.high, wanted) if x is not None]
    start, stop, step = scale(ends)
    bottom = TOP + layout.row * len(dots)
    frame = svg.Frame(
        layout.left, TOP, layout.right - layout.left, bottom - TOP, x_range=(start, stop)
    )
    parts = frame.grid(np.arange(start, stop + step / 2, step).tolist(), (), ".2f")
    if wanted is not None:
        parts.append(svg.line(frame.x(wanted), TOP, frame.x(wanted), bottom, "ideal"))
    parts.append(svg.text((layout.left + layout.right) / 2, bottom + 36, axis, "axis"))
    for i, dot in enumerate(dots):
        parts.append(_row(dot, frame, layout, TOP + layout.row * (i + 0.5)))
    return svg.drawing(name, title, description, (layout.width, bottom + AXIS), parts)


def _row(dot: Dot, frame: svg.Frame, layout: Layout, middle: float) -> str:
    if layout.is_narrow:
        parts = [
            svg.text(0, middle - 5, dot.label, "label"),
            svg.text(layout.width, middle - 5, dot.text, "value end"),
        ]
    else:
        parts = [
            svg.text(layout.left - 14, middle + 4, _short(dot.label), "label end"),
            svg.text(layout.right + 14, middle + 4, dot.text, "value"),
        ]
    y = middle + layout.lift
    if dot.low is not None and dot.high is not None:
        parts.append(svg.line(frame.x(dot.low), y, frame.x(dot.high), y, f"whisker {dot.tone}"))
    if dot.value is not None:
        parts.append(svg.marker(frame.x(dot.value), y, dot.tone))
    ends = {dot.column: dot.value, f"{dot.column}_low": dot.low, f"{dot.column}_high": dot.high}
    return svg.marked(dot.row, ends, parts)


def _short(label: str) -> str:
    if len(label) <= MAX_LABEL:
        return label
    half = MAX_LABEL // 2
    return f"{label[:half]}…{label[-half:]}"


def scale(values: Sequence[float]) -> tuple[float, float, float]:
    """Start, stop and step of an axis for scores in 0 to 1."""
    low = min(values, default=0.0)
    start = min(max(np.floor(low * 10 - 0.2) / 10, 0.0), 0.9)
    span = 1.0 - start
    return float(start), 1.0, 0.2 if span > 0.6 else 0.1 if span > 0.25 else 0.05
