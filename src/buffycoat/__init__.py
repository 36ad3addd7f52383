"""buffycoat finds the rare white blood cells. Not a medical device.

>>> import buffycoat
>>> table = buffycoat.predict("cells/", columns="doubt")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from buffycoat.api.adaptation import Adapted, adapt
from buffycoat.api.cells import read_cells
from buffycoat.api.counts import differential
from buffycoat.api.data_audit import audit
from buffycoat.api.fields import Found, find
from buffycoat.api.morphology import measure
from buffycoat.api.prediction import load, predict
from buffycoat.api.scores import Scores, evaluate

if TYPE_CHECKING:
    from buffycoat.api.classifier import CellClassifier
    from buffycoat.api.features import CellFeatures

__version__ = "0.1.0"
__all__ = [
    "Adapted",
    "CellClassifier",
    "CellFeatures",
    "Found",
    "Scores",
    "__version__",
    "adapt",
    "audit",
    "differential",
    "evaluate",
    "find",
    "load",
    "measure",
    "predict",
    "read_cells",
]


def __getattr__(name: str) -> type:
    """The estimators, which load scikit-learn, when they are first asked for."""
    if name == "CellClassifier":
        from buffycoat.api.classifier import CellClassifier

        return CellClassifier
    if name == "CellFeatures":
        from buffycoat.api.features import CellFeatures

        return CellFeatures
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
