"""How the model errs on labelled cells, for figures corrected for misclassification."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from buffycoat.errors import ConfigError
from buffycoat.evaluate.grain import relabelled
from buffycoat.evaluate.metrics import confusion
from buffycoat.evaluate.scored import read_out_of_fold, read_scored
from buffycoat.taxonomy import Taxonomy


def read_confusion(
    predictions: Path | None, labels: Path | None, taxonomy: Taxonomy, name: str = "auto"
) -> np.ndarray | None:
    """The model's calls on labelled cells, rows the truth, shape (k, k); None without any.

    Args:
        predictions: Of cells that the model has not learned from, or a run's out_of_fold.parquet.
        labels: Their true labels; None for out_of_fold.parquet, which has them.
        taxonomy: Of the review.
        name: Of the taxonomy that labels are read by, as in the settings.

    Raises:
        ConfigError: Labels without predictions.
        ManifestError: Faults in the tables.
        TaxonomyError: A class that the review does not have.
    """
    if predictions is None:
        if labels is not None:
            raise ConfigError(
                "--calibration-labels go with --calibration: give the predictions too"
            )
        return None
    if labels is None:
        known = read_out_of_fold(predictions, name)
    else:
        known = read_scored(predictions, labels, name)
    targets, calls = (relabelled(part, taxonomy) for part in (known.targets, known.predicted))
    fine = np.flatnonzero(taxonomy.is_fine(targets))
    truth, said = (taxonomy.encode([part[row] for row in fine]) for part in (targets, calls))
    return confusion(truth, said, len(taxonomy))
