"""Find the cells of a folder of fields: crops, tables and overlays; what is done stays done."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buffycoat import __version__, images
from buffycoat.backbones.threads import cpus
from buffycoat.errors import ImageError
from buffycoat.fields import overlay
from buffycoat.fields.counting import is_counted
from buffycoat.fields.crops import crop
from buffycoat.fields.field import Field
from buffycoat.fields.find import find, is_one_field
from buffycoat.fields.journal import RESULTS, Journal, digest
from buffycoat.fields.mapped import mapped
from buffycoat.fields.places import Place, list_fields, shrunk
from buffycoat.fields.rows import CELL_COLUMNS, cell_row, field_row
from buffycoat.fields.scales import Scale, scales_of
from buffycoat.fields.slides.slide import PixelSlide, Slide
from buffycoat.fields.whole_slide import TILE_PX, Mapper, SlideTask
from buffycoat.images import write_png
from buffycoat.plurals import counted
from buffycoat.progress import Reporter, Silent

__all__ = ["CELL_COLUMNS", "TILE_PX", "Outcome", "Place", "find_folder", "list_fields"]


@dataclass
class Outcome:
    """What became of the fields.

    Attributes:
        fields: A row a field or slide.
        cells: A row a cell.
        parts: A row a part of each slide.
        bad: Name, path and reason of each field that cannot be read or has no scale.
        left_out: What else lies in the folder, in words.
    """

    fields: list[dict[str, Any]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    bad: list[tuple[str, str, str]] = field(default_factory=list)
    left_out: str = ""


def find_folder(
    places: Sequence[Place],
    out: Path,
    reporter: Reporter,
    um_per_px: float | None = None,
    overlays: Path | None = None,
    tile_px: int = TILE_PX,
) -> Outcome:
    """Find and cut out the cells of all fields and slides.

    Args:
        places: The fields.
        out: Folder of the crops.
        reporter: Progress.
        um_per_px: Micrometres that a pixel is wide, for all fields; None measures it.
        overlays: Folder of pictures that show what was found; None draws none.
        tile_px: Side of what is read of a slide at once; the cells do not depend on it.
    """
    outcome = Outcome()
    journal = Journal(out)
    try:
        scales, bad = scales_of(places, journal, reporter, um_per_px)
        task = _Task(out, overlays, journal, tile_px)
        done: dict[Place, Any] = dict(bad)
        done |= _find_fields({p: s for p, s in scales.items() if not s.is_slide}, task, reporter)
        for place, scale in scales.items():
            if scale.is_slide:
                done[place] = _find_slide(place, scale, task, reporter)
        _collect(places, done, outcome)
        _remove_stale(out, journal, {row["path"] for row in outcome.cells})
    finally:
        journal.close()
    return outcome


def _collect(places: Sequence[Place], done: dict[Place, Any], outcome: Outcome) -> None:
    """Rows in the order of the fields; a text is the reason why there are none."""
    for place in places:
        found = done[place]
        if isinstance(found, ImageError | str):
            outcome.bad.append((place.name, str(place.path), _reason(str(found), place)))
            continue
        outcome.fields.append(found["field"])
        slide_id = place.name if found.get("is_slide") else place.slide_id
        outcome.cells += [row | {"slide_id": slide_id} for row in found["cells"]]
        outcome.parts += found.get("parts", ())


@dataclass(frozen=True)
class _Task:
    """What all fields have in common.

    Attributes:
        out: Folder of the crops.
        overlays: Folder of the overlays, or None.
        journal: Of what is done.
        tile_px: See `find_folder`.
    """

    out: Path
    overlays: Path | None
    journal: Journal
    tile_px: int

    def picture(self, known: tuple[Place, Scale]) -> dict[str, Any] | ImageError:
        """Rows of one photograph, its crops and overlay written."""
        place, scale = known
        try:
            data = images.read_bytes(place.path)
            key = digest(data, __version__, RESULTS, place.name, scale.red_px)
            stored = self.journal.find(key)
            if stored is not None and self._is_there(stored, place):
                return stored
            view = Field(place.name, images.decode(data, str(place.path)))
            if is_one_field(view.width, view.height, scale.red_px):
                return self._field(view, scale, place, key)
            slide = PixelSlide(place.name, view.pixels)
            return self._slide(slide, scale, place, key, (map, Silent())) | {"is_slide": False}
        except ImageError as error:
            return error

    def slide(
        self, place: Place, scale: Scale, by: tuple[Mapper, Reporter]
    ) -> dict[str, Any] | ImageError:
        """Rows of one slide, its crops and overlay written."""
        try:
            slide = place.open()
            assert slide is not None  # it was one when its scale was measured
            with slide:
                key = digest(place.stamp(), __version__, RESULTS, place.name, scale.red_px)
                return self._slide(slide, scale, place, key, by)
        except ImageError as error:
            return error

    def _field(self, view: Field, scale: Scale, place: Place, key: str) -> dict[str, Any]:
        found = find(view, scale.red_px)
        faults = found.quality.faults
        size = (view.width, view.height)
        rows = [
            cell_row(view.name, cell, scale.red_px, faults, is_counted(cell, *size))
            for cell in found.cells
        ]
        for row, cell in zip(rows, found.cells, strict=True):
            write_png(self.out / row["path"], crop(view, cell.box, scale.red_px))
        if self.overlays is not None:
            write_png(self._overlay(place), overlay.draw(view, found.cells))
        field = field_row(view.name, size, (scale.red_px, scale.source), found)
        done = {"field": field, "cells": rows}
        self.journal.add(key, done)
        return done

    def _slide(
        self, slide: Slide, scale: Scale, place: Place, key: str, by: tuple[Mapper, Reporter]
    ) -> dict[str, Any]:
        task = SlideTask(
            slide, scale.red_px, scale.source, self.out, self.journal, key, self.tile_px
        )
        done = task.run(*by)
        if self.overlays is not None:
            small, factor = shrunk(slide)
            write_png(self._overlay(place), overlay.draw_boxes(small, done["cells"], factor))
        return done

    def _is_there(self, stored: dict[str, Any], place: Place) -> bool:
        files = [self.out / row["path"] for row in stored["cells"]]
        files += [self._overlay(place)] if self.overlays is not None else []
        return all(file.is_file() for file in files)

    def _overlay(self, place: Place) -> Path:
        assert self.overlays is not None
        return self.overlays / f"{place.name}.png"


def _find_fields(
    scales: dict[Place, Scale], task: _Task, reporter: Reporter
) -> dict[Place, dict[str, Any] | ImageError]:
    if not scales:
        return {}
    reporter.start("find", counted(len(scales), "field"))
    found = dict(zip(scales, mapped(task.picture, list(scales.items()), reporter), strict=True))
    n_cells = sum(len(one["cells"]) for one in found.values() if not isinstance(one, ImageError))
    reporter.finish(counted(n_cells, "cell"))
    return found


def _find_slide(
    place: Place, scale: Scale, task: _Task, reporter: Reporter
) -> dict[str, Any] | ImageError:
    reporter.start("find", place.name)
    with ThreadPoolExecutor(cpus()) as pool:
        done = task.slide(place, scale, (pool.map, reporter))
    reporter.finish("" if isinstance(done, ImageError) else counted(len(done["cells"]), "cell"))
    return done


def _remove_stale(out: Path, journal: Journal, current: set[str]) -> None:
    """Remove crops of earlier runs that are no result of this one: they would be classified too."""
    for value in journal.values():
        for row in value["cells"] if isinstance(value, dict) else ():
            if row["path"] not in current:
                (out / row["path"]).unlink(missing_ok=True)


def _reason(text: str, place: Place) -> str:
    return text.removeprefix(f"{place.path}: ").removeprefix(f"{place.name}: ")
