"""A reader and a model beside each other: their figures, and their differences, a row a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from buffycoat.evaluate.agreement import ClassAgreement
from buffycoat.plurals import counted
from buffycoat.report import svg

PANEL_PX = 200
GAP_PX = 76
TOP_PX = 34


@svg.styled
def agreement_plot(classes: Sequence[ClassAgreement]) -> str:
    """One row a class as the text of an .svg file.

    Left: model against reader, with the line of equality (dashed) and Passing-Bablok's line, where
    there is one. Right: Bland-Altman, the bias a solid line and the limits of agreement dashed.
    Classes that neither counted, or without three slides, are left out.
    """
    shown = [of for of in classes if of.differences is not None and (of.reader + of.model).any()]
    step = PANEL_PX + GAP_PX
    figure = svg.new_figure(2 * step + 16, TOP_PX + max(len(shown), 1) * step)
    for row, of in enumerate(shown):
        top = TOP_PX + row * step
        figures = svg.new_axes(figure, GAP_PX - 16, top, PANEL_PX, PANEL_PX)
        differences = svg.new_axes(figure, GAP_PX - 16 + step, top, PANEL_PX, PANEL_PX)
        _figures(figures, of)
        _differences(differences, of)
    names = ", ".join(of.name for of in shown)
    return svg.alone(
        figure,
        "agreement",
        "Reader and model, and Bland-Altman plots",
        f"A row a class: {names}. Percent of leukocytes. The numbers are in the table beside this "
        "file.",
    )


def _figures(axes: Axes, of: ClassAgreement) -> None:
    ends = np.array([of.reader, of.model])
    low, high = _padded(ends)
    axes.set(
        xlim=(low, high), ylim=(low, high), title=f"{of.name}, {counted(len(of.reader), 'slide')}"
    )
    axes.set(xlabel="reader, percent", ylabel="model, percent")
    axes.axline((0, 0), slope=1, color=svg.SOFT, linewidth=1.2, dashes=(5, 4))
    if of.line is not None:
        slope, intercept = of.line.slope.value, of.line.intercept.value
        axes.axline((0, intercept), slope=slope, color=svg.WARM, linewidth=1.5)
    _dots(axes, of.reader, of.model)


def _differences(axes: Axes, of: ClassAgreement) -> None:
    found = of.differences
    assert found is not None
    mean, difference = (of.reader + of.model) / 2, of.model - of.reader
    limits = found.lower.value, found.upper.value
    axes.set(xlim=_padded(mean), ylim=_padded(np.array([*difference, *limits, 0.0])))
    axes.set(xlabel="mean of both, percent", ylabel="model minus reader, points")
    axes.set_title(f"bias {found.bias.value:.1f}, limits {limits[0]:.1f} to {limits[1]:.1f}")
    axes.axhline(0, color=svg.SOFT, linewidth=1)
    axes.axhline(found.bias.value, color=svg.WARM, linewidth=1.5)
    for value in limits:
        axes.axhline(value, color=svg.WARM, linewidth=1.2, dashes=(4, 3))
    _dots(axes, mean, difference)


def _dots(axes: Axes, x: np.ndarray, y: np.ndarray) -> None:
    axes.title.set_fontsize(12)
    axes.plot(x, y, "o", color=svg.ACCENT, markeredgecolor="white", markersize=6, clip_on=False)


def _padded(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.08 * (high - low) or 0.5
    return low - pad, high + pad
