"""Whether a restored image may replace the original: only if it is cleaner and the same cell.

The limits are quantiles over clean cells that were degraded and restored, so that the truth is
known, one set for each step of severity: a heavy restoration changes more than a light one. Two
ask whether there was anything to undo: the change must exceed the restorer's own error, and the
background may be recoloured only where a fault of light was found (ADR 15). Whatever cannot be
measured keeps the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from buffycoat.restore.change import GateNumbers, Look, Masks, known_good, measure_change
from buffycoat.statistics import apart

__all__ = [
    "GateLimits",
    "GateNumbers",
    "Look",
    "Masks",
    "accept",
    "broken",
    "fit_gate",
    "known_good",
    "measure_change",
    "untouched",
]

STEPS = 4
"""Limits are fitted for severities 0-1, 1-2, 2-3 and 3-4."""
MIN_PAIRS = 20
"""Good pairs under which a quantile means nothing and every original stands."""
PAIRS_A_STEP = 40
"""Good pairs under which a step of severity borrows those of its neighbours."""
REFUSED_SHARE = 0.1
"""Share of the good pairs of a step that all limits together may turn away."""
WIDEST_TAIL = 0.1
MIN_QUALITY = 0.3
"""Mask quality under which no limit falls: such masks do not tell one cell from another."""
MIN_OVERLAP = 0.7
"""Overlap of the two nuclei under which no limit falls: one of the masks is wrong, however right
the restored image is."""
TRUSTED_QUALITY = 0.5
"""Mask quality that is enough, however much better the good pairs are: most masks reach 1.0."""
OWN_ERROR_QUANTILE = 0.95
"""Of clean cells, restored: that share changes by no more than the restorer's own error."""
OWN_ERROR = 6.0
"""The same in gray levels, where too few clean cells tell and for bundles that do not say: the
starter's restorer on PBC-LT's 308 pristine training cells (ADR 15)."""

LOWEST = {
    "severity_gain": "not clearly cleaner: severity fell by {value} < {limit}",
    "change_size": "too little to undo: change no larger than the restorer's own error: "
    "{value} < {limit} gray levels",
    "quality_before": "mask of the original unreliable: quality {value} < {limit}",
    "quality_after": "mask after restoration unreliable: quality {value} < {limit}",
    "nucleus_overlap": "nucleus moved: overlap {value} < {limit}",
    "granule_change": "cytoplasm smoothed: granule contrast times e^{value} < e^{limit}",
    "granule_match": "other granules: match with the original {value} < {limit}",
}
"""Number -> what is said where it falls under its limit, in the order in which they are told."""
HIGHEST = {
    "unfounded_light": "background recoloured, though no fault of light was found: {value} > "
    "{limit} gray levels",
    "nucleus_change": "nucleus area changed by {value}% > {limit}%",
    "ratio_change": "N:C ratio changed by {value}% > {limit}%",
    "hue_shift": "hue shifted by {value} > {limit} degrees",
    "granule_change": "granules added: contrast times e^{value} > e^{limit}",
    "granule_match": "granules lost: match with the original {value} > {limit}",
    "local_change": "something added or erased: local change {value} > {limit} times usual",
    "embedding_change": "looks like another cell: embedding moved by {value} > {limit}",
}
"""The same where it rises over its limit."""
_ONE_DECIMAL = ("change_size", "unfounded_light", "hue_shift", "local_change")
_PERCENT = ("nucleus_change", "ratio_change")
"""Numbers that are told in percent, without decimals; those in neither list have two."""
OF_THE_FAULT = ("change_size", "unfounded_light")
"""Numbers that ask whether there was anything to undo, not whether it is the same cell: right
restorations of small faults do not widen their limits."""


@dataclass(frozen=True)
class GateLimits:
    """Limits that a restored image must keep to.

    Attributes:
        lowest: Number of `LOWEST` -> least value for each step of severity.
        highest: Number of `HIGHEST` -> largest value for each step of severity.
        pairs: Good pairs that each step was fitted on; under `MIN_PAIRS` nothing passes.
    """

    lowest: Mapping[str, tuple[float, ...]]
    highest: Mapping[str, tuple[float, ...]]
    pairs: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `from_dict` reads them."""
        return {
            "lowest": {name: list(values) for name, values in self.lowest.items()},
            "highest": {name: list(values) for name, values in self.highest.items()},
            "pairs": list(self.pairs),
        }

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> GateLimits:
        """The limits that were stored; `OF_THE_FAULT` as they are by default where they lack."""
        steps = len(table["pairs"])
        low, high = ({name: [limit] * steps for name, limit in d.items()} for d in _of_the_fault())
        return cls(
            {name: tuple(values) for name, values in (low | table["lowest"]).items()},
            {name: tuple(values) for name, values in (high | table["highest"]).items()},
            tuple(table["pairs"]),
        )


def fit_gate(
    numbers: GateNumbers,
    is_good: np.ndarray | None = None,
    is_clean: np.ndarray | None = None,
) -> GateLimits:
    """Limits that let nine in ten right restorations of each step of severity through.

    Within a step every number has the same tail: the widest with which all limits together turn
    `REFUSED_SHARE` of the good pairs away.

    Args:
        numbers: Of clean cells that were degraded, then restored.
        is_good: Shape (n,), bool, from `known_good`; None if all pairs are known to be right.
        is_clean: Shape (n,), bool: cells that were not degraded, which show the restorer's own
            error; under `MIN_PAIRS` of them it is taken to be `OWN_ERROR`.

    Returns:
        The limits; a step with fewer than `MIN_PAIRS` usable pairs lets nothing through.
    """
    usable = np.full(len(numbers), True) if is_good is None else np.array(is_good, dtype=bool)
    table = _table(numbers)
    for values in table.values():
        usable &= np.isfinite(values)
    usable &= np.minimum(table["quality_before"], table["quality_after"]) >= MIN_QUALITY
    usable &= table["nucleus_overlap"] >= MIN_OVERLAP
    step = steps_of(numbers.severity_before)
    fitted, pairs = [], []
    for number in range(STEPS):
        rows = _pooled(step, usable, number)
        pairs.append(len(rows))
        part = {name: values[rows] for name, values in table.items()}
        fitted.append(_fit_step(part) if len(rows) >= MIN_PAIRS else _closed())
    least, most = _of_the_fault(
        None if is_clean is None else numbers.change_size[np.asarray(is_clean, dtype=bool)]
    )
    fitted = [(low | least, high | most) for low, high in fitted]
    return GateLimits(
        {name: tuple(low[name] for low, _ in fitted) for name in LOWEST},
        {name: tuple(high[name] for _, high in fitted) for name in HIGHEST},
        tuple(pairs),
    )


def accept(
    numbers: GateNumbers, limits: GateLimits | None, restore_above: float = 0.5
) -> tuple[np.ndarray, list[str]]:
    """Accept the restored image, or keep the original, and say why.

    Args:
        numbers: From `measure_change`.
        limits: From `fit_gate`; None switches the gate off, so that all degraded cells pass.
        restore_above: Estimated severity from which a cell counts as degraded.

    Returns:
        Accepted, shape (n,), bool, and for each cell the reason in words and numbers.
    """
    accepted = numbers.severity_before >= restore_above
    reasons = [untouched(severity, restore_above) for severity in numbers.severity_before]
    faults = None if limits is None else broken(numbers, limits)
    for row in np.flatnonzero(accepted):
        before, after = numbers.severity_before[row], numbers.severity_after[row]
        if limits is None or faults is None:
            reasons[row] = f"restored without a gate (severity {before:.1f} >= {restore_above:.1f})"
            continue
        fault = _first_fault(numbers, limits, faults, int(row))
        accepted[row] = fault is None
        reasons[row] = (
            f"original kept: {fault}"
            if fault is not None
            else f"restored: severity {before:.1f} to {after:.1f}, nucleus area changed by "
            f"{numbers.nucleus_change[row]:.0%}, within all {len(faults)} limits"
        )
    return accepted, reasons


def broken(numbers: GateNumbers, limits: GateLimits) -> dict[tuple[str, str], np.ndarray]:
    """Which limits each cell breaks; a number that is not one breaks its limit.

    Returns:
        (number, "lowest" or "highest") -> shape (n,), bool.
    """
    step = steps_of(numbers.severity_before)
    table = _table(numbers)
    closed = np.array(limits.pairs)[step] < MIN_PAIRS
    found = {}
    for name in LOWEST:
        floor = np.array(limits.lowest[name])[step]
        found[name, "lowest"] = ~(np.isfinite(table[name]) & (table[name] >= floor)) | closed
    for name in HIGHEST:
        ceiling = np.array(limits.highest[name])[step]
        found[name, "highest"] = ~(np.isfinite(table[name]) & (table[name] <= ceiling)) | closed
    found["severity_gain", "lowest"] |= ~(table["severity_gain"] > 0)
    return found


def steps_of(severity: np.ndarray) -> np.ndarray:
    """The step of severity that a cell's limits are taken from, shape (n,), 0 to `STEPS` - 1."""
    known = np.nan_to_num(np.asarray(severity, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(known.astype(np.int64), 0, STEPS - 1)


def untouched(severity: float, restore_above: float) -> str:
    """Why a cell is not even tried."""
    if not np.isfinite(severity):
        return "severity could not be estimated: not touched"
    return "near pristine (severity {} < {}): not touched".format(
        *apart(severity, restore_above, 2)
    )


def _table(numbers: GateNumbers) -> dict[str, np.ndarray]:
    return vars(numbers) | {"severity_gain": numbers.severity_gain}


def _of_the_fault(
    clean_change: np.ndarray | None = None,
) -> tuple[dict[str, float], dict[str, float]]:
    """Lowest and highest limits of `OF_THE_FAULT`.

    The change is the fault that was undone plus the restorer's own error. If the two have nothing
    to do with each other, their squares add up, and the fault was the larger one where the change
    is over sqrt(2) times the error.

    Args:
        clean_change: Size of the change of clean cells, shape (n,).
    """
    error = OWN_ERROR
    if clean_change is not None:
        finite = clean_change[np.isfinite(clean_change)]
        if len(finite) >= MIN_PAIRS:
            error = float(np.quantile(finite, OWN_ERROR_QUANTILE))
    return {"change_size": 2**0.5 * error}, {"unfounded_light": 0.0}


def _pooled(step: np.ndarray, usable: np.ndarray, number: int) -> np.ndarray:
    """Usable rows of a step, and of ever farther neighbours until there are enough."""
    rows = np.flatnonzero(usable & (step == number))
    for reach in range(1, STEPS):
        if len(rows) >= PAIRS_A_STEP:
            break
        rows = np.flatnonzero(usable & (np.abs(step - number) <= reach))
    return rows


def _fit_step(table: Mapping[str, np.ndarray]) -> tuple[dict[str, float], dict[str, float]]:
    """Limits with the widest tail that turns few enough pairs away, by bisection."""
    narrow, wide = 0.0, WIDEST_TAIL
    for _ in range(20):
        tail = (narrow + wide) / 2
        if _refused(table, *_at_tail(table, tail)) <= REFUSED_SHARE:
            narrow = tail
        else:
            wide = tail
    return _at_tail(table, narrow)


def _at_tail(
    table: Mapping[str, np.ndarray], tail: float
) -> tuple[dict[str, float], dict[str, float]]:
    low = {name: float(np.quantile(table[name], tail)) for name in LOWEST if _is_same(name)}
    low["severity_gain"] = max(low["severity_gain"], 0.0)
    for name in ("quality_before", "quality_after"):
        low[name] = min(low[name], TRUSTED_QUALITY)
    return low, {
        name: float(np.quantile(table[name], 1 - tail)) for name in HIGHEST if _is_same(name)
    }


def _is_same(name: str) -> bool:
    return name not in OF_THE_FAULT


def _refused(
    table: Mapping[str, np.ndarray], low: Mapping[str, float], high: Mapping[str, float]
) -> float:
    refused = np.zeros(len(table["severity_before"]), dtype=bool)
    for name, limit in low.items():
        refused |= table[name] < limit
    for name, limit in high.items():
        refused |= table[name] > limit
    return float(refused.mean())


def _closed() -> tuple[dict[str, float], dict[str, float]]:
    return dict.fromkeys(LOWEST, 0.0), dict.fromkeys(HIGHEST, 0.0)


def _first_fault(
    numbers: GateNumbers,
    limits: GateLimits,
    faults: Mapping[tuple[str, str], np.ndarray],
    row: int,
) -> str | None:
    step = int(steps_of(numbers.severity_before[row : row + 1])[0])
    if limits.pairs[step] < MIN_PAIRS:
        return f"no limits are estimable from {limits.pairs[step]} pairs (< {MIN_PAIRS})"
    for (name, side), is_broken in faults.items():
        if is_broken[row]:
            words = LOWEST[name] if side == "lowest" else HIGHEST[name]
            limit = (limits.lowest if side == "lowest" else limits.highest)[name][step]
            return _told(name, words, float(getattr(numbers, name)[row]), limit)
    return None


def _told(name: str, words: str, value: float, limit: float) -> str:
    """What is said of a broken limit, with as many decimals as show that it is broken."""
    scale, digits = (100, 0) if name in _PERCENT else (1, 1 if name in _ONE_DECIMAL else 2)
    shown, most = apart(scale * value, scale * limit, digits)
    return words.format(value=shown, limit=most)
