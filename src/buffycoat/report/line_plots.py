"""Curves: reliability, precision against recall, and what abstention gains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from buffycoat.report import svg
from buffycoat.report.interval_plot import scale

Row = Mapping[str, Any]

IDEAL: dict[str, Any] = {"color": svg.SOFT, "linewidth": 1.2, "dashes": (5, 4)}


@svg.styled
def reliability_diagram(bins: Sequence[Row]) -> Figure:
    """Stated probability against how often it came true, one dot a bin of equal size.

    Args:
        bins: Rows of the table `reliability`.
    """
    figure, axes = _square(346, 344)
    axes.set(xlabel="stated probability of the top class", ylabel="share that was right")
    axes.plot([0, 1], [0, 1], **IDEAL)
    stated, right = ([of[name] for of in bins] for name in ("confidence", "frequency"))
    axes.plot(stated, right, color=svg.ACCENT, linewidth=1.5)
    for x, y in zip(stated, right, strict=True):
        svg.mark(axes, x, y, "main")
    return figure


@svg.styled
def precision_recall_panel(of_class: Row, points: Sequence[Row]) -> Figure:
    """The curve of one class, where the labels put it, and what chance would give.

    A precision holds for the step of recall that it was reached with, as its area counts it.

    Args:
        of_class: Row of the table `classes`.
        points: Rows of the table `curves` of this class.
    """
    figure = svg.new_figure(162, 152)
    axes = svg.new_axes(figure, 34, 8, 120, 120)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
    axes.tick_params(labelsize=11)
    axes.axhline(of_class["share_of_cells"], **IDEAL)
    recall, precision = ([of[name] for of in points] for name in ("recall", "precision"))
    axes.plot([0.0, *recall], [precision[0], *precision], color=svg.ACCENT, linewidth=1.5,
              drawstyle="steps-pre", clip_on=False)  # fmt: skip
    at = of_class["sensitivity"], of_class["precision"]
    if all(isinstance(value, float) for value in at):
        svg.mark(axes, *at, "tail")
    return figure


@svg.styled
def abstention_plot(rows: Sequence[Row]) -> Figure:
    """Score of the surest cells, and what is left of the class that loses most.

    Args:
        rows: Of the table `abstention`, from all cells down.
    """
    figure, axes = _square(346, 304)
    kept, score, least = (
        [of[name] for of in rows]
        for name in ("share_kept", "balanced_macro_f1", "least_share_of_a_class")
    )
    start, stop, step = scale([*score, *least])
    axes.set(xlim=(1.0, min(*kept, 0.99)), ylim=(start, stop))
    axes.set(xlabel="share of the cells that are kept", ylabel="score or share")
    axes.set_yticks(np.arange(start, stop + step / 2, step))
    axes.plot(kept, least, "s", color=svg.PAPER, markeredgecolor=svg.SOFT, markeredgewidth=2,
              markersize=8, clip_on=False, zorder=3)  # fmt: skip
    axes.plot(kept, least, color=svg.SOFT, linewidth=1.5, dashes=(2, 3))
    axes.plot(kept, score, color=svg.ACCENT, linewidth=1.5)
    for x, y in zip(kept, score, strict=True):
        svg.mark(axes, x, y, "main")
    return figure


def _square(width: int, height: int) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, their numbers from 0 to 1 on both."""
    figure = svg.new_figure(width, height)
    axes = svg.new_axes(figure, 52, 12, width - 66, height - 64)
    ticks = np.linspace(0, 1, 6)
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=ticks, yticks=ticks)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter("{x:.1f}")
    return figure, axes
