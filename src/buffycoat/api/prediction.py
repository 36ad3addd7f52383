"""`load` a bundle and `predict` classes of cells with it."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from buffycoat.api.cells import Cells, Photograph, check_bad, given
from buffycoat.plurals import counted

if TYPE_CHECKING:
    import pandas as pd

    from buffycoat.images import BadCell
    from buffycoat.predict.predictor import Pipeline, Scales
    from buffycoat.predict.results import Counts
    from buffycoat.predict.site_look import SiteLooks
    from buffycoat.progress import Reporter

LOGGER = logging.getLogger("buffycoat")
BAD_CELLS = "bad_cells"
"""Key of `DataFrame.attrs` under which unreadable cells are listed."""

Bundle: TypeAlias = "str | Path | Pipeline"
"""A trained bundle: its folder, "starter" for the one that ships, or what `load` gave."""


def load(bundle: str | Path) -> Pipeline:
    """Load a trained bundle.

    Args:
        bundle: Folder of a bundle, or `"starter"` for the one that ships in the package.

    Returns:
        A pipeline. `predict` classifies photographs in memory; `taxonomy.codes` are its classes;
        `notice` is what a person must know before they read a prediction.

    Raises:
        BundleError: The folder is no bundle, or one of its files has changed.

    Example:
        >>> load("starter").taxonomy.codes
        ('SNE', 'LY', 'MO', 'EO', 'BNE', 'MY', 'BA', 'MMY', 'ERB', 'PMY')
    """
    from buffycoat.predict.predictor import Pipeline  # heavy: loads torch

    return Pipeline.load(bundle)


def predict(
    cells: Cells,
    bundle: Bundle = "starter",
    *,
    columns: str | Sequence[str] = "all",
    prior: str | None = None,
    optimise: str | None = None,
    mix: str | None = None,
    um_per_px: Scales = None,
    allow_bad: int = 0,
    workers: int | None = None,
    parts: str | Path | None = None,
    progress: bool | Reporter = False,
) -> pd.DataFrame:
    """Classify cells, with probability, prediction set and reasons for doubt.

    The numbers are those of `buffycoat predict`. Whether cells look like the training cells is
    asked of all of them together: give those of one laboratory in one call.

    Args:
        cells: A folder, an image or a table of cells; several paths; a `DataFrame` with a column
            `path`; `read_cells(...)`; or photographs in memory, each (h, w, 3), uint8, RGB.
        bundle: Folder of a trained bundle, "starter", or what `load` gave.
        columns: "all"; "label"; "doubt" (`probability`, `conformal_set`, `is_abstained`,
            `reasons`); or names of columns. What no column asks for is not computed.
        prior: Class frequencies to assume: "uniform", "train" or "SNE=60,LY=30,..." with every
            class; None for the bundle's.
        optimise: What labels maximise: "macro-f1", "balanced-recall", "accuracy", "none" or the
            path of a table of costs; None for the bundle's.
        mix: Class frequencies at which that score counts: "train", "uniform" or a mix.
        um_per_px: Micrometres that one pixel of photographs in memory is wide, of all or of each; a
            table has a column `um_per_px`. For a bundle that frames by scale.
        allow_bad: So many unreadable images are tolerated; they have no row, and are listed in
            `DataFrame.attrs["bad_cells"]`.
        workers: Processes; None for one a CPU where there are cells enough. They are spawned: in a
            script, call this under `if __name__ == "__main__":`. Photographs in memory are
            predicted in this one.
        parts: Folder that keeps finished parts: killed, the same call goes on. None keeps none.
            Not for photographs in memory.
        progress: True shows bars on standard error.

    Returns:
        A row a cell, in the order given, with `cell_id`, `label` and the columns asked for (their
        units: docs/predict.md). Photographs in memory are called "0", "1", ... and have neither
        place nor checksum.

    Raises:
        BadCellsError: More images than allowed cannot be read; its `cells` lists them.
        BundleError: No bundle, or one of its files has changed.
        ConfigError: No such column, prior, mix or score (the message lists what there is), a scale
            that cannot be, or an option that does not go with cells of this form.
        ManifestError: The cells cannot be found, or their table has faults (all are listed).
        ShapeError: Arrays that are no photographs, or not one `um_per_px` for each.

    Example:
        >>> import numpy as np
        >>> from buffycoat.simulate.render import render_cell
        >>> drawn = [render_cell(code, np.random.default_rng(0)).image for code in ("LY", "EO")]
        >>> predict(drawn, columns="doubt").columns.tolist()
        ['cell_id', 'label', 'probability', 'conformal_set', 'is_abstained', 'reasons']
    """
    from buffycoat.api.progress import shown

    pipeline = _asked(bundle, prior, optimise, mix)
    asked = columns if isinstance(columns, str) else ",".join(columns)
    manifest = given(cells)
    _check_options(isinstance(manifest, list), workers, parts, um_per_px)
    if isinstance(manifest, list):
        with shown(progress) as reporter:
            return _of_photographs(manifest, pipeline, asked, prior, um_per_px, reporter)
    wanted = _wanted(pipeline.columns(manifest), asked)
    from buffycoat.predict.table import predict_frame

    with ExitStack() as stack:
        folder = Path(parts or stack.enter_context(tempfile.TemporaryDirectory(prefix="buffycoat")))
        reporter = stack.enter_context(shown(progress))
        frame, found = predict_frame(pipeline, manifest, folder, wanted, reporter, prior, workers)
    check_bad(found.bad, len(manifest), allow_bad)
    list_bad(frame, found.bad)
    place = cells if isinstance(cells, str | Path) else "CELLS"
    _warn(found.looks, pipeline, found.counts, place)
    return frame


def pipeline_of(bundle: Bundle) -> Pipeline:
    """The pipeline that a caller means."""
    return load(bundle) if isinstance(bundle, str | Path) else bundle


def list_bad(frame: pd.DataFrame, bad: Sequence[BadCell]) -> None:
    """Keep tolerated unreadable cells with a table, and say that there are some."""
    listed = [{"cell_id": one.cell_id, "path": one.path, "reason": one.reason} for one in bad]
    frame.attrs[BAD_CELLS] = listed
    if listed:
        LOGGER.warning(
            "%d cells could not be read and have no row: DataFrame.attrs[%r]", len(bad), BAD_CELLS
        )


def _asked(bundle: Bundle, prior: str | None, optimise: str | None, mix: str | None) -> Pipeline:
    """The pipeline with what labels shall maximise; what is asked for wrongly is refused."""
    from buffycoat.errors import ConfigError

    if mix is not None and optimise in (None, "none"):
        raise ConfigError(f"mix {mix!r}: is of a score. Give optimise with it, or leave it out")
    pipeline = pipeline_of(bundle)
    pipeline.fitted.prior(prior)
    return pipeline if optimise is None else pipeline.optimising(optimise, mix or "train")


def _check_options(
    is_in_memory: bool, workers: int | None, parts: str | Path | None, um_per_px: Scales
) -> None:
    """Refuse what cells of a form have no use for, rather than pass over it."""
    from buffycoat.errors import ConfigError

    if workers is not None and workers < 1:
        raise ConfigError(f"workers: expected at least 1, got {workers}")
    if is_in_memory and workers not in (None, 1):
        raise ConfigError(
            f"workers {workers}: photographs in memory are predicted in this process. Give their "
            "paths, or leave it out"
        )
    if is_in_memory and parts is not None:
        raise ConfigError(
            f"parts {str(parts)!r}: photographs in memory are predicted at once, and no part is "
            "kept. Give their paths, or leave it out"
        )
    if not is_in_memory and um_per_px is not None:
        raise ConfigError(
            "um_per_px: is of photographs in memory. Of files, give a table (or a DataFrame) with "
            "the columns path and um_per_px"
        )


def _wanted(has: Sequence[str], asked: str) -> list[str]:
    from buffycoat.predict.columns import choose_columns

    return list(dict.fromkeys(("cell_id", "label", *choose_columns(asked, has))))


def _of_photographs(
    photographs: list[Photograph],
    pipeline: Pipeline,
    asked: str,
    prior: str | None,
    um_per_px: Scales,
    reporter: Reporter,
) -> pd.DataFrame:
    from buffycoat.predict import rows
    from buffycoat.predict.results import Counts
    from buffycoat.predict.site_look import SiteLooks

    reporter.start("predict", counted(len(photographs), "cell"))
    shift = pipeline.look(photographs, um_per_px)
    found = pipeline.predict_of_site(photographs, shift, None, prior, um_per_px, reporter.advance)
    reporter.finish()
    frame = rows.predictions_frame(found, pipeline.taxonomy)
    frame["bundle_sha256"] = pipeline.bundle_sha256
    has = [str(name) for name in frame.columns]
    wanted = _wanted(has, asked)
    shown = frame.drop(columns=[name for name in has if name not in wanted])
    list_bad(shown, ())
    counts = Counts()
    counts.add(frame)
    _warn(SiteLooks({} if shift is None else {"": shift}), pipeline, counts, "CELLS")
    return shown


def _warn(looks: SiteLooks, pipeline: Pipeline, counts: Counts, cells: object) -> None:
    """Say which cells look like another laboratory's, and how they were judged."""
    from buffycoat.predict.unfamiliar import sentences

    for sentence in sentences(looks, pipeline.fitted, counts, str(pipeline.folder), cells):
        LOGGER.warning(sentence)
