"""Find the cells of a folder of fields: crops, tables and overlays; what is done stays done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buffycoat import __version__, images
from buffycoat.backbones.threads import cpus
from buffycoat.errors import ImageError, ManifestError
from buffycoat.fields import overlay, red_cells
from buffycoat.fields.counting import is_counted
from buffycoat.fields.crops import crop
from buffycoat.fields.field import Field
from buffycoat.fields.find import FoundCell, FoundCells, find, measure_scale
from buffycoat.fields.journal import Journal, digest
from buffycoat.fields.outlines import WINDOW
from buffycoat.fields.red_cells import RED_CELL_UM, RedCells
from buffycoat.images import write_png
from buffycoat.progress import Reporter

RESULTS = 3
"""Raised when the same field gives other cells, so that none is reused."""
AT_ONCE = 4
"""Fields for each thread that are handed out together."""


@dataclass(frozen=True)
class Place:
    """A file of one field.

    Attributes:
        path: Where it is.
        name: From the folder of fields, with "/".
        slide_id: The folder that it lies in: its path from the folder of fields, or that folder's
            own name.
    """

    path: Path
    name: str
    slide_id: str


@dataclass
class Outcome:
    """What became of the fields.

    Attributes:
        fields: A row a field.
        cells: A row a cell.
        bad: Name, path and reason of each field that cannot be read or has no scale.
        left_out: What else lies in the folder, in words.
    """

    fields: list[dict[str, Any]] = field(default_factory=list)
    cells: list[dict[str, Any]] = field(default_factory=list)
    bad: list[tuple[str, str, str]] = field(default_factory=list)
    left_out: str = ""


CELL_COLUMNS = {
    "cell_id": "string", "path": "string", "slide_id": "string", "field": "string",
    "box": "string", "is_cut": "bool", "kind": "string", "is_counted": "bool",
    "area_um2": "float64", "nucleus_area_um2": "float64", "signal": "float64",
    "um_per_px": "float64", "crop_px": "int64", "field_faults": "string", "outline": "string",
}  # fmt: skip
"""Columns of the table of cells and their pandas types."""
NO_SCALE = (
    "fewer than {least} red cells to tell the scale by, here and in the other fields. State "
    "it with --um-per-px"
)


def list_fields(folder: Path) -> tuple[list[Place], str]:
    """Pictures of a folder, or one picture; and what else is there, in words.

    Raises:
        ManifestError: There is none.
    """
    if folder.is_file():
        return [Place(folder, folder.name, folder.resolve().parent.name)], ""
    if not folder.is_dir():
        raise ManifestError(f"{folder}: no such folder or picture of fields. Check the path")
    found = images.survey(folder)
    if not found.images:
        raise ManifestError(
            f"{folder}: no field in it ({found.left_out() or 'the folder is empty'}). Expected "
            f"photographs of fields of view: {images.READABLE}"
        )
    names = [path.relative_to(folder) for path in found.images]
    places = [
        Place(path, name.as_posix(), _slide(name, folder))
        for path, name in zip(found.images, names, strict=True)
    ]
    return places, found.left_out()


def _slide(name: Path, folder: Path) -> str:
    return name.parent.as_posix() if len(name.parts) > 1 else folder.resolve().name


def find_folder(
    places: Sequence[Place],
    out: Path,
    reporter: Reporter,
    um_per_px: float | None = None,
    overlays: Path | None = None,
) -> Outcome:
    """Find and cut out the cells of all fields.

    Args:
        places: The fields.
        out: Folder of the crops.
        reporter: Progress.
        um_per_px: Micrometres that a pixel is wide, for all fields; None measures it.
        overlays: Folder of pictures that show what was found; None draws none.
    """
    outcome = Outcome()
    journal = Journal(out)
    try:
        scales = _scales(places, journal, reporter, um_per_px, outcome)
        known = [(place, scales[place]) for place in places if place in scales]
        _find_all(known, _Task(out, overlays, um_per_px is not None, journal), reporter, outcome)
        _remove_stale(out, journal, {row["path"] for row in outcome.cells})
    finally:
        journal.close()
    return outcome


def _scales(
    places: Sequence[Place],
    journal: Journal,
    reporter: Reporter,
    um_per_px: float | None,
    outcome: Outcome,
) -> dict[Place, float]:
    """Diameter of a red cell, in pixels, of each readable field."""

    def measure(place: Place) -> RedCells | ImageError | None:
        try:
            data = images.read_bytes(place.path)
            key = digest(data, __version__, RESULTS, "scale")
            stored = journal.find(key)
            if stored is None:
                found = measure_scale(Field(place.name, images.decode(data, str(place.path))))
                stored = [found.diameter_px, found.count] if found else []
                journal.add(key, stored)
            return RedCells(*stored) if stored else None
        except ImageError as error:
            return error

    reporter.start("scale", f"{len(places)} fields")
    found = dict(zip(places, _mapped(measure, places, reporter), strict=True))
    reporter.finish()
    for place, red in found.items():
        if isinstance(red, ImageError):
            outcome.bad.append((place.name, str(place.path), _reason(red, place)))
    readable = {p: red for p, red in found.items() if not isinstance(red, ImageError)}
    if um_per_px is not None:
        diameters: list[float | None] = [RED_CELL_UM / um_per_px] * len(readable)
    else:
        diameters = red_cells.agree(list(readable.values()))
    scales = {}
    for place, diameter in zip(readable, diameters, strict=True):
        if diameter is None:
            reason = NO_SCALE.format(least=red_cells.LEAST_CELLS)
            outcome.bad.append((place.name, str(place.path), reason))
        else:
            scales[place] = diameter
    return scales


@dataclass(frozen=True)
class _Task:
    """What all fields have in common.

    Attributes:
        out: Folder of the crops.
        overlays: Folder of the overlays, or None.
        is_stated: Whether the scale was stated.
        journal: Of what is done.
    """

    out: Path
    overlays: Path | None
    is_stated: bool
    journal: Journal

    def run(self, known: tuple[Place, float]) -> dict[str, Any] | ImageError:
        """Rows of one field, its crops and overlay written."""
        place, red_px = known
        try:
            data = images.read_bytes(place.path)
            key = digest(data, __version__, RESULTS, place.name, red_px)
            stored = self.journal.find(key)
            if stored is not None and self._is_there(stored, place):
                return stored
            view = Field(place.name, images.decode(data, str(place.path)))
            found = find(view, red_px)
        except ImageError as error:
            return error
        rows = [_cell_row(view, cell, red_px, found) for cell in found.cells]
        for row, cell in zip(rows, found.cells, strict=True):
            write_png(self.out / row["path"], crop(view, cell, red_px))
        if self.overlays is not None:
            write_png(self._overlay(place), overlay.draw(view, found.cells))
        done = {"field": self._field_row(view, red_px, found), "cells": rows}
        self.journal.add(key, done)
        return done

    def _is_there(self, stored: dict[str, Any], place: Place) -> bool:
        files = [self.out / row["path"] for row in stored["cells"]]
        files += [self._overlay(place)] if self.overlays is not None else []
        return all(file.is_file() for file in files)

    def _overlay(self, place: Place) -> Path:
        assert self.overlays is not None
        return self.overlays / f"{place.name}.png"

    def _field_row(self, view: Field, red_px: float, found: FoundCells) -> dict[str, Any]:
        seen = found.quality
        kinds = [cell.kind for cell in found.cells]
        return {
            "field": view.name,
            "width": view.width,
            "height": view.height,
            "um_per_px": RED_CELL_UM / red_px,
            "scale_from": "stated" if self.is_stated else "red cells",
            "cells": kinds.count("cell"),
            "smudges": kinds.count("smudge"),
            **{f"{kind}s": found.spots.get(kind, 0) for kind in ("platelet", "deposit", "clump")},
            "red_cells": seen.red_count,
            "covered": round(seen.covered, 4),
            "edge_um": round(seen.edge * RED_CELL_UM, 3),
            "stain": round(seen.stain, 4),
            "faults": "; ".join(seen.faults),
        }


def _cell_row(view: Field, cell: FoundCell, red_px: float, found: FoundCells) -> dict[str, Any]:
    left, top, width, height = cell.box
    name = f"{view.name}-x{left}-y{top}.png"
    um_per_px = RED_CELL_UM / red_px
    unit = RED_CELL_UM**2 * 3.141592653589793 / 4
    return {
        "cell_id": name,
        "path": name,
        "field": view.name,
        "box": f"{left},{top},{width},{height}",
        "is_cut": cell.is_cut,
        "kind": cell.kind,
        "is_counted": is_counted(cell, view.width, view.height),
        "area_um2": round(cell.area * unit, 2),
        "nucleus_area_um2": round(cell.nucleus_area * unit, 2),
        "signal": round(cell.signal, 2),
        "um_per_px": um_per_px,
        "crop_px": round(WINDOW * red_px),
        "field_faults": "; ".join(found.quality.faults),
        "outline": " ".join(f"{x:.1f},{y:.1f}" for x, y in cell.outline),
    }


def _find_all(
    known: Sequence[tuple[Place, float]], task: _Task, reporter: Reporter, outcome: Outcome
) -> None:
    reporter.start("find", f"{len(known)} fields")
    for (place, _), done in zip(known, _mapped(task.run, known, reporter), strict=True):
        if isinstance(done, ImageError):
            outcome.bad.append((place.name, str(place.path), _reason(done, place)))
        else:
            outcome.fields.append(done["field"])
            outcome.cells += [row | {"slide_id": place.slide_id} for row in done["cells"]]
    reporter.finish(f"{len(outcome.cells)} cells")


def _mapped(call: Callable[[Any], Any], items: Sequence[Any], reporter: Reporter) -> Iterable[Any]:
    """Results in order, by threads: OpenCV and numpy release the interpreter's lock."""
    threads = cpus()
    with ThreadPoolExecutor(threads) as pool:
        done = 0
        for start in range(0, len(items), AT_ONCE * threads):
            for result in pool.map(call, items[start : start + AT_ONCE * threads]):
                done += 1
                reporter.advance(done, len(items))
                yield result


def _remove_stale(out: Path, journal: Journal, current: set[str]) -> None:
    """Remove crops of earlier runs that are no result of this one: they would be classified too."""
    for value in journal.values():
        for row in value["cells"] if isinstance(value, dict) else ():
            if row["path"] not in current:
                (out / row["path"]).unlink(missing_ok=True)


def _reason(error: ImageError, place: Place) -> str:
    return str(error).removeprefix(f"{place.path}: ").removeprefix(f"{place.name}: ")
