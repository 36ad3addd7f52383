"""Cells as rows of numbers, for scikit-learn: embedding and morphology."""

# scikit-learn and pandas have no types of their own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from buffycoat.api.cells import Photograph
from buffycoat.cells import SCALE_WORDS
from buffycoat.errors import BadCellsError, BundleError, ConfigError, ImageError, ShapeError
from buffycoat.plurals import some_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from sklearn.utils import Tags

    from buffycoat.bundle.fitted import Fitted

SCALE = "um_per_px"
CELLS_AT_ONCE = 64
"""Photographs in memory at a time."""
Paths: TypeAlias = "Sequence[str | Path] | pd.Series | pd.DataFrame"
"""Paths of n cells, in a list, a `Series`, or a `DataFrame`'s column `path`."""
Images: TypeAlias = "Paths | Sequence[Photograph] | npt.NDArray[np.generic]"
"""The same, or photographs (h, w, 3), uint8; or one array: of paths, or (n, h, w, 3), uint8."""


class CellFeatures(TransformerMixin, BaseEstimator):
    """Photographs of cells to numbers: a step of a scikit-learn pipeline.

    A row has the embedding of a bundle's frozen encoder, which has seen no labels of blood cells
    (1,280 numbers of `starter`'s, length 1), then `mask_quality` and the 56 features of `measure`.
    Nothing is learned in `fit`, so the rows of training and test cells may be made together.

    Where a scale is known, by `um_per_px` or a table's column of that name, a bundle that frames by
    scale frames by it, and the sizes in micrometres of `measure` follow the features.

    Args:
        bundle: Folder of a bundle, or "starter".
        embedding: Whether rows have the embedding.
        morphology: Whether rows have the features. NaN where one cannot be measured.
        cache: Folder that keeps embeddings for the next time; None for none.
        um_per_px: Micrometres that one pixel of all photographs is wide; None takes the column
            `um_per_px` of a `DataFrame`, cell by cell.

    Attributes:
        bundle_sha256_: Checksum of the bundle at `fit`.
        feature_names_out_: Names of the columns.

    Example:
        >>> from buffycoat.simulate.render import render_cell
        >>> drawn = [render_cell(code, np.random.default_rng(0)).image for code in ("LY", "EO")]
        >>> CellFeatures().fit_transform(drawn).shape
        (2, 1337)
        >>> only = CellFeatures(embedding=False).set_output(transform="pandas")
        >>> bool(only.fit_transform(drawn)["nc_ratio"].between(0, 1).all())
        True
    """

    def __init__(
        self,
        bundle: str | Path = "starter",
        *,
        embedding: bool = True,
        morphology: bool = True,
        cache: str | Path | None = None,
        um_per_px: float | None = None,
    ) -> None:
        self.bundle = bundle
        self.embedding = embedding
        self.morphology = morphology
        self.cache = cache
        self.um_per_px = um_per_px

    def fit(self, X: Images, y: object = None) -> CellFeatures:  # noqa: N803
        """Read the bundle; nothing is learned of the cells.

        Args:
            X: n cells.
            y: Not looked at.

        Returns:
            Itself.

        Raises:
            ConfigError: Neither embedding nor morphology; or a scale that cannot be, or that
                nothing looks at.
            BundleError: No bundle, or one of its files has changed.
        """
        from buffycoat.bundle.files import checksum
        from buffycoat.images import check_framing
        from buffycoat.refine.features import NAMES, in_micrometres, is_in_pixels

        if not self.embedding and not self.morphology:
            raise ConfigError(
                "CellFeatures: embedding and morphology are both off. Set one to True"
            )
        is_scaled = any(um is not None for um in self._scales(X, len(listed(X))))
        self.bundle_sha256_ = checksum(self.bundle)
        names: list[str] = []
        if self.embedding:
            fitted = _fitted(str(self.bundle), self.bundle_sha256_)
            names += [f"embedding{number}" for number in range(fitted.encoder.width)]
            if not self.morphology:
                check_framing(self.um_per_px, fitted.config.images)
        if self.morphology:
            sizes = [in_micrometres(name)[0] for name in NAMES if is_in_pixels(name)]
            names += ["mask_quality", *NAMES, *(sizes if is_scaled else [])]
        self.feature_names_out_ = np.array(names, dtype=object)
        return self

    def transform(self, X: Images) -> npt.NDArray[np.float64]:  # noqa: N803
        """Embed and measure cells.

        Args:
            X: n cells; a cell's row does not depend on the others. Sizes in micrometres are NaN
                where a cell has no scale.

        Returns:
            Shape (n, d), float64; d is the number of `feature_names_out_`.

        Raises:
            BadCellsError: Images that cannot be read; all are listed.
            BundleError: The bundle was changed since `fit`.
            ConfigError: A scale that cannot be.
            ShapeError: Arrays that are no photographs.
        """
        check_is_fitted(self)
        cells = listed(X)
        wide = iter(self._scales(X, len(cells)))
        parts = [self._part(part, list(islice(wide, len(part)))) for part in _in_parts(cells)]
        return np.concatenate(parts)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Names of the columns, shape (d,): "embedding0", ..., "mask_quality", features.

        Args:
            input_features: Not looked at.
        """
        check_is_fitted(self)
        return self.feature_names_out_

    def _scales(self, cells: Images, n: int) -> list[float | None]:
        """Micrometres that a pixel of each of n cells is wide; None where that is not known."""
        um_per_px: float | list[float | None] | None = self.um_per_px
        if um_per_px is None and isinstance(cells, pd.DataFrame) and SCALE in cells:
            try:
                um_per_px = cells[SCALE].astype("Float64").tolist()
            except (TypeError, ValueError) as error:
                raise ConfigError(f"X: column {SCALE}: expected {SCALE_WORDS} ({error})") from error
        if um_per_px is None:
            return [None] * n
        from buffycoat.predict.predictor import scales

        return scales(um_per_px, n)

    def _part(
        self, photographs: list[Photograph], um_per_px: list[float | None]
    ) -> npt.NDArray[np.float64]:
        from buffycoat.predict.embedder import make_embedder
        from buffycoat.predict.morphology import measure_photographs

        found: list[npt.NDArray[np.float64]] = []
        if self.embedding:
            fitted = _fitted(str(self.bundle), self.bundle_sha256_)
            cache = None if self.cache is None else Path(self.cache)
            found.append(make_embedder(fitted, cache)(photographs, um_per_px).astype(np.float64))
        if self.morphology:
            frame = measure_photographs(photographs, um_per_px, workers=1).frame
            names = [n for n in self.feature_names_out_ if not str(n).startswith("embedding")]
            found.append(frame.reindex(columns=names).to_numpy(dtype=np.float64))
        return np.concatenate(found, axis=1)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.no_validation = True  # images, and no table of numbers
        return tags


def listed(cells: Images) -> list[str | Photograph]:
    """Paths or photographs, one a cell.

    Args:
        cells: In any form that scikit-learn hands on: a list, an array (n,), (n, 1) or
            (n, h, w, 3), a `Series`, or a `DataFrame` with the column `path` or one column.

    Raises:
        ShapeError: No cell, or something else than paths and photographs.
    """
    if isinstance(cells, str | Path):
        raise ShapeError(
            f"X: expected several cells, got one path, {str(cells)!r}. Give a list of paths; those "
            "of a folder are read_cells(folder).frame['path']"
        )
    if isinstance(cells, pd.DataFrame):
        if "path" not in cells and cells.shape[1] != 1:
            raise ShapeError(
                f"X: expected a table with the column 'path' or one column of paths; it has "
                f"{', '.join(map(str, cells))}"
            )
        cells = cells["path"] if "path" in cells else cells.iloc[:, 0]
    if isinstance(cells, np.ndarray) and cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    found = [_checked(one) for one in cells]
    if not found:
        raise ShapeError("X: no cells. Give at least one path or photograph")
    return found


def _checked(cell: object) -> str | Photograph:
    if isinstance(cell, str | Path):
        return str(cell)
    if isinstance(cell, np.ndarray) and _is_photograph(cell):
        return cell
    what = f"{cell.shape}, {cell.dtype}" if isinstance(cell, np.ndarray) else repr(cell)[:80]
    raise ShapeError(
        f"X: expected paths or photographs (h, w, 3), uint8, RGB, 16 px a side or more; got {what}"
    )


def _is_photograph(cell: npt.NDArray[np.generic]) -> bool:
    from buffycoat.images import MIN_SIDE_PX

    is_rgb = cell.dtype == np.uint8 and cell.ndim == 3 and cell.shape[2] == 3
    return is_rgb and min(cell.shape[:2]) >= MIN_SIDE_PX


def _in_parts(cells: list[str | Photograph]) -> Iterator[list[Photograph]]:
    """Photographs, some at a time."""
    from buffycoat import images

    bad: list[tuple[str, str, str]] = []
    for start in range(0, len(cells), CELLS_AT_ONCE):
        photographs: list[Photograph] = []
        for cell in cells[start : start + CELLS_AT_ONCE]:
            try:
                photographs.append(images.read(cell) if isinstance(cell, str) else cell)
            except ImageError as error:
                bad.append((str(cell), str(cell), str(error).removeprefix(f"{cell}: ")))
        if not bad:
            yield photographs
    if bad:
        shown = "\n  ".join(f"{path}: {reason}" for _, path, reason in bad[:10])
        told = some_of(len(bad), len(cells), "cell")
        raise BadCellsError(
            f"X: {told} cannot be read:\n  {shown}\nMend these files, or "
            "leave them and their labels out",
            bad,
        )


@lru_cache(maxsize=2)
def _fitted(bundle: str, sha256: str) -> Fitted:
    """What a bundle holds; read once, and not kept in an estimator, which so stays small.

    Raises:
        BundleError: It is another than at `fit`.
    """
    from buffycoat.bundle import files

    if files.checksum(bundle) != sha256:
        raise BundleError(f"{bundle}: was changed since `fit`. Fit again with the bundle as it is")
    return files.read(bundle)
