"""The rescue rules of arXiv 2603.16249, with their constants.

Mean, covariance, box and threshold of the plasma-cell rule were never published. They are
refitted here on the training cells, and every rule says so in its reason.
"""

from __future__ import annotations

import numpy as np

from buffycoat.refine.features import columns
from buffycoat.refine.rules import RescueRules, Rule
from buffycoat.statistics import ClassStatistics
from buffycoat.taxonomy import Taxonomy

PLY_BOOST = 150.0
PLY_HEAD = 0.35
PLY_TOP = 0.8
PLY_SPIKINESS = 1.35
PC_BOOST = 3750.0
PC_HEAD = 0.01
BOX_FEATURES = ("cell_area", "mean_intensity", "sd_intensity", "red_blue_ratio", "nc_ratio")
"""The five of seven features that must pass the box."""
DISTANCE_FEATURES = (
    "cell_area",
    "mean_intensity",
    "red_blue_ratio",
    "nc_ratio",
    "nucleus_offset",
    "cytoplasm_intensity",
)
BOX_PERCENTILES = (1.0, 99.0)
"""Ours: the box was not published."""
DISTANCE_QUANTILE = 0.99
"""Ours: of the chi-square distribution with six degrees of freedom."""
MIN_PLASMA_CELLS = 2 * len(DISTANCE_FEATURES)
"""Ours: two cells a dimension, under which even a shrunk Gaussian is mostly its prior."""


def published_rules(taxonomy: Taxonomy, features: np.ndarray, targets: np.ndarray) -> RescueRules:
    """PLY first, then PC, as published.

    Args:
        taxonomy: Should hold PLY, PC, LY and VLY; a rule whose classes it lacks is off.
        features: Shape (n, len(NAMES)), of training cells.
        targets: Shape (n,), their column index.

    Returns:
        Two rules; one that cannot be had is off and says why.
    """
    return RescueRules(
        taxonomy.codes, (_prolymphocyte(taxonomy), _plasma(taxonomy, features, targets))
    )


def _prolymphocyte(taxonomy: Taxonomy) -> Rule:
    missing = sorted({"PLY", "LY"} - set(taxonomy.codes))
    if missing:
        return Rule("PLY", origin="published", reason=_lacks(taxonomy, missing))
    return Rule(
        "PLY",
        rivals=("LY",),
        ratio_above=1 / PLY_BOOST,
        head_above=PLY_HEAD,
        top_below=PLY_TOP,
        spikiness_above=PLY_SPIKINESS,
        is_direct_replaced=True,
        is_on=True,
        origin="published",
        reason="published constants; they were not fitted to these data",
    )


def _plasma(taxonomy: Taxonomy, features: np.ndarray, targets: np.ndarray) -> Rule:
    rivals = tuple(code for code in ("LY", "VLY") if code in taxonomy.codes)
    missing = [] if "PC" in taxonomy.codes else ["PC"]
    if missing or not rivals:
        return Rule("PC", origin="published", reason=_lacks(taxonomy, missing or ["LY", "VLY"]))
    plasma = features[targets == taxonomy.codes.index("PC")]
    used = columns(sorted({*BOX_FEATURES, *DISTANCE_FEATURES}))
    plasma = plasma[np.isfinite(plasma[:, used]).all(axis=1)]
    if len(plasma) < MIN_PLASMA_CELLS:
        return Rule(
            "PC",
            origin="published",
            reason=f"not estimable: {len(plasma)} measurable PC cells, the unpublished mean and "
            f"covariance need {MIN_PLASMA_CELLS}; direct PC calls are kept",
        )
    from scipy.stats import chi2

    rows = plasma[:, columns(DISTANCE_FEATURES)]
    low, high = np.percentile(plasma[:, columns(BOX_FEATURES)], BOX_PERCENTILES, axis=0)
    return Rule(
        "PC",
        rivals=rivals,
        ratio_above=1 / PC_BOOST,
        head_above=PC_HEAD,
        distance_below=float(chi2.ppf(DISTANCE_QUANTILE, rows.shape[1])),
        distance_features=DISTANCE_FEATURES,
        statistics=ClassStatistics.fit(rows, np.zeros(len(rows), dtype=np.int64), 1),
        box=tuple(zip(BOX_FEATURES, low.tolist(), high.tolist(), strict=True)),
        is_direct_replaced=True,
        is_on=True,
        origin="published",
        reason="published constants; the unpublished mean, covariance, box and threshold are "
        f"refitted on {len(plasma)} training cells, for both rivals together",
    )


def _lacks(taxonomy: Taxonomy, missing: list[str]) -> str:
    return f"not estimable: taxonomy {taxonomy.name!r} lacks {', '.join(missing)}"
