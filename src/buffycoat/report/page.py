"""One HTML page that opens offline, on any machine, with nothing beside it.

Tables and inline SVG only: no script, so nothing can run, load or phone home (the page's own
content policy forbids it), and a page of a thousand cells stays a few hundred kilobytes.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from buffycoat.errors import ShapeError
from buffycoat.images import write_atomic
from buffycoat.report import figures, wording
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE, AblationRow, Doubt, ReportData

THUMB_PX = 144
"""Longest side of an image on the page."""
JPEG_QUALITY = 92


def write_report(path: Path, data: ReportData) -> Path:
    """Write the page.

    Args:
        path: The .html file to write, whole or not at all.
        data: What it shows.

    Returns:
        The path.

    Raises:
        OutputError: It cannot be written.
        ShapeError: An image is not (h, w, 3) uint8.
    """
    write_atomic(path, render(data).encode("utf-8"))
    return path


def render(data: ReportData) -> str:
    """The page as text; all of the data's words are escaped."""
    if not data.evaluations:
        raise ShapeError("evaluations: expected at least one split, got none")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("buffycoat.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {
        "number": wording.number,
        "ends": wording.ends,
        "signed": wording.signed,
        "photo": photo_uri,
        "lossless": lossless_uri,
    }
    split, record = next(iter(data.evaluations.items()))
    return environment.get_template("page.html.jinja").render(
        data=data,
        split=split,
        record=record,
        notice=NOT_A_MEDICAL_DEVICE,
        sentences=wording.sentences(split, record),
        metric_rows=[r for s, e in data.evaluations.items() for r in wording.metric_rows(s, e)],
        heat=figures.heat_rows(record["confusion"]),
        error_gain=figures.ERROR_GAIN,
        class_figure=_class_figure(record),
        severity_figure=_severity_figure(record),
        ablation_figure=_ablation_figure(data),
        reliability_figure=_reliability_figure(record),
        abstention_figure=_abstention_figure(data.doubt),
        provenance=list(_flat(data.provenance)),
    )


def photo_uri(image: np.ndarray[Any, Any]) -> str:
    """An image as a small JPEG inside a link: enough to recognise a cell.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def lossless_uri(image: np.ndarray[Any, Any]) -> str:
    """An image as PNG inside a link, where the reader judges noise that JPEG would change.

    Args:
        image: Shape (h, w, 3), uint8.
    """
    return _data_uri(image, "PNG", optimize=True)


def _data_uri(image: np.ndarray[Any, Any], kind: str, **options: Any) -> str:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ShapeError(f"image: expected (h, w, 3) uint8, got {image.shape} {image.dtype}")
    picture = Image.fromarray(np.ascontiguousarray(image))
    picture.thumbnail((THUMB_PX, THUMB_PX), Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format=kind, **options)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return f"data:image/{kind.lower()};base64,{encoded}"


def _dot(label: str, interval: Any, tone: figures.Tone, value: float | str | None) -> figures.Dot:
    """A row of an interval plot from a score and its `Interval.to_dict()`, or words."""
    score = value if isinstance(value, float) else None
    if not isinstance(interval, Mapping):
        return figures.Dot(label, score, None, None, wording.number(value, 2), tone)
    text = f"{wording.number(value, 2)} ({wording.ends(interval, 2)})"
    return figures.Dot(label, score, interval["low"], interval["high"], text, tone)


def _class_figure(record: Mapping[str, Any]) -> Markup:
    dots = [
        _dot(
            f"{row['name']} {row['code']}",
            row["f1_interval"],
            "tail" if row["band"] == "tail" else "main",
            row["f1"],
        )
        for row in record["per_class"]
        if row["support"]
    ]
    title = "F1 of each class with its interval"
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    return Markup(figures.interval_plot("classes", title, said, dots, "F1"))


def _severity_figure(record: Mapping[str, Any]) -> Markup | None:
    dots = []
    for row in record["by_severity"]:
        level = row["severity"]
        name = level if isinstance(level, str) else f"{level:g}"
        name += " (pristine)" if level == 0 else ""
        score = row["balanced_macro_f1"]
        dots.append(_dot(f"severity {name}, n = {row['n']}", score, "main", score["estimate"]))
    if not dots:
        return None
    title = "Balanced macro-F1 at each severity of degradation"
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    return Markup(figures.interval_plot("severity", title, said, dots, "balanced macro-F1"))


def _ablation_figure(data: ReportData) -> Markup | None:
    if not data.ablation:
        return None
    dots = [_ablation_dot(row) for row in data.ablation]
    title = "Balanced macro-F1 as stages are added"
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    return Markup(figures.interval_plot("ablation", title, said, dots, "balanced macro-F1"))


def _ablation_dot(row: AblationRow) -> figures.Dot:
    score = row.balanced_macro_f1
    return _dot(row.stage, score, "main" if row.is_used else "muted", float(score["estimate"]))


def _reliability_figure(record: Mapping[str, Any]) -> Markup | None:
    if record["calibration"] is None:
        return None
    return Markup(figures.reliability_diagram(record["calibration"]["bins"]))


def _abstention_figure(doubt: Doubt | None) -> Markup | None:
    if doubt is None or not doubt.abstention:
        return None
    dots = [
        figures.Dot(
            f"{100 * row['share_kept']:.0f} % kept, n = {row['n']}",
            row["balanced_macro_f1"],
            None,
            None,
            f"{wording.number(row['balanced_macro_f1'], 2)} "
            f"(least class {100 * row['least_share_of_a_class']:.0f} %)",
            "main",
        )
        for row in next(iter(doubt.abstention.values()))
    ]
    title = "Balanced macro-F1 of the surest cells"
    said = "; ".join(f"{dot.label}: {dot.text}" for dot in dots)
    return Markup(figures.interval_plot("abstention", title, said, dots, "balanced macro-F1"))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Any:
    """Name and value of each leaf, nested names joined by a middle dot."""
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name} · ")
        elif isinstance(value, list | tuple):
            yield f"{prefix}{name}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{name}", str(value)
