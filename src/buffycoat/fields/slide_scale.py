"""How wide a slide's red cells are, by windows at fixed places."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from buffycoat.fields import red_cells
from buffycoat.fields.field import Field
from buffycoat.fields.find import measure_scale
from buffycoat.fields.red_cells import RedCells
from buffycoat.fields.slides.slide import Slide

WINDOW_PX = 1024
"""In which red cells of 12 to 290 pixels can be measured."""
PLACES = 12
"""Along each side, that windows are taken from."""
ENOUGH = 24
"""Windows with red cells, after which no more are looked at."""
LEAST_WINDOWS = 2
"""With red cells, of a slide that is not smaller than that."""
LEAST_CONTRAST = 4.0
"""Standard deviation of green in a window with anything to see."""


def measure_slide(slide: Slide) -> RedCells | None:
    """The red cells of a slide; None where too few windows show any."""
    found: list[RedCells] = []
    windows = list(_windows(slide.width, slide.height))
    for left, top in windows:
        width, height = min(WINDOW_PX, slide.width), min(WINDOW_PX, slide.height)
        pixels = slide.read(left, top, width, height)
        if pixels[::4, ::4, 1].std() < LEAST_CONTRAST:
            continue
        one = measure_scale(Field(slide.name, pixels))
        if one is not None and one.is_certain:
            found.append(one)
        if len(found) == ENOUGH:
            break
    if len(found) < min(LEAST_WINDOWS, len(windows)):
        return None
    diameter = red_cells.agree([*found, None])[-1]
    assert diameter is not None
    return RedCells(diameter, sum(one.count for one in found))


def _windows(width: int, height: int) -> Iterator[tuple[int, int]]:
    """Left and top of windows all over a slide, in an order that scatters them."""
    lefts, tops = (
        np.unique(np.linspace(0, max(side - WINDOW_PX, 0), PLACES).round().astype(int))
        for side in (width, height)
    )
    places = [(int(left), int(top)) for top in tops for left in lefts]
    for place in np.random.default_rng(0).permutation(len(places)):
        yield places[place]
