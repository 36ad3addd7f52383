"""Morphology alone: masks and features of every cell, at its photograph's own resolution."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
import pandas as pd

from buffycoat import images
from buffycoat.backbones.threads import at_most, cpus
from buffycoat.cells import CellRef, Manifest
from buffycoat.errors import ConfigError, ImageError
from buffycoat.images import BadCell, check_scale
from buffycoat.plurals import counted
from buffycoat.progress import Reporter, Silent
from buffycoat.refine.features import NAMES, in_micrometres, is_in_pixels, measure
from buffycoat.segment.masks import CellMasks
from buffycoat.segment.stain import segment_few

POOL_CELLS = 200
"""Cells from which other processes are worth the second that they need to start."""
CELLS_A_TASK = 16
"""Read, segmented together and measured; a process takes so many at a time."""


@dataclass(frozen=True)
class Morphology:
    """What was measured.

    Attributes:
        frame: One row a readable cell; columns as `column_names` gives them. NaN where a feature
            cannot be measured, all of them where no cell was found, and those in micrometres where
            the scale is not known.
        bad: Cells whose image cannot be used, and why.
    """

    frame: pd.DataFrame
    bad: tuple[BadCell, ...]

    @property
    def n_without_cell(self) -> int:
        """Images in which no cell was found."""
        return int(np.isnan(self.frame["cell_area_px"].to_numpy()).sum())


def measure_manifest(
    manifest: Manifest,
    um_per_px: float | None = None,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Morphology:
    """Segment and measure every cell.

    The largest square in the middle of each photograph is measured, at its own resolution. The
    masks are found at `segment.stain.WORK_PX` and scaled up to it.

    Args:
        manifest: n cells.
        um_per_px: Micrometres that a pixel of all photographs is wide; None takes what the manifest
            says of each. Where any cell has a scale there are columns in micrometres.
        workers: Processes; by default one a CPU. Few cells are measured in this one.
        reporter: Is told how far it is.

    Returns:
        The table, and the cells that are not in it.

    Raises:
        ConfigError: `um_per_px` is no width of a pixel, or fewer than one process is asked for.
    """
    refs = list(manifest.refs())
    cell_ids = [str(cell_id) for cell_id in manifest.frame["cell_id"]]
    check_scale(um_per_px)
    wide = [ref.um_per_px if um_per_px is None else um_per_px for ref in refs]
    return _measure(refs, cell_ids, wide, workers, reporter or Silent())


def measure_photographs(
    photographs: Sequence[np.ndarray],
    um_per_px: float | Sequence[float | None] | None = None,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> Morphology:
    """The same of photographs in memory, each (h, w, 3), uint8; their ids are "0", "1", ...

    `um_per_px` is that of all, or of each.
    """
    cell_ids = [str(number) for number in range(len(photographs))]
    if isinstance(um_per_px, Sequence):
        wide = list(um_per_px)
    else:
        wide = [um_per_px] * len(photographs)
    for one in {*wide}:
        check_scale(one)
    return _measure(photographs, cell_ids, wide, workers, reporter or Silent())


def _measure(
    sources: Sequence[CellRef] | Sequence[np.ndarray],
    cell_ids: Sequence[str],
    um_per_px: Sequence[float | None],
    workers: int | None,
    reporter: Reporter,
) -> Morphology:
    if workers is not None and workers < 1:
        raise ConfigError(f"workers: expected at least 1, got {workers}")
    workers = at_most(workers or cpus())
    rows, good, bad = [], list[int](), []
    reporter.start("measure")
    with _mapped(sources, workers) as results:
        for place, (row, reason) in enumerate(results):
            if row is None:
                bad.append(BadCell(cell_ids[place], str(sources[place]), reason))
            else:
                good.append(place)
                rows.append(row)
            reporter.advance(place + 1, len(sources))
    reporter.finish(counted(len(rows), "cell"))
    names, wide = [cell_ids[place] for place in good], [um_per_px[place] for place in good]
    frame = _table(names, rows, np.array(wide, dtype=np.float64))
    is_scaled = any(um is not None for um in um_per_px)
    return Morphology(frame.reindex(columns=column_names(is_scaled)), tuple(bad))


def column_names(is_scaled: bool = False) -> list[str]:
    """Columns of the table: the cell, the quality of its masks, sizes, then all other features.

    Args:
        is_scaled: Whether the scale of any cell is known: adds it, and sizes in micrometres.
    """
    sizes = [name for name in NAMES if is_in_pixels(name)]
    scaled = [in_micrometres(name)[0] for name in sizes] if is_scaled else []
    others = [name for name in NAMES if name not in sizes]
    scale = ["um_per_px"] if is_scaled else []
    return ["cell_id", "mask_quality", "image_px", *scale, *sizes, *scaled, *others]


def _table(
    cell_ids: Sequence[str], rows: Sequence[np.ndarray], um_per_px: np.ndarray
) -> pd.DataFrame:
    """Every column that there may be; `um_per_px` has shape (n,), NaN where it is not known."""
    values = np.array(rows, dtype=np.float64).reshape(len(rows), 2 + len(NAMES))
    frame = pd.DataFrame(values, columns=["mask_quality", "image_px", *NAMES])
    frame["image_px"] = frame["image_px"].astype(np.int64)
    scaled = {"um_per_px": um_per_px}
    for name in filter(is_in_pixels, NAMES):
        other, power = in_micrometres(name)
        scaled[other] = frame[name].to_numpy() * um_per_px**power
    frame = pd.concat([frame, pd.DataFrame(scaled, index=frame.index)], axis=1)
    frame.insert(0, "cell_id", pd.array(list(cell_ids), dtype="string"))
    return frame


@contextmanager
def _mapped(
    sources: Sequence[CellRef] | Sequence[np.ndarray], workers: int
) -> Iterator[Iterable[_Result]]:
    """Results in the order of the sources, from other processes where that is worth it."""
    starts = range(0, len(sources), CELLS_A_TASK)
    tasks = [sources[start : start + CELLS_A_TASK] for start in starts]
    if workers == 1 or len(sources) < POOL_CELLS:
        yield chain.from_iterable(map(_measure_some, tasks))
        return
    # spawned, not forked: a fork of a process with threads can hang
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=cv2.setNumThreads, initargs=(1,))
    try:
        yield chain.from_iterable(pool.map(_measure_some, tasks))
    finally:
        pool.shutdown(cancel_futures=True)


_Result = tuple[np.ndarray | None, str]
"""Mask quality, side of the measured square and the features, shape (2 + len(NAMES),); or None,
and why."""


def _measure_some(sources: Sequence[CellRef] | Sequence[np.ndarray]) -> list[_Result]:
    squares = [_square(source) for source in sources]
    masks = iter(segment_few(square for square, _ in squares if square is not None))
    return [
        (None, reason) if square is None else (_row(square, next(masks)), "")
        for square, reason in squares
    ]


def _square(source: CellRef | np.ndarray) -> _Result:
    """The middle of a photograph, shape (side, side, 3); or None, and why."""
    try:
        image = images.read(source) if isinstance(source, CellRef) else source
    except ImageError as error:
        return None, str(error).removeprefix(f"{source}: ")
    return images.to_work(image, min(image.shape[:2]), 1.0), ""


def _row(square: np.ndarray, masks: CellMasks) -> np.ndarray:
    return np.array([masks.quality, len(square), *measure(square, masks.cell, masks.nucleus)])
