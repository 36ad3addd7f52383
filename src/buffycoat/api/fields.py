"""`find` the white cells in photographs of whole fields and in slides."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buffycoat.plurals import some_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from buffycoat.fields.folder import Outcome, Place
    from buffycoat.progress import Reporter


@dataclass(frozen=True, eq=False)
class Found:
    """Cells that were found, with where they are.

    Attributes:
        folder: Of the crops and tables; `predict` takes it.
        cells: A row a cell: its crop's path, field, box in pixels, micrometres per pixel, outline,
            whether a border cuts it, whether it is a smudge, and whether it counts in a
            differential.
        fields: A row a field or slide: cells, platelets, red cells, scale, focus and faults.
        parts: The same of the parts of slides; empty without slides.
        bad: Name, path and reason of fields that cannot be used.
    """

    folder: Path
    cells: pd.DataFrame
    fields: pd.DataFrame
    parts: pd.DataFrame
    bad: pd.DataFrame


def find(
    fields: str | Path,
    out: str | Path,
    *,
    um_per_px: float | None = None,
    overlays: str | Path | None = None,
    allow_bad: int = 0,
    tile_px: int | None = None,
    progress: bool | Reporter = False,
) -> Found:
    """Find the nucleated cells in photographs of fields of view or in slides; cut each one out.

    Crops and tables are those of `buffycoat find`. Killed, the same call goes on.

    Args:
        fields: Folder of photographs of fields or of slides, or one of them.
        out: Folder for crops and tables, outside `fields`.
        um_per_px: Micrometres that a pixel is wide; None takes the file's word, or red cells.
        overlays: Another folder, for pictures that show what was found.
        allow_bad: So many fields that cannot be used are tolerated.
        tile_px: Pixels a side of a slide to read at once; results are equal.
        progress: True shows bars on standard error.

    Returns:
        The tables, in memory too.

    Raises:
        BadCellsError: More fields than allowed cannot be used; the others are in `out`.
        ConfigError: A scale that cannot be.
        ManifestError: No field at that place.
        OutputError: `out` lies among the fields, or cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from buffycoat.images import write_png
        >>> from buffycoat.simulate.fields import Placed, render_field
        >>> folder = Path(tempfile.mkdtemp())
        >>> drawn = render_field([Placed("LY", 30, 30), Placed("SNE", 60, 60)],
        ...                      np.random.default_rng(0), size_px=360)
        >>> write_png(folder / "fields" / "1.png", drawn.image)
        >>> found = find(folder / "fields", folder / "cells")
        >>> found.cells["kind"].tolist(), found.fields["cells"].tolist()
        (['cell', 'cell'], [2])
    """
    from buffycoat.api.progress import shown
    from buffycoat.errors import BadCellsError

    where = Path(out)
    pictures = None if overlays is None else Path(overlays)
    with shown(progress) as reporter:
        outcome, places = find_cells(Path(fields), where, reporter, um_per_px, pictures, tile_px)
    if len(outcome.bad) > allow_bad:
        listed = "\n  ".join(f"{path}: {reason}" for _, path, reason in outcome.bad[:10])
        raise BadCellsError(
            f"{some_of(len(outcome.bad), len(places), 'field')} cannot be used, and allow_bad is "
            f"{allow_bad}:\n  {listed}\nThe others are in {where}",
            outcome.bad,
        )
    return _found(outcome, where)


def find_cells(
    fields: Path,
    out: Path,
    reporter: Reporter,
    um_per_px: float | None = None,
    overlays: Path | None = None,
    tile_px: int | None = None,
) -> tuple[Outcome, Sequence[Place]]:
    """Find cells and write crops and tables, however many fields cannot be used.

    Returns:
        What became of the fields, and all of them.

    Raises:
        OutputError: Another command writes into the folder, or it cannot be written.
    """
    from buffycoat.api.output import check_folder
    from buffycoat.fields.folder import TILE_PX, find_folder, list_fields
    from buffycoat.fields.tables import check_places, write_tables
    from buffycoat.images import only_writer

    check_places(fields, out, um_per_px, overlays)
    places, left_out = list_fields(fields)
    if left_out:
        reporter.say(left_out)
    for folder in (out, overlays):
        if folder is not None:
            check_folder(folder)
    with only_writer(out):
        outcome = find_folder(places, out, reporter, um_per_px, overlays, tile_px or TILE_PX)
        write_tables(outcome, out)
    return outcome, places


def _found(outcome: Outcome, folder: Path) -> Found:
    import pandas as pd

    from buffycoat.fields.tables import bad_frame, cells_frame

    return Found(
        folder,
        cells_frame(outcome),
        pd.DataFrame(outcome.fields),
        pd.DataFrame(outcome.parts),
        bad_frame(outcome),
    )
