"""`adapt` a bundle to the cells of another laboratory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from buffycoat.api.cells import Places, manifest_of
from buffycoat.api.tables import Table, kept, on_disk

if TYPE_CHECKING:
    from buffycoat.predict.predictor import Pipeline
    from buffycoat.progress import Reporter


@dataclass(frozen=True, eq=False)
class Adapted:
    """A bundle that was adapted to a site.

    Attributes:
        folder: Of the new bundle.
        pipeline: What it holds, ready to predict.
        sentences: What was changed and why, what was not, and what it did to the site's cells.
    """

    folder: Path
    pipeline: Pipeline
    sentences: tuple[str, ...]


def adapt(
    cells: Places,
    out: str | Path,
    bundle: str | Path = "starter",
    *,
    labels: Table | Mapping[str, str] | None = None,
    name: str = "",
    allow_bad: int = 0,
    progress: bool | Reporter = False,
) -> Adapted:
    """Adapt a bundle to another laboratory's cells, without labels or with few; the old one stays.

    The new bundle is that of `buffycoat adapt`. Without labels nobody can say whether predictions
    are better after it: label some cells, and `evaluate`.

    Args:
        cells: The site's cells, 32 at least, better 200 or more, of all the types that it sees: a
            folder, a table, paths, a `DataFrame` with a column `path`, or `read_cells(...)`.
        out: Folder of the new bundle: new, or empty.
        bundle: Folder of the trained bundle that is adapted, or "starter".
        labels: True labels of a few of the cells, 5 to 50 a type: a table (path or `DataFrame`)
            with ID and label, or a mapping of ID to label. A label may be a class or a group.
        name: What to call the site; by default as `cells` is called.
        allow_bad: So many unreadable images are tolerated.
        progress: True shows bars on standard error.

    Returns:
        The new bundle, loaded, and what was changed, in sentences.

    Raises:
        BadCellsError: More images than allowed cannot be read.
        BundleError: No bundle, one that was adapted before, or one that does not know its training
            cells' looks.
        ManifestError: A label of no cell of the site, or cells that cannot be found.
        NotEstimableError: The cells are too few, of one class, gray or drawn; or labels show no
            gain.
        OutputError: `out` is not empty, or cannot be written.
        TaxonomyError: A label that is no class of the bundle.

    Example:
        Cells from which a site cannot be estimated are refused:

        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from buffycoat.images import write_png
        >>> from buffycoat.simulate.render import render_cell
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_png(folder / "cells" / "1.png", render_cell("LY", np.random.default_rng(0)).image)
        >>> adapt(folder / "cells", folder / "adapted")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        buffycoat.errors.NotEstimableError: 1 cell is too few for `adapt`: collect 32 at least, ...
    """
    from buffycoat.api.output import new_folder
    from buffycoat.api.progress import shown
    from buffycoat.learn.adapt import adapt as make
    from buffycoat.predict.predictor import Pipeline

    where = Path(out)
    with new_folder(where), kept() as folder:
        manifest = manifest_of(cells)
        few = None if labels is None else on_disk(labels, folder / "labels", "label")
        with shown(progress) as reporter:
            made = make(bundle, manifest, where, name or _name_of(cells), reporter, allow_bad, few)
    return Adapted(where, Pipeline.load(where), made.sentences)


def _name_of(cells: Places) -> str:
    if not isinstance(cells, str | Path):
        return ""
    place = Path(cells)
    return place.stem if place.is_file() else place.resolve().name
