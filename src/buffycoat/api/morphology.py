"""`measure` the size, shape, colour and texture of cells."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

from typing import TYPE_CHECKING

from buffycoat.api.cells import Cells, check_bad, given
from buffycoat.api.prediction import list_bad

if TYPE_CHECKING:
    import pandas as pd

    from buffycoat.progress import Reporter


def measure(
    cells: Cells,
    *,
    um_per_px: float | None = None,
    allow_bad: int = 0,
    workers: int | None = None,
    progress: bool | Reporter = False,
) -> pd.DataFrame:
    """Measure every cell: size, shape, nucleus, chromatin and cytoplasm. No model is needed.

    The numbers are those of `buffycoat measure`.

    Args:
        cells: As `predict` takes them.
        um_per_px: Micrometres that one pixel of all photographs is wide; None takes the column
            `um_per_px` of a table, cell by cell. A known scale adds areas in square micrometres and
            diameters in micrometres.
        allow_bad: So many unreadable images are tolerated; they have no row, and are listed in
            `DataFrame.attrs["bad_cells"]`.
        workers: Processes; None for one a CPU where there are cells enough. They are spawned: in a
            script, call this under `if __name__ == "__main__":`.
        progress: True shows bars on standard error.

    Returns:
        A row a cell: `cell_id`, `mask_quality` (0 to 1), `image_px` (side of the square that was
        measured, in pixels), `um_per_px` where any cell has a scale, then 56 features (units:
        docs/morphology.md). NaN where a feature cannot be measured, all features where no cell was
        found, sizes in micrometres where a cell has no scale.

    Raises:
        BadCellsError: More images than allowed cannot be read; its `cells` lists them.
        ConfigError: `um_per_px` is no width of a pixel, or fewer than one process is asked for.
        ManifestError: The cells cannot be found, or their table has faults (all are listed).
        ShapeError: Arrays that are no photographs.

    Example:
        >>> import numpy as np
        >>> from buffycoat.simulate.render import render_cell
        >>> drawn = [render_cell(code, np.random.default_rng(0)).image for code in ("LY", "MO")]
        >>> features = measure(drawn, um_per_px=0.2)
        >>> features.shape
        (2, 64)
        >>> bool(features["cell_area_um2"].is_monotonic_increasing)  # the monocyte is larger
        True
    """
    from buffycoat.api.progress import shown
    from buffycoat.predict.morphology import measure_manifest, measure_photographs

    which = given(cells)
    with shown(progress) as reporter:
        if isinstance(which, list):
            found = measure_photographs(which, um_per_px, workers, reporter)
        else:
            found = measure_manifest(which, um_per_px, workers, reporter)
    check_bad(found.bad, len(found.bad) + len(found.frame), allow_bad)
    list_bad(found.frame, found.bad)
    return found.frame
