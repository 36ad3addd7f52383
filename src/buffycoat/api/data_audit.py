"""`audit` a data set: leaks, duplicates and shortcuts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from buffycoat.api.cells import Places, manifest_of
from buffycoat.api.prediction import Bundle, pipeline_of
from buffycoat.plurals import counted

if TYPE_CHECKING:
    from buffycoat.audit.findings import Audit
    from buffycoat.progress import Reporter


def audit(
    data: Places,
    *,
    name: str = "",
    ignore: Sequence[str] = (),
    encoder: Bundle | None = None,
    cache: str | Path | None = None,
    um_per_px: float | None = None,
    progress: bool | Reporter = False,
) -> Audit:
    """Find leaks, duplicates and shortcuts that would distort scores on a data set.

    The checks and what they find are those of `buffycoat audit`.

    Args:
        data: A folder or table of labelled cells, or `read_cells(...)`.
        name: What the result calls the data set; by default its path.
        ignore: Checks whose findings are accepted; they run all the same.
        encoder: Compare embeddings of this bundle's frozen encoder as well: slower, and of planted
            copies it found no more.
        cache: Folder that keeps these embeddings for the next time.
        um_per_px: Micrometres that one pixel of all photographs is wide, for an encoder's bundle
            that frames by scale; None takes the column `um_per_px` of a table, cell by cell.
        progress: True shows bars on standard error.

    Returns:
        The checks. `is_clean` says whether any found anything that was not accepted; `results` are
        all of them, each with `name`, `state`, `why`, `remedy` and `looked.findings`; `to_dict()`
        is what JSON has.

    Raises:
        ConfigError: No such check; or `um_per_px` is no width of a pixel, or nothing looks at it.
        ManifestError: The cells cannot be found, or their table has faults (all are listed).

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from buffycoat.images import write_png
        >>> from buffycoat.simulate.render import render_cell
        >>> folder = Path(tempfile.mkdtemp())
        >>> drawn = render_cell("LY", np.random.default_rng(0), 96).image
        >>> for place in ("train/LY/a.png", "test/LY/b.png"):  # one photograph in both splits
        ...     write_png(folder / place, drawn)
        >>> found = audit(folder)
        >>> found.is_clean, [result.name for result in found.of_state("found")]
        (False, ['exact_copies'])
    """
    from buffycoat.api.progress import shown
    from buffycoat.audit import run
    from buffycoat.audit.scan import scan
    from buffycoat.errors import ConfigError
    from buffycoat.images import check_framing
    from buffycoat.predict.embedder import make_embedder

    run.check_names(ignore)
    if um_per_px is not None and encoder is None:
        raise ConfigError(
            "um_per_px: frames cells for embeddings, and none are compared. Give encoder with it, "
            "or leave it out"
        )
    fitted = None if encoder is None else pipeline_of(encoder).fitted
    if fitted is not None:
        check_framing(um_per_px, fitted.config.images)
    manifest = manifest_of(data, needs_labels=True)
    where = name or (str(data) if isinstance(data, str | Path) else "data")
    kept = None if cache is None else Path(cache)
    embed = None if fitted is None else make_embedder(fitted, kept)
    with shown(progress) as reporter:
        reporter.start("read", counted(len(manifest), "cell"))
        seen = scan(manifest, embed, on_progress=reporter.advance, um_per_px=um_per_px)
        reporter.finish()
        reporter.start("compare", "pairs that may show one photograph")
        result = run.audit(manifest, seen, where, ignore, reporter.advance)
        reporter.finish()
    return result
