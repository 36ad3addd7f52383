"""A map of embeddings: training cells as dots, doubtful and wrong cells as pictures among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from buffycoat.report import svg
from buffycoat.report.records import DOUBTFUL, TRAINING, MapPoint

WIDE_PX, NARROW_PX = (760, 560), (350, 420)
THUMB_PX = 40
NAME_PX = (36, 17)
"""What the code of a class takes."""
SHARP = 1.5
"""Pixels of a thumbnail to a px of the drawing."""


def cell_map(
    name: str, points: Sequence[MapPoint], colours: Mapping[str, tuple[int, int, int]]
) -> Markup:
    """The map for wide and for narrow pages; the style sheet shows one of them.

    Args:
        name: Unique on the page; the base of the ids.
        points: Training cells, and those that are marked, the most important first.
        colours: Class -> its colour, RGB.
    """
    title = "Map of embeddings: training cells, and doubtful and wrong cells among them"
    marked = [point for point in points if point.kind != TRAINING]
    said = f"{len(points) - len(marked)} training cells as dots. Marked: " + "; ".join(
        f"{point.caption}, {point.kind}, predicted {point.code}" for point in marked
    )
    wide = svg.inline(_drawn(points, colours, WIDE_PX), name, title, said)
    narrow = svg.inline(_drawn(points, colours, NARROW_PX), f"{name}-narrow", title, said)
    return Markup(f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')


@svg.styled
def _drawn(
    points: Sequence[MapPoint],
    colours: Mapping[str, tuple[int, int, int]],
    size: tuple[int, int],
) -> Figure:
    figure = svg.new_figure(*size)
    axes = svg.new_axes(figure, 0, 0, *size)
    axes.set_axis_off()
    # a margin, so that no picture runs off the drawing
    width, height = (side - THUMB_PX for side in size)
    margins = [THUMB_PX / 2 / side for side in (width, height)]
    limits = (-margins[0], 1 + margins[0]), (-margins[1], 1 + margins[1])
    training = [point for point in points if point.kind == TRAINING]
    named: list[tuple[float, float]] = []
    for code, colour in colours.items():
        of = [point for point in training if point.code == code]
        if of:
            _dots(axes, of, colour)
            _name(axes, of, colour, named, (width, height))
    taken: list[tuple[float, float]] = []
    for point in (point for point in points if point.kind != TRAINING):
        at = point.x * width, point.y * height
        is_free = all(max(abs(at[0] - x), abs(at[1] - y)) > THUMB_PX + 4 for x, y in taken)
        if is_free and point.image is not None:
            taken.append(at)
            _picture(axes, point, THUMB_PX / 2 / width, THUMB_PX / 2 / height)
        else:
            _sign(axes, point)
    axes.set(xlim=limits[0], ylim=limits[1])
    return figure


def _dots(axes: Axes, of: Sequence[MapPoint], colour: tuple[int, int, int]) -> None:
    """The training cells of one class."""
    x, y = ([getattr(point, name) for point in of] for name in ("x", "y"))
    shade = tuple(part / 255 for part in colour)
    axes.plot(x, y, "o", color=shade, alpha=0.55, markersize=4, markeredgewidth=0)


def _name(
    axes: Axes,
    of: Sequence[MapPoint],
    colour: tuple[int, int, int],
    named: list[tuple[float, float]],
    size: tuple[float, float],
) -> None:
    """The code of a class amid its cells, moved down to where no other stands."""
    x, y = (float(np.median([getattr(point, name) for point in of])) for name in ("x", "y"))
    at = x * size[0], y * size[1]
    while any(abs(at[0] - a) < NAME_PX[0] and abs(at[1] - b) < NAME_PX[1] for a, b in named):
        at = at[0], at[1] - 4
    named.append(at)
    shade = tuple(part / 255 for part in colour)
    around = {"facecolor": svg.PAPER, "edgecolor": shade, "boxstyle": "round,pad=0.15"}
    axes.text(
        at[0] / size[0], at[1] / size[1], of[0].code, bbox=around, zorder=6,
        ha="center", va="center", size=11, weight="bold",
    )  # fmt: skip


def _picture(axes: Axes, point: MapPoint, half_x: float, half_y: float) -> None:
    assert point.image is not None
    side = round(THUMB_PX * SHARP)
    thumb = cv2.resize(point.image, (side, side), interpolation=cv2.INTER_AREA)
    extent = (point.x - half_x, point.x + half_x, point.y - half_y, point.y + half_y)
    axes.imshow(thumb, extent=extent, interpolation="none", aspect="auto", zorder=4)
    line = "--" if point.kind == DOUBTFUL else "-"
    at = extent[0], extent[2]
    frame = Rectangle(at, 2 * half_x, 2 * half_y, fill=False, linewidth=2.5, linestyle=line)
    frame.set(edgecolor=_tone(point), zorder=5)
    axes.add_patch(frame)


def _sign(axes: Axes, point: MapPoint) -> None:
    """A marked cell without room for its picture, or without one."""
    marker = "D" if point.kind == DOUBTFUL else "X"
    axes.plot([point.x], [point.y], marker, color=_tone(point), markeredgecolor=svg.PAPER,
              markersize=8, zorder=3.5)  # fmt: skip


def _tone(point: MapPoint) -> str:
    return svg.ACCENT if point.kind == DOUBTFUL else svg.WARM
