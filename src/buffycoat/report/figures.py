"""Figures as inline SVG: no script, no network, legible in print and in the dark.

Colours and fonts are classes that the page's style sheet fills in; a figure says in its title and
description what it shows, and a table beside it holds the same numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import numpy as np

from buffycoat.report.wording import number

Tone = Literal["main", "tail", "muted"]

WIDTH = 720
ROW = 28
LEFT = 210
RIGHT = 150
TOP = 10
AXIS = 44
ERROR_GAIN = 4.0
"""Errors are shaded this much more strongly than hits, so that rare ones show."""


@dataclass(frozen=True)
class Dot:
    """One row of an interval plot: a value with its interval.

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


@dataclass(frozen=True)
class HeatCell:
    """One cell of a confusion table.

    Attributes:
        count: Cells.
        share: Of the row, 0-1.
        shade: Strength of the colour, 0-1.
        is_hit: Whether it lies on the diagonal.
        is_dark: Whether the text must be light to be read.
    """

    count: int
    share: float
    shade: float
    is_hit: bool
    is_dark: bool


def heat_rows(confusion: Sequence[Sequence[int]]) -> list[list[HeatCell]]:
    """Counts, row shares and shades of a confusion matrix.

    Args:
        confusion: Shape (k, k), counts, rows the truth.
    """
    rows = []
    for i, counts in enumerate(confusion):
        total = max(sum(counts), 1)
        row = []
        for j, count in enumerate(counts):
            share = count / total
            shade = share if i == j else min(share * ERROR_GAIN, 1.0)
            row.append(HeatCell(int(count), share, round(shade, 3), i == j, shade > 0.55))
        rows.append(row)
    return rows


def interval_plot(name: str, title: str, description: str, dots: Sequence[Dot], axis: str) -> str:
    """A row a score: a dot, its interval, its numbers.

    Args:
        name: Unique on the page; the base of the figure's ids.
        title: What the figure shows.
        description: What a reader who cannot see it should know.
        dots: The rows, from the top.
        axis: Name of the axis.

    Returns:
        An `<svg>` element.
    """
    ends = [x for d in dots for x in (d.value, d.low, d.high) if x is not None]
    start, stop, step = _scale(ends)
    height = TOP + ROW * len(dots) + AXIS
    right = WIDTH - RIGHT

    def x(value: float) -> float:
        return LEFT + (value - start) / (stop - start) * (right - LEFT)

    parts = []
    bottom = TOP + ROW * len(dots)
    for tick in np.arange(start, stop + step / 2, step):
        parts.append(_line(x(tick), TOP, x(tick), bottom, "grid"))
        parts.append(_text(x(tick), bottom + 16, f"{tick:.{2 if step < 0.1 else 1}f}", "tick"))
    parts.append(_text((LEFT + right) / 2, bottom + 36, axis, "axis"))
    for i, dot in enumerate(dots):
        y = TOP + ROW * i + ROW / 2
        parts.append(_text(LEFT - 14, y + 4, dot.label, "label end"))
        parts.append(_text(right + 14, y + 4, dot.text, "value"))
        if dot.low is not None and dot.high is not None:
            parts.append(_line(x(dot.low), y, x(dot.high), y, f"whisker {dot.tone}"))
        if dot.value is not None:
            parts.append(_marker(x(dot.value), y, dot.tone))
    return _svg(name, title, description, WIDTH, height, parts)


def reliability_diagram(bins: Sequence[Mapping[str, float]]) -> str:
    """Stated probability against how often it came true, one dot a bin of equal size.

    Args:
        bins: `calibration.Reliability.to_rows()`.

    Returns:
        An `<svg>` element.
    """
    side, left, top = 300, 62, 12

    def x(value: float) -> float:
        return left + value * side

    def y(value: float) -> float:
        return top + (1 - value) * side

    parts = []
    for tick in np.linspace(0, 1, 6):
        parts += [
            _line(x(tick), y(0), x(tick), y(1), "grid"),
            _line(x(0), y(tick), x(1), y(tick), "grid"),
            _text(x(tick), y(0) + 17, f"{tick:.1f}", "tick"),
            _text(x(0) - 9, y(tick) + 4, f"{tick:.1f}", "tick end"),
        ]
    parts.append(_line(x(0), y(0), x(1), y(1), "ideal"))
    points = [(x(b["confidence"]), y(b["frequency"])) for b in bins]
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
    parts.append(f'<polyline class="curve" points="{path}"/>')
    parts += [_marker(px, py, "main") for px, py in points]
    parts.append(_text(x(0.5), y(0) + 38, "stated probability of the top class", "axis"))
    turned = f'transform="rotate(-90 16 {y(0.5):.0f})"'
    parts.append(_text(16, y(0.5), "share that was right", "axis", turned))
    described = "; ".join(
        f"said {number(b['confidence'], 2)}, right {number(b['frequency'], 2)}" for b in bins
    )
    title = "Reliability: stated probability against the share that was right"
    return _svg("reliability", title, described, left + side + 16, top + side + 52, parts)


def _scale(values: Sequence[float]) -> tuple[float, float, float]:
    """Start, stop and step of an axis for scores in 0 to 1."""
    low = min(values, default=0.0)
    start = min(max(np.floor(low * 10 - 0.2) / 10, 0.0), 0.9)
    span = 1.0 - start
    return float(start), 1.0, 0.2 if span > 0.6 else 0.1 if span > 0.25 else 0.05


def _marker(x: float, y: float, tone: Tone) -> str:
    """Rare classes are diamonds as well as another colour: colour alone would not reach all."""
    if tone == "tail":
        points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
        return f'<polygon class="dot tail" points="{points}"/>'
    return f'<circle class="dot {tone}" cx="{x:.1f}" cy="{y:.1f}" r="5"/>'


def _line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{style}" {ends}/>'


def _text(x: float, y: float, words: str, style: str, extra: str = "") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" {extra}>{escape(words)}</text>'


def _svg(
    name: str, title: str, description: str, width: float, height: float, parts: Sequence[Any]
) -> str:
    ids = f"{escape(name)}-title {escape(name)}-desc"
    return (
        f'<svg role="img" aria-labelledby="{ids}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'style="max-width:{width:.0f}px" xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{escape(name)}-title">{escape(title)}</title>'
        f'<desc id="{escape(name)}-desc">{escape(description)}</desc>{"".join(parts)}</svg>'
    )
