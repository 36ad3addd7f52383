"""`differential`: percent of leukocytes on each slide, with limits."""

# pandas has no types of its own; signatures here are checked all the same.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from buffycoat.api.tables import Table, kept, named, on_disk
from buffycoat.evaluate.limits import BLAST_THRESHOLD, MOSTLY, THRESHOLD

if TYPE_CHECKING:
    import pandas as pd

LOGGER = logging.getLogger("buffycoat")


def differential(
    predictions: Table | Mapping[str, str],
    by: str | None = None,
    *,
    groups: Table | Mapping[str, str] | None = None,
    calibration: Table | Mapping[str, str] | None = None,
    calibration_labels: Table | Mapping[str, str] | None = None,
    threshold: float = THRESHOLD,
    blast_threshold: float = BLAST_THRESHOLD,
    max_doubtful: float = 100 * MOSTLY,
    taxonomy: str = "auto",
    count_faulty: bool = False,
) -> pd.DataFrame:
    """Count the cells of each slide or patient, with the limits of so few cells.

    The figures are those of `buffycoat differential`. What does not count, and what a reader must
    know of the figures, is said as warnings of the logger `buffycoat`.

    Args:
        predictions: What `predict` gave, or a file that it wrote; with `is_abstained`, doubtful
            cells are counted apart too.
        by: Column to count by: `slide_id`, `patient_id`, `field`, ...; None takes `slide_id`, else
            `patient_id`, else the folder of the field, else all cells together.
        groups: Cell's name -> slide, or a table with ID and that column; None for `predictions`'
            own.
        calibration: Predictions for labelled cells that the model has not learned from: adds
            figures that are corrected for misclassification.
        calibration_labels: True labels of those.
        threshold: Percent of immature granulocytes to flag.
        blast_threshold: Percent of blasts to flag.
        max_doubtful: Percent of doubtful cells over which a slide has no differential.
        taxonomy: "auto", "wbcbench", "pbc", "blood" or the path of a .toml file.
        count_faulty: Count cells of fields with a fault too.

    Returns:
        A row a slide and class: `group`, `name`, `count`, `n_leukocytes`; `raw_value`, `raw_low`
        and `raw_high`, percent of leukocytes with 95 % limits; the same `adjusted_`; the figures
        without doubtful cells; `status`, "refused" for a slide without a differential; `flag`.

    Raises:
        ManifestError: A fault in one of the tables, such as a cell without a slide.
        ConfigError: `calibration_labels` without `calibration`.

    Example:
        >>> said = {f"{n}.png": "LY" if n < 30 else "SNE" for n in range(100)}
        >>> slides = dict.fromkeys(said, "slide 1")
        >>> table = differential(said, groups=slides, taxonomy="pbc").set_index("name")
        >>> table.loc["LY", ["raw_value", "raw_low", "raw_high"]].round(1).tolist()
        [30.0, 21.2, 40.0]
    """
    from buffycoat.errors import ConfigError
    from buffycoat.evaluate.counting import Counting, count, thresholds

    if calibration is None and calibration_labels is not None:
        raise ConfigError("calibration_labels go with calibration: give the predictions too")
    with kept() as folder:

        def file(table: Table | Mapping[str, str] | None, name: str, column: str) -> Path | None:
            return None if table is None else on_disk(table, folder / name, column)

        asked = Counting(
            by=by,
            groups=file(groups, "groups", by or "slide_id"),
            calibration=file(calibration, "calibration", "label"),
            calibration_labels=file(calibration_labels, "calibration_labels", "label"),
            thresholds=thresholds(threshold, blast_threshold),
            max_doubtful=max_doubtful / 100,
            taxonomy=taxonomy,
            count_faulty=count_faulty,
        )
        found = count(on_disk(predictions, folder / "predictions", "label"), asked)
    for sentence in (*found.cautions, *found.notes):
        LOGGER.warning(named(sentence, folder))
    return found.to_frame()
