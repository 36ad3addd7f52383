"""Bland-Altman plots of all classes as one SVG file that stands alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from buffycoat.evaluate.agreement import ClassAgreement
from buffycoat.report import svg

PANEL_PX = 150
GAP_PX = 62
COLUMNS = 4
STYLE = (
    "<style>text{font:12px system-ui,sans-serif;fill:#333}.tick,.axis{text-anchor:middle}"
    ".end{text-anchor:end}.grid{stroke:#ddd}.dot{fill:#1f6f8b}.bias{stroke:#b5541c;stroke-width:1.5}"
    ".limit{stroke:#b5541c;stroke-dasharray:4 3}.zero{stroke:#333}"
    "@media(prefers-color-scheme:dark){svg{background:#16181c}text{fill:#ddd}.grid{stroke:#333}"
    ".zero{stroke:#ddd}.dot{fill:#7cc4dd}}</style>"
)


def bland_altman_plot(classes: Sequence[ClassAgreement]) -> str:
    """One panel a class: across the mean of both, up the model less the reader, in percent points.

    The bias is a solid line, the limits of agreement are dashed. Classes that neither counted, or
    without three slides, are left out.
    """
    shown = [of for of in classes if of.differences is not None and (of.reader + of.model).any()]
    columns = min(COLUMNS, max(len(shown), 1))
    rows = math.ceil(len(shown) / columns)
    width = columns * (PANEL_PX + GAP_PX) + 16
    height = rows * (PANEL_PX + GAP_PX) + 34
    parts = [STYLE]
    for place, of in enumerate(shown):
        row, column = divmod(place, columns)
        left, top = GAP_PX - 8 + column * (PANEL_PX + GAP_PX), 26 + row * (PANEL_PX + GAP_PX)
        parts.append(_panel(of, left, top))
    words = "mean of reader and model, percent; up: model less reader, percent points"
    parts.append(svg.text(width / 2, height - 6, words, "axis"))
    names = ", ".join(of.name for of in shown)
    return svg.drawing(
        "agreement",
        "Bland-Altman plots",
        f"Model less reader against their mean, a panel a class: {names}. The numbers are in the "
        "table beside this file.",
        (width, height),
        parts,
    )


def _panel(of: ClassAgreement, left: float, top: float) -> str:
    found = of.differences
    assert found is not None
    mean, difference = (of.reader + of.model) / 2, of.model - of.reader
    lines = {"bias": found.bias.value, "lower": found.lower.value, "upper": found.upper.value}
    ends = np.array([*difference, *lines.values(), 0.0])
    x_range, y_range = _padded(mean), _padded(ends)
    frame = svg.Frame(left, top, PANEL_PX, PANEL_PX, x_range, y_range)
    parts = frame.grid(_ticks(x_range), _ticks(y_range), ".1f")
    x0, x1 = frame.x(x_range[0]), frame.x(x_range[1])
    parts.append(svg.line(x0, frame.y(0), x1, frame.y(0), "zero"))
    for name, value in lines.items():
        style = "bias" if name == "bias" else "limit"
        parts.append(svg.line(x0, frame.y(value), x1, frame.y(value), style))
    parts += [
        svg.marker(frame.x(x), frame.y(y), "main") for x, y in zip(mean, difference, strict=True)
    ]
    parts.append(svg.text(left + PANEL_PX / 2, top - 8, f"{of.name}, {len(mean)} slides", "axis"))
    return svg.marked(of.name, lines, parts)


def _padded(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    pad = 0.08 * (high - low) or 0.5
    return low - pad, high + pad


def _ticks(of_range: tuple[float, float]) -> list[float]:
    low, high = of_range
    pad = 0.08 * (high - low)
    return [low + pad, (low + high) / 2, high - pad]
