"""One figure of one cell: what was seen, measured and concluded."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

import cv2
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font

from buffycoat.report import svg, wording
from buffycoat.report.explained import Explanation, FeatureRow, Likeness, chosen_features
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE

PHOTO_PX, RIGHT_PX, GAP_PX, LINE_PX = 300, 720, 16, 18
WIDTH_PX = 3 * GAP_PX + PHOTO_PX + RIGHT_PX
NAME_PX, VALUE_PX, TRACK_PX = 190, 180, 240
STEP_PX = 210
"""What the name of a stage takes."""
HEAD_PX = 34
DPI = 1.5 * svg.PX
"""Sharp on screens of today at 1,600 px across."""
CELL_LINE, NUCLEUS_LINE = (20, 20, 20), (255, 214, 0)
TONES = ("#005aa0", "#c85000", "#6e6e6e")
SIGNS = "oDs"
"""Of the leading classes, first to third: colour alone would not reach all."""
INK, FAINT, TRACK = "#1e1e1e", "#6e6e6e", "#e1e1e1"


def draw_explanation(data: Explanation) -> np.ndarray:
    """The figure as pixels.

    Returns:
        Shape (h, w, 3), uint8.
    """
    with matplotlib.rc_context(svg.STYLE | {"text.color": INK, "axes.grid": False}):
        figure = build_explanation(data)
        canvas = FigureCanvasAgg(figure)
        figure.set_dpi(DPI)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def build_explanation(data: Explanation) -> Figure:
    """The figure: photographs at the left, numbers at the right, cells that look alike below."""
    lines = [*textwrap.wrap(data.verdict, 120), NOT_A_MEDICAL_DEVICE]
    rows = chosen_features(data.features)
    reasons = [line for text in data.reasons for line in textwrap.wrap(f"- {text}", 88)]
    top = 2 * GAP_PX + LINE_PX * (len(lines) + 1)
    n_lines = len(data.steps) + max(len(rows), 1) + len(reasons)
    middle = max(2 * (PHOTO_PX + LINE_PX + GAP_PX), 3 * HEAD_PX + n_lines * LINE_PX + GAP_PX)
    side = (WIDTH_PX - 2 * GAP_PX) / max(len(data.like), 10) - 8
    figure = svg.new_figure(WIDTH_PX, top + middle + HEAD_PX + side + 3 * LINE_PX)
    figure.set_facecolor("white")
    name = wording.shortened(data.name, 90)
    svg.words(figure, GAP_PX, GAP_PX + 6, _drawable(name), size=16, weight="bold")
    for number, line in enumerate(lines, start=1):
        svg.words(figure, GAP_PX, GAP_PX + 8 + number * LINE_PX, _drawable(line), color=FAINT)
    _photographs(figure, data, top)
    left = 2 * GAP_PX + PHOTO_PX
    below = _steps(figure, data, left, top)
    below = _features(figure, data.leading, rows, left, below)
    svg.words(figure, left, below + 10, "Reasons", size=14, weight="bold")
    for number, line in enumerate(reasons):
        y = below + HEAD_PX + number * LINE_PX
        svg.words(figure, left, y, _drawable(line), color=FAINT, size=12)
    _alike(figure, data.like, top + middle, side)
    return figure


def _photographs(figure: Figure, data: Explanation, top: float) -> None:
    drawn = outlined(data.image, data.cell_mask, data.nucleus_mask)
    for picture, text in ((data.image, "the cell"), (drawn, "contours of cell and nucleus")):
        _picture(figure, picture, GAP_PX, top, PHOTO_PX)
        svg.words(figure, GAP_PX, top + PHOTO_PX + 10, text, color=FAINT, size=12)
        top += PHOTO_PX + LINE_PX + GAP_PX


def _picture(figure: Figure, picture: np.ndarray, left: float, top: float, side: float) -> Axes:
    axes = svg.new_axes(figure, left, top, side, side)
    axes.imshow(picture, interpolation="lanczos")
    axes.set_axis_off()
    return axes


def _steps(figure: Figure, data: Explanation, left: float, top: float) -> float:
    """Bars of each stage's probabilities, a column a class; gives where they end."""
    svg.words(figure, left, top + 8, "Probability at each stage", size=14, weight="bold")
    n = len(data.steps)
    wide = (RIGHT_PX - STEP_PX) / len(data.leading)
    start = top + HEAD_PX
    for step in range(n):
        svg.words(figure, left, start + (step + 0.5) * LINE_PX, data.steps[step].stage, size=12)
    for number, code in enumerate(data.leading):
        x = left + STEP_PX + number * wide
        svg.words(figure, x + 14, top + 9, code, color=TONES[number], weight="bold")
        probs = [step.probs[number] for step in data.steps]
        axes = svg.new_axes(figure, x, start, wide - 60, max(n, 1) * LINE_PX)
        axes.set(xlim=(0, 1), ylim=(max(n, 1) - 0.5, -0.5))
        axes.barh(range(n), [1] * n, 0.62, color=TRACK)
        axes.barh(range(n), probs, 0.62, color=TONES[number])
        axes.set_axis_off()
        _sign(figure, number, x + 5, top + 9)
        for row, prob in enumerate(probs):
            svg.words(figure, x + wide - 54, start + (row + 0.5) * LINE_PX, f"{prob:.2f}", size=12)
    return start + n * LINE_PX + LINE_PX / 2


def _features(
    figure: Figure, leading: Sequence[str], rows: Sequence[FeatureRow], left: float, top: float
) -> float:
    """Value of each feature, and its percentile in each leading class; gives where they end."""
    head = "Features, and their percentile among training cells of"
    svg.words(figure, left, top + 10, head, size=14, weight="bold")
    for number, code in enumerate(leading):
        x = left + 440 + number * 80
        _sign(figure, number, x, top + 11)
        svg.words(figure, x + 10, top + 11, code, color=TONES[number], weight="bold")
    start, n = top + HEAD_PX - 6, max(len(rows), 1)
    if not rows:
        svg.words(figure, left, start + LINE_PX / 2, "none could be measured", color=FAINT)
    axes = svg.new_axes(figure, left + NAME_PX + VALUE_PX, start, TRACK_PX, n * LINE_PX)
    axes.set(xlim=(0, 100), ylim=(n - 0.5, -0.5))
    axes.set_axis_off()
    for place, row in enumerate(rows):
        y = start + (place + 0.5) * LINE_PX
        svg.words(figure, left, y, row.words, size=12)
        svg.words(figure, left + NAME_PX, y, row.measured, color=FAINT, size=12)
        axes.plot([0, 100], [place, place], color=TRACK, linewidth=2, zorder=0)
        for number, where in enumerate(row.percentiles):
            # a little under each other, so that equal percentiles hide none
            axes.plot([where], [place + 0.16 * (number - 1)], SIGNS[number], color=TONES[number],
                      markersize=8, clip_on=False)  # fmt: skip
        said = " / ".join(f"{x:.0f}" if np.isfinite(x) else "-" for x in row.percentiles)
        x = left + NAME_PX + VALUE_PX + TRACK_PX + 14
        svg.words(figure, x, y, said, color=FAINT, size=12)
    return start + n * LINE_PX + LINE_PX / 2


def _alike(figure: Figure, like: Sequence[Likeness], top: float, side: float) -> None:
    """The nearest training cells as pictures, nearest first."""
    counts = ", ".join(f"{n} {c}" for c, n in Counter(x.label for x in like).most_common())
    head = f"Nearest training cells: {counts or 'none'}"
    svg.words(figure, GAP_PX, top + 10, head, size=14, weight="bold")
    said = "label, and cosine distance of the embeddings: 0 is the same picture"
    svg.words(figure, GAP_PX + 10 * len(head), top + 11, said, color=FAINT, size=12)
    for number, one in enumerate(like):
        left = GAP_PX + number * (side + 8)
        blank = np.full((8, 8, 3), 240, np.uint8)
        axes = _picture(figure, blank if one.image is None else one.image, left, top + 26, side)
        if one.image is None:
            axes.text(3.5, 3.5, "no picture", ha="center", va="center", size=11, color=FAINT)
        y = top + 26 + side + 10
        svg.words(figure, left, y, f"{one.label}  {one.distance:.2f}", size=12, weight="bold")
        name = wording.shortened(one.cell_id, 14)
        svg.words(figure, left, y + LINE_PX - 2, _drawable(name), size=10, color=FAINT)


def _sign(figure: Figure, number: int, x: float, y: float) -> None:
    """The mark of a leading class, beside its code."""
    axes = svg.new_axes(figure, x - 5, y - 5, 10, 10)
    axes.plot([0], [0], SIGNS[number], color=TONES[number], markersize=8, clip_on=False)
    axes.set_axis_off()


def _drawable(text: str) -> str:
    """The text, with "?" for what the font lacks."""
    font = get_font(findfont("DejaVu Sans"))
    return "".join(c if font.get_char_index(ord(c)) else "?" for c in text)


def outlined(image: np.ndarray, cell_mask: np.ndarray, nucleus_mask: np.ndarray) -> np.ndarray:
    """The image, enlarged, with the contours of cell and nucleus on it.

    Args:
        image: Shape (h, w, 3), uint8.
        cell_mask: Shape (h, w), bool.
        nucleus_mask: Shape (h, w), bool.

    Returns:
        Twice the size of a figure's photograph or larger, so that the lines are smooth.
    """
    scale = max(1, -(-2 * PHOTO_PX // max(image.shape[:2])))
    big = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for mask, colour in ((cell_mask, CELL_LINE), (nucleus_mask, NUCLEUS_LINE)):
        grown = cv2.resize(
            mask.astype(np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST
        )
        # holes too: a ring-shaped nucleus has one
        contours, _ = cv2.findContours(grown, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(big, contours, -1, colour, 3, cv2.LINE_AA)
    return big
