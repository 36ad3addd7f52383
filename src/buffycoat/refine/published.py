"""The rescue rules of arXiv 2603.16249, with their constants.

Mean, covariance, box and threshold of the plasma-cell rule were never published. They are
refitted here on the training cells, and every rule says so in its reason. Where a data set lacks
the two classes, the constants can be tried on two others: that is a transfer, and is called so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from buffycoat.errors import ConfigError, NotEstimableError
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


ROLES: dict[str, tuple[str, ...]] = {"PLY": ("LY",), "PC": ("LY", "VLY")}
"""The class that each rule returns -> the rivals that it may take a cell from."""


@dataclass(frozen=True)
class _Part:
    """Who plays a published rule: itself, or a class that its constants are transferred to."""

    role: str
    code: str
    rivals: tuple[str, ...]

    @property
    def words(self) -> str:
        if self.code == self.role:
            return "published constants"
        return f"published constants of {self.role}, transferred to {self.code}"


def published_rules(
    taxonomy: Taxonomy,
    features: np.ndarray,
    targets: np.ndarray,
    transfer: Mapping[str, Sequence[str]] | None = None,
) -> RescueRules:
    """PLY first, then PC, as published.

    Args:
        taxonomy: Should hold the classes; a rule whose classes it lacks is off.
        features: Shape (n, len(NAMES)), of training cells.
        targets: Shape (n,), their column index.
        transfer: PLY or PC -> the class that stands in for it, and its rivals.

    Returns:
        Two rules; one that cannot be had is off and says why.

    Raises:
        ConfigError: `transfer` names another rule, or no rival.
    """
    parts = _cast(transfer or {})
    return RescueRules(
        taxonomy.codes,
        (_prolymphocyte(parts["PLY"], taxonomy), _plasma(parts["PC"], taxonomy, features, targets)),
    )


def _cast(transfer: Mapping[str, Sequence[str]]) -> dict[str, _Part]:
    parts = {role: _Part(role, role, rivals) for role, rivals in ROLES.items()}
    for role, cast in transfer.items():
        if role not in ROLES or len(cast) < 2:
            raise ConfigError(
                f"refine.transfer: {role} = {list(cast)}: expected {' or '.join(ROLES)} = "
                '["CLASS", "RIVAL", ...]'
            )
        parts[role] = _Part(role, cast[0], tuple(cast[1:]))
    return parts


def _prolymphocyte(part: _Part, taxonomy: Taxonomy) -> Rule:
    missing = taxonomy.lacks([part.code, *part.rivals])
    if missing:
        return Rule(part.code, origin="published", reason=_lacks(taxonomy, missing))
    return Rule(
        part.code,
        rivals=part.rivals,
        ratio_above=1 / PLY_BOOST,
        head_above=PLY_HEAD,
        top_below=PLY_TOP,
        spikiness_above=PLY_SPIKINESS,
        is_direct_replaced=True,
        is_on=True,
        origin="published",
        reason=f"{part.words}; they were not fitted to these data",
    )


def _plasma(part: _Part, taxonomy: Taxonomy, features: np.ndarray, targets: np.ndarray) -> Rule:
    rivals = tuple(code for code in part.rivals if code in taxonomy.codes)
    missing = taxonomy.lacks([part.code]) or ([] if rivals else list(part.rivals))
    if missing:
        return Rule(part.code, origin="published", reason=_lacks(taxonomy, missing))
    plasma = features[targets == taxonomy.codes.index(part.code)]
    used = columns(sorted({*BOX_FEATURES, *DISTANCE_FEATURES}))
    plasma = plasma[np.isfinite(plasma[:, used]).all(axis=1)]
    if len(plasma) < MIN_PLASMA_CELLS:
        return Rule(
            part.code,
            origin="published",
            reason=f"not estimable: {len(plasma)} measurable {part.code} cells, the unpublished "
            f"mean and covariance need {MIN_PLASMA_CELLS}; direct {part.code} calls are kept",
        )
    from scipy.stats import chi2

    rows = plasma[:, columns(DISTANCE_FEATURES)]
    try:
        statistics = ClassStatistics.fit(rows, np.zeros(len(rows), dtype=np.int64), 1)
    except NotEstimableError as error:
        return Rule(part.code, origin="published", reason=f"not estimable: {error}")
    low, high = np.percentile(plasma[:, columns(BOX_FEATURES)], BOX_PERCENTILES, axis=0)
    return Rule(
        part.code,
        rivals=rivals,
        ratio_above=1 / PC_BOOST,
        head_above=PC_HEAD,
        distance_below=float(chi2.ppf(DISTANCE_QUANTILE, len(statistics.factors[0]))),
        distance_features=DISTANCE_FEATURES,
        statistics=statistics,
        box=tuple(zip(BOX_FEATURES, low.tolist(), high.tolist(), strict=True)),
        is_direct_replaced=True,
        is_on=True,
        origin="published",
        reason=f"{part.words}; the unpublished mean, covariance, box and threshold are "
        f"refitted on {len(plasma)} training cells, for all rivals together",
    )


def _lacks(taxonomy: Taxonomy, missing: Sequence[str]) -> str:
    return f"not estimable: taxonomy {taxonomy.name!r} lacks {', '.join(missing)}"
