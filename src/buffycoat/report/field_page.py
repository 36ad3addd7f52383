"""The differential of fields of view as one page: figures, what is left out, cells by class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from buffycoat.images import write_atomic
from buffycoat.report.thumbs import photo_uri

MOST_SHOWN = 200
"""Cells of one class with a picture."""


@dataclass(frozen=True)
class SheetCell:
    """One cell of the contact sheet.

    Attributes:
        name: Its id.
        image: The cell, shape (h, w, 3), uint8.
        where: Its slide and field.
        said: Probability and other classes that cannot be ruled out, in a few words.
        reasons: Why a person should look; "" where none.
        not_counted: Why it does not count; "" where it does.
        overlay: Where its field is drawn, relative to the page; "" for nowhere.
    """

    name: str
    image: np.ndarray
    where: str
    said: str
    reasons: str
    not_counted: str
    overlay: str


@dataclass(frozen=True)
class SheetClass:
    """The cells of one class.

    Attributes:
        code: Short code.
        name: Full name.
        colour: As in the overlays, RGB.
        n: Cells in all.
        n_doubtful: Those that a person should look at.
        cells: At most `MOST_SHOWN`, the most doubtful first.
    """

    code: str
    name: str
    colour: tuple[int, int, int]
    n: int
    n_doubtful: int
    cells: Sequence[SheetCell]


@dataclass(frozen=True)
class Figures:
    """The figures of one slide, or the flags of all, as text.

    Attributes:
        title: Of the table.
        columns: Heads.
        rows: Cells of the table.
        picture: The same as bars with limits; None for the flags.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    picture: Markup | None = None


@dataclass(frozen=True)
class LeftOut:
    """A field that is not counted, or cannot be used.

    Attributes:
        field: Its name.
        why: In words.
        overlay: As in `SheetCell`.
    """

    field: str
    why: str
    overlay: str


@dataclass(frozen=True)
class FieldPage:
    """What the page shows.

    Attributes:
        title: Such as the name of the folder of fields.
        bundle: Name and checksum of the model.
        notice: What a person must know before they read a figure.
        warnings: What makes the figures doubtful, and what to do, in sentences.
        summary: What was found and what is left to be looked at, in sentences.
        figures: One table a slide.
        refused: Sentences on slides that have no differential.
        n_more: Other slides, which the page does not show.
        left_out: Fields that do not count.
        classes: The cells.
    """

    title: str
    bundle: str
    notice: str
    warnings: Sequence[str]
    summary: Sequence[str]
    figures: Sequence[Figures]
    refused: Sequence[str]
    n_more: int
    left_out: Sequence[LeftOut]
    classes: Sequence[SheetClass]


def write_field_page(path: Path, page: FieldPage) -> None:
    """Write one self-contained HTML file, whole or not at all; pictures of whole fields are linked.

    Raises:
        OutputError: It cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("buffycoat.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["photo"] = photo_uri
    template = environment.get_template("fields.html.jinja")
    write_atomic(path, template.render(page=page).encode())
