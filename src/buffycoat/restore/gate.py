"""Whether a restored image may replace the original: only if it is cleaner and the same cell.

The limits are quantiles over clean cells that were degraded and restored, so that the truth is
known. Whatever cannot be judged keeps the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from buffycoat.restore.change import GateNumbers, Masks, known_good, measure_change

__all__ = [
    "GateLimits",
    "GateNumbers",
    "Masks",
    "decide",
    "fit_gate",
    "known_good",
    "measure_change",
]

MIN_PAIRS = 20
"""Good pairs under which a quantile means nothing and every original stands."""
TAIL_SHARE = 0.05
"""Share of the good pairs that each limit may turn away."""
MIN_QUALITY = 0.3
"""Mask quality under which no limit falls: such masks do not tell one cell from another."""
TRUSTED_QUALITY = 0.5
"""Mask quality that is enough, however much better the good pairs are: most masks reach 1.0."""


@dataclass(frozen=True)
class GateLimits:
    """Limits that a restored image must keep to.

    Attributes:
        min_gain: Least fall in estimated severity.
        min_quality_before: Least mask quality of the original.
        min_quality_after: Least mask quality of the restored image.
        max_nucleus_change: Largest change of the nucleus area, as a share.
        max_cell_change: Largest change of the cell area, as a share.
        min_nucleus_overlap: Least overlap of the two nuclei.
        max_stain_shift: Largest shift of the nucleus's colour, in optical density.
        n_pairs: Good pairs that the limits were fitted on; under `MIN_PAIRS` nothing passes.
    """

    min_gain: float
    min_quality_before: float
    min_quality_after: float
    max_nucleus_change: float
    max_cell_change: float
    min_nucleus_overlap: float
    max_stain_shift: float
    n_pairs: int

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return asdict(self)

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> GateLimits:
        """The limits that were stored."""
        return cls(**table)


def fit_gate(numbers: GateNumbers, is_good: np.ndarray | None = None) -> GateLimits:
    """Limits that let almost all right restorations through.

    Args:
        numbers: Of clean cells that were degraded, then restored.
        is_good: Shape (n,), bool, from `known_good`; None if all pairs are known to be right.

    Returns:
        The limits; with fewer than `MIN_PAIRS` usable pairs they let nothing through.
    """
    table = {name: values.copy() for name, values in vars(numbers).items()}
    usable = np.full(len(numbers.severity_before), True) if is_good is None else is_good.copy()
    for values in table.values():
        usable &= np.isfinite(values)
    usable &= np.minimum(table["quality_before"], table["quality_after"]) >= MIN_QUALITY
    n_pairs = int(usable.sum())
    if n_pairs < MIN_PAIRS:
        return GateLimits(0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, n_pairs)

    def low(values: np.ndarray) -> float:
        return float(np.quantile(values[usable], TAIL_SHARE))

    def high(values: np.ndarray) -> float:
        return float(np.quantile(values[usable], 1 - TAIL_SHARE))

    return GateLimits(
        min_gain=max(low(table["severity_before"] - table["severity_after"]), 0.0),
        min_quality_before=min(low(table["quality_before"]), TRUSTED_QUALITY),
        min_quality_after=min(low(table["quality_after"]), TRUSTED_QUALITY),
        max_nucleus_change=high(table["nucleus_change"]),
        max_cell_change=high(table["cell_change"]),
        min_nucleus_overlap=low(table["nucleus_overlap"]),
        max_stain_shift=high(table["stain_shift"]),
        n_pairs=n_pairs,
    )


def decide(
    numbers: GateNumbers, limits: GateLimits | None, restore_above: float = 0.5
) -> tuple[np.ndarray, list[str]]:
    """Accept the restored image, or keep the original, and say why.

    Args:
        numbers: From `measure_change`.
        limits: From `fit_gate`; None switches the gate off, so that all degraded cells pass.
        restore_above: Estimated severity from which a cell counts as degraded, as in the settings.

    Returns:
        Accepted, shape (n,), bool, and for each cell the reason in words and numbers.
    """
    verdicts = []
    for row in range(len(numbers.severity_before)):
        cell = {name: float(values[row]) for name, values in vars(numbers).items()}
        verdicts.append(_judge(cell, limits, restore_above))
    accepted = np.array([is_accepted for is_accepted, _ in verdicts], dtype=bool)
    return accepted, [reason for _, reason in verdicts]


def _judge(
    cell: Mapping[str, float], limits: GateLimits | None, restore_above: float
) -> tuple[bool, str]:
    before, after = cell["severity_before"], cell["severity_after"]
    if not np.isfinite(before):
        return False, "severity could not be estimated: not touched"
    if before < restore_above:
        return False, f"pristine (severity {before:.1f} < {restore_above:.1f}): not touched"
    if limits is None:
        return True, f"restored without a gate (severity {before:.1f} >= {restore_above:.1f})"
    fault = _fault(cell, limits)
    if fault is not None:
        return False, f"original kept: {fault}"
    return True, (
        f"restored: severity {before:.1f} to {after:.1f}, nucleus area changed by "
        f"{_percent(cell['nucleus_change'])} <= {_percent(limits.max_nucleus_change)}"
    )


def _fault(cell: Mapping[str, float], limits: GateLimits) -> str | None:
    """The first limit that the cell breaks; a number that is not one breaks its limit."""
    if limits.n_pairs < MIN_PAIRS:
        return f"the gate's limits are not estimable from {limits.n_pairs} pairs (< {MIN_PAIRS})"
    gain = cell["severity_before"] - cell["severity_after"]
    if not (gain > 0 and gain >= limits.min_gain):
        change = f"severity {cell['severity_before']:.1f} to {cell['severity_after']:.1f}"
        return f"not clearly cleaner ({change}, needs a fall of {limits.min_gain:.2f})"
    for name, limit, text in (
        ("quality_before", limits.min_quality_before, "mask of the original unreliable: quality"),
        ("quality_after", limits.min_quality_after, "mask after restoration unreliable: quality"),
        ("nucleus_overlap", limits.min_nucleus_overlap, "nucleus moved: overlap"),
    ):
        if not cell[name] >= limit:
            return f"{text} {cell[name]:.2f} < {limit:.2f}"
    for name, limit, text in (
        ("nucleus_change", limits.max_nucleus_change, "nucleus area changed by"),
        ("cell_change", limits.max_cell_change, "cell area changed by"),
    ):
        if not cell[name] <= limit:
            return f"{text} {_percent(cell[name])} > {_percent(limit)}"
    if not cell["stain_shift"] <= limits.max_stain_shift:
        shift = f"{cell['stain_shift']:.2f} > {limits.max_stain_shift:.2f}"
        return f"stain of the nucleus shifted by {shift} (optical density)"
    return None


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
