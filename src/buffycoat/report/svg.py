"""What figures are drawn with: inline SVG, no script, no network, legible in print and in the dark.

Colours and fonts are classes that the page's style sheet fills in. A mark lies in a group that
names its row of a table and the numbers that it was drawn from (`marked`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

Tone = Literal["main", "tail", "muted"]
Numbers = Mapping[str, float | Sequence[float] | None]

RADIUS = 5


@dataclass(frozen=True)
class Frame:
    """Where the unit square of a figure lies on the drawing.

    Attributes:
        left: Of the square.
        top: Of the square.
        side: Its width.
        height: Its height.
        x_range: Values at the left and the right edge.
        y_range: Values at the lower and the upper edge.
    """

    left: float
    top: float
    side: float
    height: float
    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)

    def x(self, value: float) -> float:
        """Place of a value from the left."""
        start, stop = self.x_range
        return self.left + (value - start) / (stop - start) * self.side

    def y(self, value: float) -> float:
        """Place of a value from the top."""
        start, stop = self.y_range
        return self.top + (1 - (value - start) / (stop - start)) * self.height

    def grid(self, x_ticks: Sequence[float], y_ticks: Sequence[float], form: str) -> list[str]:
        """Lines and numbers of both axes."""
        (x0, x1), (y0, y1) = self.x_range, self.y_range
        parts = []
        for tick in x_ticks:
            parts.append(line(self.x(tick), self.y(y0), self.x(tick), self.y(y1), "grid"))
            parts.append(text(self.x(tick), self.y(y0) + 17, format(tick, form), "tick"))
        for tick in y_ticks:
            parts.append(line(self.x(x0), self.y(tick), self.x(x1), self.y(tick), "grid"))
            parts.append(text(self.left - 7, self.y(tick) + 4, format(tick, form), "tick end"))
        return parts


def marked(row: str, numbers: Numbers, parts: Sequence[str]) -> str:
    """A group of marks with its row's name and its numbers, in full, as attributes.

    Args:
        row: Name of the row in the figure's table.
        numbers: Column -> number, or numbers of a curve; None is left out.
        parts: What is drawn.
    """
    attributes = [f'data-row="{escape(row)}"']
    for column, value in numbers.items():
        if value is None:
            continue
        words = " ".join(map(repr, value)) if isinstance(value, Sequence) else repr(value)
        attributes.append(f'data-{column}="{words}"')
    return f"<g {' '.join(attributes)}>{''.join(parts)}</g>"


def marker(x: float, y: float, tone: Tone) -> str:
    """Rare classes are diamonds as well as another colour: colour alone would not reach all."""
    if tone == "tail":
        points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y:.1f} {x:.1f},{y + 6:.1f} {x - 6:.1f},{y:.1f}"
        return f'<polygon class="dot tail" points="{points}"/>'
    return f'<circle class="dot {tone}" cx="{x:.1f}" cy="{y:.1f}" r="{RADIUS}"/>'


def square(x: float, y: float, style: str) -> str:
    """A square mark around a point."""
    return f'<rect class="{style}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line."""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line class="{style}" {ends}/>'


def polyline(points: Sequence[tuple[float, float]], style: str) -> str:
    """Lines from point to point."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{style}" points="{path}"/>'


def text(x: float, y: float, words: str, style: str, extra: str = "") -> str:
    """Words; `style` says by which end they are placed."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" {extra}>{escape(words)}</text>'


def drawing(
    name: str, title: str, description: str, size: tuple[float, float], parts: Sequence[str]
) -> str:
    """An `<svg>` that says what it shows.

    Args:
        name: Unique on the page; the base of its ids.
        title: What it shows.
        description: What a reader who cannot see it should know.
        size: Width and height.
        parts: What is drawn.
    """
    width, height = size
    base = escape(name)
    return (
        f'<svg role="img" aria-labelledby="{base}-title" aria-describedby="{base}-desc" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}" '
        f'xmlns="http://www.w3.org/2000/svg">'
        f'<title id="{base}-title">{escape(title)}</title>'
        f'<desc id="{base}-desc">{escape(description)}</desc>{"".join(parts)}</svg>'
    )
