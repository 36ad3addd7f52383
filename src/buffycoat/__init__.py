"""buffycoat finds the rare white blood cells. Not a medical device."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from buffycoat.predict.predictor import Pipeline

__version__ = "0.1.0"
__all__ = ["__version__", "load"]


def load(bundle: str | Path) -> Pipeline:
    """Load a trained bundle.

    Args:
        bundle: Folder of a bundle, or `"starter"` for the one that ships in the package.

    Returns:
        A pipeline whose `predict` gives the same numbers as the command line.

    Raises:
        BundleError: The folder is no bundle, or one of its files has changed.
    """
    from buffycoat.predict.predictor import Pipeline  # heavy: loads torch

    return Pipeline.load(bundle)
