"""One figure of one cell: what was seen, measured and concluded."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from buffycoat.report.records import NOT_A_MEDICAL_DEVICE
from buffycoat.report.sheet import (
    FAINT,
    FONT_PX,
    FRAME,
    GAP_PX,
    INK,
    LINE_PX,
    PAPER,
    TITLE_PX,
    Colour,
    draw_head,
    fit_line,
    head_px,
)

PHOTO_PX = 300
RIGHT_PX = 700
SHOWN_FEATURES = 14
NAME_PX, VALUE_PX, TRACK_PX = 190, 165, 240
CELL_LINE: Colour = (20, 20, 20)
NUCLEUS_LINE: Colour = (255, 214, 0)
TONES: tuple[Colour, ...] = ((0, 90, 160), (200, 80, 0), (110, 110, 110))
"""Of the leading classes, first to third; their markers differ in shape as well."""


@dataclass(frozen=True)
class StepRow:
    """What one stage says.

    Attributes:
        stage: Its name.
        probs: Probability of each leading class.
    """

    stage: str
    probs: tuple[float, ...]


@dataclass(frozen=True)
class FeatureRow:
    """One measured feature.

    Attributes:
        name: As in `refine.features`.
        unit: Its unit; "1" for a plain number.
        value: NaN where it could not be measured.
        percentiles: Where the value lies among the training cells of each leading class, 1-99; NaN
            where too few of them could be measured.
    """

    name: str
    unit: str
    value: float
    percentiles: tuple[float, ...]

    @property
    def measured(self) -> str:
        """The value and its unit, such as "2 lobes" and "1 lobe"."""
        unit = self.unit.removesuffix("s") if self.value == 1 else self.unit
        return f"{self.value:.3g}" + ("" if unit == "1" else f" {unit}")

    @property
    def spread(self) -> float:
        """How far apart the two leading classes place the cell; -1 where one of them does not."""
        first, *others = self.percentiles
        spread = abs(first - others[0]) if others else float("nan")
        return spread if np.isfinite(spread) else -1.0


@dataclass(frozen=True)
class Likeness:
    """A training cell that looks like the cell: its class, and the cosine similarity."""

    label: str
    similarity: float


@dataclass(frozen=True)
class Explanation:
    """All that the figure shows.

    Attributes:
        name: Of the cell.
        verdict: In a sentence or two.
        image: What the stages saw, shape (h, w, 3), uint8.
        cell_mask: Shape (h, w), bool.
        nucleus_mask: Shape (h, w), bool.
        leading: Codes of the classes that the cell is held against, the given label first.
        steps: One a stage.
        features: All that were measured; those that tell the leading classes apart are shown.
        like: Training cells, nearest first.
        reasons: The evidence, in words.
    """

    name: str
    verdict: str
    image: np.ndarray
    cell_mask: np.ndarray
    nucleus_mask: np.ndarray
    leading: tuple[str, ...]
    steps: tuple[StepRow, ...]
    features: tuple[FeatureRow, ...]
    like: tuple[Likeness, ...]
    reasons: tuple[str, ...]


def chosen_features(features: Sequence[FeatureRow]) -> list[FeatureRow]:
    """Those that place the cell the most differently in the two leading classes, the widest first.

    Measured ones alone; where the two have no percentiles, the first ones in order.
    """
    measured = [row for row in features if np.isfinite(row.value)]
    return sorted(measured, key=lambda row: -row.spread)[:SHOWN_FEATURES]


def draw_explanation(data: Explanation) -> np.ndarray:
    """Draw the figure.

    Returns:
        Shape (h, w, 3), uint8.
    """
    width = 3 * GAP_PX + PHOTO_PX + RIGHT_PX
    lines = [data.name, *_wrapped(data.verdict, 130), NOT_A_MEDICAL_DEVICE]
    top = head_px(len(lines) - 1)
    rows = chosen_features(data.features)
    reasons = [line for text in data.reasons for line in _wrapped(f"- {text}", 96)]
    n_lines = 9 + len(data.steps) + max(len(rows), 1) + len(reasons)
    height = top + max(2 * (PHOTO_PX + LINE_PX + GAP_PX), n_lines * LINE_PX) + 2 * GAP_PX
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw_head(draw, lines, width - 2 * GAP_PX)
    _draw_photos(sheet, draw, data, top)
    _Column(draw, 2 * GAP_PX + PHOTO_PX, top).fill(data, rows, reasons)
    return np.asarray(sheet)


def _wrapped(text: str, characters: int) -> list[str]:
    return textwrap.wrap(text, characters) or [""]


def _draw_photos(
    sheet: Image.Image, draw: ImageDraw.ImageDraw, data: Explanation, top: int
) -> None:
    font = ImageFont.load_default(FONT_PX)
    drawn = outlined(data.image, data.cell_mask, data.nucleus_mask)
    for picture, words in ((data.image, "the cell"), (drawn, "contours of cell and nucleus")):
        side = max(picture.shape[:2])
        size = [round(PHOTO_PX * part / side) for part in (picture.shape[1], picture.shape[0])]
        sheet.paste(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS), (GAP_PX, top))
        draw.text((GAP_PX, top + PHOTO_PX + 2), words, fill=FAINT, font=font)
        top += PHOTO_PX + LINE_PX + GAP_PX


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


class _Column:
    """Text and marks under each other, at the right of the photographs."""

    def __init__(self, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
        self.draw, self.left, self.top = draw, left, top
        self.font = ImageFont.load_default(FONT_PX)
        self.title = ImageFont.load_default(TITLE_PX - 1)

    def fill(self, data: Explanation, rows: Sequence[FeatureRow], reasons: Sequence[str]) -> None:
        """Scores, features, cells that look alike, and reasons."""
        self._head("Probability at each stage", data.leading, NAME_PX)
        for step in data.steps:
            self._step(step)
        self.top += LINE_PX // 2
        what = "Features: percentile among the training cells of"
        self._head(what, data.leading, NAME_PX + VALUE_PX)
        for row in rows:
            self._feature(row)
        if not rows:
            self._line("none could be measured")
        self.top += LINE_PX // 2
        counts = ", ".join(f"{n} {c}" for c, n in Counter(x.label for x in data.like).most_common())
        near = "  ".join(f"{one.label} {one.similarity:.2f}" for one in data.like)
        self._head(f"Nearest training cells: {counts or 'none'}", (), 0)
        self._line(near)
        self.top += LINE_PX // 2
        self._head("Reasons", (), 0)
        for line in reasons:
            self._line(line)

    def _head(self, text: str, leading: Sequence[str], at: int) -> None:
        self.draw.text((self.left, self.top), text, fill=INK, font=self.title)
        at = max(at, int(self.title.getlength(text)) + 3 * GAP_PX)
        for number, code in enumerate(leading):
            x = self.left + at + number * 80
            self._mark(number, x, self.top + 9)
            self.draw.text((x + 12, self.top + 1), code, fill=TONES[number], font=self.font)
        self.top += LINE_PX + 4

    def _line(self, text: str) -> None:
        shown = fit_line(text, self.font, RIGHT_PX)
        self.draw.text((self.left, self.top), shown, fill=FAINT, font=self.font)
        self.top += LINE_PX

    def _step(self, step: StepRow) -> None:
        self.draw.text((self.left, self.top), step.stage, fill=FAINT, font=self.font)
        for number, prob in enumerate(step.probs):
            x = self.left + NAME_PX + number * 160
            bar = (x, self.top + 3, x + max(round(100 * prob), 1), self.top + 13)
            self.draw.rectangle((x, self.top + 3, x + 100, self.top + 13), fill=FRAME)
            self.draw.rectangle(bar, fill=TONES[number])
            self.draw.text((x + 106, self.top), f"{prob:.2f}", fill=INK, font=self.font)
        self.top += LINE_PX

    def _feature(self, row: FeatureRow) -> None:
        name = fit_line(row.name.replace("_", " "), self.font, NAME_PX - 6)
        self.draw.text((self.left, self.top), name, fill=INK, font=self.font)
        value = fit_line(row.measured, self.font, VALUE_PX - 8)
        self.draw.text((self.left + NAME_PX, self.top), value, fill=FAINT, font=self.font)
        track, middle = self.left + NAME_PX + VALUE_PX, self.top + 9
        self.draw.line((track, middle, track + TRACK_PX, middle), fill=FRAME, width=2)
        words = []
        for number, place in enumerate(row.percentiles):
            if np.isfinite(place):
                # a little under each other, so that equal percentiles hide none
                self._mark(number, track + round(place / 100 * TRACK_PX), middle + 3 * (number - 1))
            words.append(f"{place:.0f}" if np.isfinite(place) else "-")
        shown = " / ".join(words)
        self.draw.text((track + TRACK_PX + 16, self.top), shown, fill=FAINT, font=self.font)
        self.top += LINE_PX

    def _mark(self, number: int, x: int, y: int) -> None:
        """A disc, a diamond or a square: colour alone would not reach all."""
        r, tone = 5, TONES[number]
        if number == 0:
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=tone)
        elif number == 1:
            self.draw.polygon(
                ((x, y - r - 1), (x + r + 1, y), (x, y + r + 1), (x - r - 1, y)), tone
            )
        else:
            self.draw.rectangle((x - r + 1, y - r + 1, x + r - 1, y + r - 1), fill=tone)
