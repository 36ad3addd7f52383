"""Members' scores as one: a weighted geometric mean whose every member has earned its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate.metrics import class_weighted_macro_f1
from buffycoat.evaluate.paired import paired_interval
from buffycoat.fuse.calibrate import FLOOR, balanced_weights, fit_temperature, log_softmax, nll
from buffycoat.optional import choose

SHARES = np.linspace(0.0, 0.9, 19)
"""Shares of a new member that are tried. Never all: the base stays."""
LOWER_BOUND = -0.002
"""Least acceptable lower end of the paired interval of the gain in balanced macro-F1."""
N_RESAMPLES = 500
MIN_ROWS = 40
"""Rows under which no gain is looked for: twenty cells, each as it is and once degraded. Of fewer,
one cell is more than 5 %, and a bootstrap draws the same few tables again and again."""


@dataclass(frozen=True)
class StackRow:
    """What became of one member.

    Attributes:
        member: Its name.
        is_kept: Whether it is in the stack.
        weight: Its exponent in the geometric mean.
        gain: Cross-fitted gain in balanced macro-F1 over the stack before it; None for the base.
        low: Lower end of the paired interval of the gain; None for the base, and where no group
            of rows differs.
        high: Upper end.
        reason: Why it is in or out, in words.
        share: What the fit gave it, kept or not; 0 for the base.
    """

    member: str
    is_kept: bool
    weight: float
    gain: float | None
    low: float | None
    high: float | None
    reason: str
    share: float = 0.0


@dataclass(frozen=True)
class Stack:
    """A fitted stack.

    Attributes:
        weights: Member -> exponent; members that were left out have 0.
        temperature: Divides the weighted sum of logs; 1 for the base alone.
        rows: How it came about, one row a member.
    """

    weights: dict[str, float]
    temperature: float
    rows: tuple[StackRow, ...]

    def apply(self, members: Mapping[str, np.ndarray]) -> np.ndarray:
        """One score from all.

        Args:
            members: Name -> log-probabilities of shape (n, k), uniform prior, calibrated; those
                of weight 0 may be missing.

        Returns:
            Probabilities, shape (n, k), rows sum to 1.

        Raises:
            ConfigError: A member with a weight is missing.
            ShapeError: Members have different shapes.
        """
        used = {name: weight for name, weight in self.weights.items() if weight > 0}
        logs = {name: choose(members, name, "member of the stack") for name in used}
        _check(logs)
        total = sum(used[name] * np.asarray(logs[name], dtype=np.float64) for name in used)
        return np.exp(log_softmax(np.asarray(total) / self.temperature))

    def with_member(self, name: str, members: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the members up to one would say, with it in the stack even if it was left out.

        Args:
            name: The member.
            members: As for `apply`.

        Returns:
            Probabilities, shape (n, k): of the members that were offered no later, in their
            shares; one that was left out is mixed in with the share that the fit gave it.
        """
        stack = self._up_to(name)
        if self.weights.get(name, 0.0) > 0:
            return stack.apply(members)
        share = next((row.share for row in self.rows if row.member == name), 0.0)
        current = log_softmax(np.log(np.maximum(stack.apply(members), FLOOR)))
        return np.exp(log_softmax((1 - share) * current + share * np.asarray(members[name])))

    def _up_to(self, name: str) -> Stack:
        """The stack as it was before any member that was offered after this one."""
        offered = [row.member for row in self.rows]
        later = self.rows[offered.index(name) + 1 :] if name in offered else ()
        shares = [row.share for row in later if row.is_kept]
        if not shares:
            return self
        # `fit_stack` took the temperature into the weights when it mixed the next member in.
        left = float(np.prod([1 - share for share in shares]))
        names = {row.member for row in later}
        weights = {of: w / left for of, w in self.weights.items() if of not in names}
        return Stack(weights, 1.0, self.rows[: -len(later)])

    def table(self) -> list[dict[str, Any]]:
        """One row a member, as plain values."""
        return [asdict(row) for row in self.rows]

    def to_dict(self) -> dict[str, Any]:
        """The stack as plain values."""
        return {"weights": self.weights, "temperature": self.temperature, "rows": self.table()}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Stack:
        """The stack that `to_dict` wrote."""
        rows = tuple(StackRow(**row) for row in table["rows"])
        return cls(dict(table["weights"]), float(table["temperature"]), rows)


def base_only(base: str = "ensemble") -> Stack:
    """A stack of one member, for runs that do not stack."""
    row = StackRow(base, True, 1.0, None, None, None, "the base")
    return Stack({base: 1.0}, 1.0, (row,))


def fit_stack(
    members: Mapping[str, np.ndarray],
    targets: np.ndarray,
    folds: np.ndarray,
    base: str = "ensemble",
    seed: int = 0,
    groups: np.ndarray | None = None,
) -> Stack:
    """Let members in, one after the other, where held-out cells say that they help.

    For each fold, the new member's share and the temperature are fitted on the other folds and
    tried on it; rows weigh 1/n of their class throughout. A member stays if the cross-fitted
    balanced macro-F1 rises and the paired interval of the rise does not fall below
    `LOWER_BOUND`. Those that stay get the share fitted on all rows.

    Args:
        members: Name -> out-of-fold log-probabilities, shape (n, k), uniform prior, calibrated.
        targets: Shape (n,).
        folds: Shape (n,), fold of each row. With a single fold nothing can be tried, and the
            base stays alone, and so it does on fewer than `MIN_ROWS`.
        base: The member that is always in.
        seed: Of the bootstrap.
        groups: Shape (n,): rows that are no independent observations (views of one cell, cells
            of one patient) share a group. None if all are.

    Returns:
        The stack and its table.

    Raises:
        ConfigError: No member of that name.
        ShapeError: Shapes do not match.
    """
    current = np.asarray(choose(members, base, "member of the stack"), dtype=np.float64)
    _check(members, targets, folds)
    held_out_current = current
    weights, temperature = {base: 1.0}, 1.0
    rows = list(base_only(base).rows)
    for name in members:
        if name == base:
            continue
        new = np.asarray(members[name], dtype=np.float64)
        if len(np.unique(folds)) < 2 or len(targets) < MIN_ROWS:
            reason = (
                "left out: one fold only, so nothing to try it on"
                if len(targets) >= MIN_ROWS
                else f"left out: its gain is not estimable on {len(targets)} rows (< {MIN_ROWS})"
            )
            rows.append(StackRow(name, False, 0.0, None, None, None, reason))
            weights[name] = 0.0
            continue
        held_out = _cross_fitted(held_out_current, new, targets, folds)
        row = _trial(name, held_out_current, held_out, targets, groups, seed)
        share, fitted_temperature = fit_share(current, new, targets)
        if row.is_kept and share == 0:
            row = StackRow(
                name, False, 0.0, row.gain, row.low, row.high, "left out: no share on all rows"
            )
        if row.is_kept:
            # What is mixed in later divides all that came before, the temperature included.
            scale = (1 - share) / temperature
            weights = {member: weight * scale for member, weight in weights.items()}
            current = log_softmax(((1 - share) * current + share * new) / fitted_temperature)
            held_out_current, temperature = held_out, fitted_temperature
        weights[name] = share if row.is_kept else 0.0
        rows.append(replace(row, share=share))
    final = tuple(StackRow(**{**asdict(row), "weight": weights[row.member]}) for row in rows)
    return Stack(weights, temperature, final)


def fit_share(current: np.ndarray, new: np.ndarray, targets: np.ndarray) -> tuple[float, float]:
    """Share of the new member and temperature of the mix, by balanced log-likelihood."""
    if not len(targets):
        return 0.0, 1.0
    row_weights = balanced_weights(targets)
    best = (nll(current, targets, row_weights), 0.0, 1.0)
    for share in SHARES[1:]:
        mix = (1 - share) * current + share * new
        temperature = fit_temperature(mix, targets, row_weights)
        loss = nll(log_softmax(mix / temperature), targets, row_weights)
        best = min(best, (loss, float(share), temperature))
    return best[1], best[2]


def _cross_fitted(
    current: np.ndarray, new: np.ndarray, targets: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """The mix of each fold's rows, fitted on the other folds; log-probabilities (n, k)."""
    mixed = np.empty_like(current)
    for fold in np.unique(folds):
        inside = folds == fold
        share, temperature = fit_share(current[~inside], new[~inside], targets[~inside])
        mix = (1 - share) * current[inside] + share * new[inside]
        mixed[inside] = log_softmax(mix / temperature)
    return mixed


def _trial(
    name: str,
    before: np.ndarray,
    after: np.ndarray,
    targets: np.ndarray,
    groups: np.ndarray | None,
    seed: int,
) -> StackRow:
    interval = paired_interval(
        targets,
        before.argmax(axis=1),
        after.argmax(axis=1),
        class_weighted_macro_f1,
        groups,
        k=before.shape[1],
        n_resamples=N_RESAMPLES,
        seed=seed,
    )
    gain, span = interval.estimate, interval.in_words("+.4f")
    if gain <= 0:
        reason = f"left out: cross-fitted balanced macro-F1 does not rise, {span}"
    elif not interval.is_from(LOWER_BOUND):
        reason = f"left out: the gain may be a loss, {span}, lower end under {LOWER_BOUND}"
    else:
        reason = f"kept: cross-fitted balanced macro-F1 rises, {span}"
    is_kept = gain > 0 and interval.is_from(LOWER_BOUND)
    return StackRow(name, is_kept, 0.0, gain, interval.low, interval.high, reason)


def _check(members: Mapping[str, np.ndarray], *per_row: np.ndarray) -> None:
    shapes = {name: np.shape(scores) for name, scores in members.items()}
    lengths = {len(values) for values in per_row} | {shape[0] for shape in shapes.values()}
    if len(set(shapes.values())) > 1 or len(lengths) > 1:
        raise ShapeError(
            f"expected members of one shape (n, k) and n targets and folds, got {shapes} and "
            f"{[len(values) for values in per_row]}"
        )
