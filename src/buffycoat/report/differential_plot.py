"""A differential as bars with limits: in a page for a desk and a phone, or as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from buffycoat.evaluate.differential import Percent
from buffycoat.evaluate.doubtful_cells import REFUSED, CheckedRow
from buffycoat.exchange.differential_report import one_decimal
from buffycoat.plurals import counted
from buffycoat.report import svg
from buffycoat.report.interval_plot import AXIS, NARROW, WIDE, Layout, name_row

MOST_SLIDES = 30
"""Slides that one file shows."""
TITLE = 30
BAR = 13
"""Thickness of a bar."""


@dataclass(frozen=True)
class Bar:
    """One class.

    Attributes:
        label: Words at the left.
        share: Percent, with limits.
        doubtful: Percent that are doubtful cells, part of the share; hatched.
        other: A second figure with limits, drawn as a diamond under the bar.
        threshold: Percent from which it is flagged.
        text: Words at the right.
    """

    label: str
    share: Percent
    doubtful: float = 0.0
    other: Percent | None = None
    threshold: float | None = None
    text: str = ""


def bars_of(rows: Sequence[CheckedRow], thresholds: Mapping[str, float]) -> list[Bar]:
    """The bars of one slide; classes without a cell and without a threshold are left out.

    Args:
        rows: Of one slide.
        thresholds: Class or "immature granulocytes" -> percent from which it is flagged.
    """
    return [
        _bar(row, thresholds) for row in rows if row.every.count or row.every.name in thresholds
    ]


def _bar(row: CheckedRow, thresholds: Mapping[str, float]) -> Bar:
    of, share = row.every, row.every.raw
    n_doubtful = of.count - (row.kept.count if row.kept else 0)
    is_known = row.n_doubtful is not None and of.count
    limit = thresholds.get(of.name)
    return Bar(
        of.name if of.is_leukocyte else f"{of.name} per 100",
        share,
        share.value * n_doubtful / of.count if is_known else 0.0,
        of.adjusted,
        limit,
        "{} ({} to {})".format(
            *(one_decimal(end, limit) for end in (share.value, share.low, share.high))
        ),
    )


def differential_bars(name: str, title: str, bars: Sequence[Bar]) -> Markup:
    """The bars for wide and for narrow pages; the style sheet shows one of them.

    Args:
        name: Unique on the page; the base of the ids.
        title: What it shows.
        bars: From the top.
    """
    said = "; ".join(f"{bar.label} {bar.text}" for bar in bars)
    wide = svg.inline(_drawn([("", bars)], WIDE), name, title, said)
    narrow = svg.inline(_drawn([("", bars)], NARROW), f"{name}-narrow", title, said)
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')


def differential_picture(
    slides: Mapping[str, Sequence[CheckedRow]], thresholds: Mapping[str, float]
) -> str:
    """The bars of each slide under each other, as the text of an .svg file.

    Args:
        slides: Name -> rows; refused ones and those after `MOST_SLIDES` are left out.
        thresholds: As in `bars_of`.
    """
    parts = [
        (f"{name}: {counted(rows[0].every.n_leukocytes, 'leukocyte')}", bars_of(rows, thresholds))
        for name, rows in slides.items()
        if rows[0].status != REFUSED
    ][:MOST_SLIDES]
    said = ". ".join(
        f"{title}: {'; '.join(f'{bar.label} {bar.text}' for bar in bars)}" for title, bars in parts
    )
    return svg.alone(_drawn(parts, WIDE), "differential", "Differential, with 95 % limits", said)


@svg.styled
def _drawn(parts: Sequence[tuple[str, Sequence[Bar]]], layout: Layout) -> Figure:
    """Bars under each other, each part with its title and axis."""
    heads = [TITLE if title else 6 for title, _ in parts]
    heights = [layout.row * len(bars) for _, bars in parts]
    figure = svg.new_figure(layout.width, sum(heads) + sum(heights) + AXIS * len(parts))
    top = 0
    for (title, bars), head, height in zip(parts, heads, heights, strict=True):
        top += head
        if title:
            svg.words(figure, 0, top - head / 2, title, weight="bold")
        axes = svg.new_axes(figure, layout.left, top, layout.right - layout.left, max(height, 1))
        axes.set(xlim=(0, _end(bars)), ylim=(max(height, 1), 0), yticks=[])
        axes.set_xlabel("percent of leukocytes")
        for place, bar in enumerate(bars):
            middle = layout.row * (place + 0.5)
            _draw(axes, bar, middle + layout.lift)
            name_row(figure, bar.label, bar.text, layout, top + middle)
        top += height + AXIS
    return figure


def _draw(axes: Axes, bar: Bar, y: float) -> None:
    share = bar.share
    if np.isfinite(share.value):
        sure = share.value - bar.doubtful
        axes.barh(y, sure, BAR, color=svg.ACCENT, alpha=0.75)
        axes.barh(y, bar.doubtful, BAR, left=sure, color="none", edgecolor=svg.ACCENT, hatch="////")
    _whisker(axes, share, y, svg.INK)
    if bar.other is not None:
        _whisker(axes, bar.other, y + BAR / 2 + 3, svg.WARM)
        axes.plot([bar.other.value], [y + BAR / 2 + 3], "D", color=svg.WARM, markersize=5)
    if bar.threshold is not None:
        ends = [y - BAR / 2 - 4, y + BAR / 2 + 4]
        axes.plot([bar.threshold] * 2, ends, color=svg.WARM, linewidth=1.5, dashes=(3, 2))


def _whisker(axes: Axes, of: Percent, y: float, colour: str) -> None:
    high = of.high if np.isfinite(of.high) else axes.get_xlim()[1]
    axes.plot([of.low, high], [y, y], color=colour, linewidth=1.5)


def _end(bars: Sequence[Bar]) -> float:
    """Where the axis ends: a little beyond the largest limit that is known."""
    ends = [e for bar in bars for e in (bar.share.high, bar.share.value, bar.threshold or 0.0)]
    ends += [bar.other.high for bar in bars if bar.other is not None]
    return max([1.0, *(end for end in ends if np.isfinite(end))]) * 1.03
