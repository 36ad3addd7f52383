"""How wide a red cell is in each field of a folder: stated, by the file, or measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from buffycoat import __version__, images
from buffycoat.errors import ImageError
from buffycoat.fields import red_cells
from buffycoat.fields.field import Field
from buffycoat.fields.find import measure_scale
from buffycoat.fields.journal import RESULTS, Journal, digest
from buffycoat.fields.mapped import mapped
from buffycoat.fields.places import Place
from buffycoat.fields.red_cells import RED_CELL_UM, SAME, RedCells
from buffycoat.fields.slide_scale import measure_slide
from buffycoat.plurals import counted
from buffycoat.progress import Reporter

UNLIKE = 1.5
"""Factor by which red cells differ from 7.5 micrometres only where a pixel size is wrong."""
NO_SCALE = (
    "fewer than {least} red cells to tell the scale by, here and in the other fields, and no "
    "credible pixel size in the file. State it with --um-per-px"
)


@dataclass(frozen=True)
class Scale:
    """Of a field.

    Attributes:
        red_px: Diameter of a red cell, in pixels.
        source: Where it is from: "stated", "file" or "red cells".
        is_slide: Whether the file is one of a slide, or of a microscope.
    """

    red_px: float
    source: str
    is_slide: bool

    @property
    def um_per_px(self) -> float:
        """Micrometres a pixel."""
        return RED_CELL_UM / self.red_px


@dataclass(frozen=True)
class _Seen:
    """What one file tells.

    Attributes:
        red: Its red cells, if any.
        um_per_px: By the file; None if it does not say.
        is_slide: See `Scale`.
    """

    red: RedCells | None
    um_per_px: float | None = None
    is_slide: bool = False


def scales_of(
    places: Sequence[Place], journal: Journal, reporter: Reporter, um_per_px: float | None
) -> tuple[dict[Place, Scale], list[tuple[Place, str]]]:
    """The scale of each field that can be read; the others, with the reason.

    Args:
        places: The fields.
        journal: Remembers what was measured.
        reporter: Progress, and what a person should know of the scales.
        um_per_px: Micrometres that a pixel is wide, as stated for all; None measures it.
    """

    def look(place: Place) -> _Seen | ImageError:
        try:
            return _look(place, journal)
        except ImageError as error:
            return error

    reporter.start("scale", counted(len(places), "field"))
    found = dict(zip(places, mapped(look, places, reporter), strict=True))
    reporter.finish()
    bad = [(place, str(seen)) for place, seen in found.items() if isinstance(seen, ImageError)]
    seen = {place: one for place, one in found.items() if isinstance(one, _Seen)}
    own = [None if one.um_per_px else one.red for one in seen.values()]
    scales = {}
    for (place, one), measured in zip(seen.items(), red_cells.agree(own), strict=True):
        if um_per_px is not None:
            scales[place] = Scale(RED_CELL_UM / um_per_px, "stated", one.is_slide)
        elif one.um_per_px is not None:
            scales[place] = Scale(RED_CELL_UM / one.um_per_px, "file", one.is_slide)
            _warn_of(place, one, reporter)
        elif one.is_slide and one.red is not None:  # many windows of it agree
            scales[place] = Scale(one.red.diameter_px, "red cells", one.is_slide)
        elif measured is not None:
            scales[place] = Scale(measured, "red cells", one.is_slide)
        else:
            bad.append((place, NO_SCALE.format(least=red_cells.LEAST_CELLS)))
    _tell_mixed(list(scales.values()), reporter)
    return scales, bad


def _look(place: Place, journal: Journal) -> _Seen:
    slide = place.open()
    if slide is None:
        data = images.read_bytes(place.path)
        key = digest(data, __version__, RESULTS, "scale")
        stored = journal.find(key)
        if stored is None:
            red = measure_scale(Field(place.name, images.decode(data, str(place.path))))
            stored = [red.diameter_px, red.count] if red else []
            journal.add(key, stored)
        return _Seen(RedCells(*stored) if stored else None)
    with slide:
        key = digest(place.stamp(), __version__, RESULTS, "scale")
        stored = journal.find(key)
        if stored is None:
            red = measure_slide(slide)
            stored = [red.diameter_px, red.count] if red else []
            journal.add(key, stored)
        return _Seen(RedCells(*stored) if stored else None, slide.um_per_px, is_slide=True)


def _warn_of(place: Place, seen: _Seen, reporter: Reporter) -> None:
    """Say where red cells contradict the file."""
    assert seen.um_per_px is not None
    if seen.red is None or not seen.red.is_certain:
        return
    diameter = seen.red.diameter_px * seen.um_per_px
    if not 1 / UNLIKE < diameter / RED_CELL_UM < UNLIKE:
        reporter.say(
            f"{place.name}: by the file a pixel is {seen.um_per_px:.3g} µm wide, which makes red "
            f"cells of {diameter:.1f} µm. If the file is wrong, state --um-per-px"
        )


def _tell_mixed(scales: Sequence[Scale], reporter: Reporter) -> None:
    """Say that fields are of several magnifications."""
    sizes = [scale.um_per_px for scale in scales]
    if sizes and max(sizes) > SAME * min(sizes):
        reporter.say(
            f"fields of several magnifications: pixels are {min(sizes):.3g} to {max(sizes):.3g} µm "
            "wide. The table of fields has the scale of each"
        )
