"""Cells as callers have them: folders, tables, paths, arrays; and as every function takes them."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from buffycoat.plurals import some_of

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

    from buffycoat.cells import Manifest
    from buffycoat.images import BadCell

Photograph: TypeAlias = "npt.NDArray[np.uint8]"
"""One cell in the centre: shape (h, w, 3), uint8, RGB."""
Places: TypeAlias = "str | Path | Sequence[str | Path] | pd.DataFrame | Manifest"
"""Where photographs of cells are: a folder, one image, a table of cells or a data set; several
paths; a table in memory (`path`, and columns of `buffycoat.cells.COLUMNS`); or `read_cells`."""
Cells: TypeAlias = "Places | Sequence[Photograph] | Photograph"
"""The same, or photographs in memory: a list of (h, w, 3), or one array (n, h, w, 3), uint8."""


def read_cells(
    data: str | Path,
    layout: str = "auto",
    *,
    split: str | None = None,
    labels_from: str = "auto",
    leave_out: Sequence[str] = (),
    taxonomy: str = "auto",
) -> Manifest:
    """Read a data set: which cells there are, and their labels, splits and patients.

    `predict`, `measure`, `audit` and `adapt` take the result where a path does not say enough.

    Args:
        data: A folder, a table of cells (CSV or Parquet) or an image.
        layout: How the data lie: "auto", "kaggle", "hugging_face", "folders", "table" or "images"
            (unlabelled).
        split: Keep the cells of "train", "eval" or "test" alone.
        labels_from: Which labels count where several places have some: "auto", "folders", "names"
            or "tables".
        leave_out: Labels, or names of files, folders or tables, that are not wanted; `*` stands for
            any characters.
        taxonomy: "auto", "wbcbench", "pbc", "blood" or the path of a .toml file.

    Returns:
        The cells. `.frame` is the table, a row a cell; `.statement` says what was read and what was
        not; `len()` counts them.

    Raises:
        ManifestError: Nothing readable, faults in the data (all are listed), or no cell of that
            split.
        ConfigError: A layout or a choice that does not exist.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from buffycoat.simulate.render import render_benchmark
        >>> folder = Path(tempfile.mkdtemp()) / "cells"
        >>> _ = render_benchmark(folder, {"SNE": 3, "LY": 2}, 1, 1, seed=0, size_px=64)
        >>> cells = read_cells(folder, split="train")
        >>> len(cells), cells.counts()
        (5, {'SNE': 3, 'LY': 2})
    """
    from buffycoat.sources.options import Reading
    from buffycoat.sources.read import read

    cells = read(data, layout, Reading(taxonomy, labels_from, tuple(leave_out)))
    return cells if split is None else of_split(cells, split, data)


def of_split(cells: Manifest, split: str, data: str | Path) -> Manifest:
    """The cells of one split of a data set.

    Raises:
        ManifestError: There are none.
    """
    from buffycoat.errors import ManifestError

    chosen = cells.of_split(split)
    if not len(chosen):
        has = Counter(str(name) for name in cells.frame["split"].dropna())
        known = ", ".join(f"{name} ({count})" for name, count in has.most_common())
        raise ManifestError(f"{data}: no cells of split {split!r}; it has {known}")
    return chosen


def manifest_of(cells: Places, needs_labels: bool = False) -> Manifest:
    """The table of cells that a caller means.

    Args:
        cells: In any form but photographs in memory.
        needs_labels: Whether labels, splits and severities are asked for. Where not, every picture
            of a folder is a cell, and what stands in these columns of a table does not matter.

    Raises:
        ManifestError: A path or table that cannot be read, or a table without the column `path`.
    """
    from buffycoat.cells import COLUMNS, PLACE, Manifest
    from buffycoat.errors import ManifestError
    from buffycoat.sources.columns import ANNOTATIONS
    from buffycoat.sources.options import Reading
    from buffycoat.sources.read import read

    if isinstance(cells, Manifest):
        return cells
    if isinstance(cells, str | Path):
        layout = "images" if Path(cells).is_dir() and not needs_labels else "auto"
        return read(cells, layout, Reading(needs_labels=needs_labels))
    import pandas as pd

    if not isinstance(cells, pd.DataFrame):
        texts = [str(path) for path in cells]
        return Manifest.from_frame(pd.DataFrame({"cell_id": texts, "path": texts}), "paths")
    if "path" not in cells:
        raise ManifestError(
            f"table of cells: column 'path' is missing; it has {', '.join(map(str, cells))}. Give "
            "the photographs' paths there"
        )
    if {*PLACE} <= {*cells.columns} and PLACE["box"] not in cells:
        cells = cells.rename(columns=PLACE)  # of `find`: its box is a place in the field
    columns: dict[str, object] = {
        str(name): _texts(cells[name].tolist())
        if COLUMNS[name] == "string"
        else cells[name].to_numpy()
        for name in cells.columns
        if name in COLUMNS and (needs_labels or name not in ANNOTATIONS)
    }
    columns.setdefault("cell_id", columns["path"])
    return Manifest.from_frame(pd.DataFrame(columns), "table")


def _texts(values: Sequence[Any]) -> list[object]:
    """As tables on disk are read: patient 3.0, of a column with gaps, is "3"."""
    import pandas as pd

    from buffycoat.tables.parquet import text_of

    return [pd.NA if pd.isna(value) is True else text_of(value) for value in values]


def given(cells: Cells) -> Manifest | list[Photograph]:
    """Cells of any form: photographs in memory as a list, all others as a table.

    Raises:
        ManifestError: As in `manifest_of`.
        ShapeError: Arrays that are no photographs.
    """
    import numpy as np
    import pandas as pd

    from buffycoat.cells import Manifest
    from buffycoat.errors import ShapeError
    from buffycoat.images import MIN_SIDE_PX

    if isinstance(cells, str | Path | pd.DataFrame | Manifest):
        return manifest_of(cells)
    if isinstance(cells, np.ndarray) and cells.dtype.kind not in "OUT" and cells.ndim != 4:
        raise _no_photographs(cells)
    photographs = [cast("Photograph", one) for one in cells if isinstance(one, np.ndarray)]
    paths = [one for one in cells if isinstance(one, str | Path)]
    if len(photographs) + len(paths) < len(cells) or (photographs and paths):
        kinds = sorted({type(one).__name__ for one in cells})
        raise _no_photographs(" and ".join(kinds))
    if not photographs:
        return manifest_of(paths)
    for one in photographs:
        if one.ndim != 3 or one.shape[2] != 3 or one.dtype != np.uint8:
            raise _no_photographs(one)
        if min(one.shape[:2]) < MIN_SIDE_PX:
            raise ShapeError(
                f"cells: a photograph of {one.shape[1]} x {one.shape[0]} px, expected at least "
                f"{MIN_SIDE_PX} px a side"
            )
    return photographs


def _no_photographs(got: npt.NDArray[np.generic] | str) -> Exception:
    from buffycoat.errors import ShapeError

    what = got if isinstance(got, str) else f"an array of shape {got.shape}, {got.dtype}"
    return ShapeError(
        "cells: expected paths, or photographs (h, w, 3), uint8, RGB, in a list or as one array "
        f"(n, h, w, 3); got {what}. `buffycoat.images.read(path)` gives such an array"
    )


def check_bad(bad: Sequence[BadCell], n_cells: int, allow_bad: int) -> None:
    """Refuse more unreadable cells than the caller allows.

    Args:
        bad: Them.
        n_cells: Cells in all.
        allow_bad: So many are tolerated.

    Raises:
        BadCellsError: They are more; its `cells` lists all.
    """
    from buffycoat.errors import BadCellsError

    if len(bad) <= allow_bad:
        return
    shown = "\n  ".join(f"{cell.path}: {cell.reason}" for cell in bad[:10])
    more = f"\n  ... and {len(bad) - 10} more" if len(bad) > 10 else ""
    told = some_of(len(bad), n_cells, "cell")
    raise BadCellsError(
        f"{told} cannot be read, and allow_bad is {allow_bad}:\n  {shown}"
        f"{more}\nMend or leave out these files, or allow so many",
        [(cell.cell_id, cell.path, cell.reason) for cell in bad],
    )
