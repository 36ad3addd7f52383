"""What mix of cells lies behind the calls of a classifier that errs.

If a share `mix[i]` of the cells is of class i and `rows[i, j]` of those are called j, then
`mix @ rows` is called j. The estimate turns this round (Rogan and Gladen 1978,
doi 10.1093/oxfordjournals.aje.a112510, for two classes; here k, and never a share below 0), and
its limits carry both that few cells were counted and that few cells say how the classifier errs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from buffycoat.errors import ShapeError
from buffycoat.evaluate.class_table import MIN_SUPPORT
from buffycoat.evaluate.draws import Seed

Array = np.ndarray[Any, Any]

MAX_STEPS, TOLERANCE = 5000, 1e-7


def is_known(confusion: Array) -> Array:
    """Classes of which enough cells say how they are called, shape (k,), bool."""
    return confusion.sum(axis=1) >= MIN_SUPPORT


def call_rates(confusion: Array) -> Array:
    """How often each class is called each class: the posterior mean of `draw_call_rates`.

    Args:
        confusion: Shape (k, k), counts on labelled cells, rows the truth.

    Returns:
        Shape (k, k), rows sum to 1. A class that is not `is_known` is taken as always called right.
    """
    rates = _prior(confusion)
    return _or_right(rates / rates.sum(axis=1, keepdims=True), confusion)


def draw_call_rates(confusion: Array, n_draws: int, seed: Seed) -> Array:
    """Draws from the Dirichlet posterior of each row, shape (n_draws, k, k).

    The prior is 1/k a field (Perks 1947), one cell a row. Jeffreys' 1/2 a field would add k/2
    cells to each row, nearly all of them errors that were never seen;
    `benchmarks/interval_coverage.py` measures what that does to a score, and
    `benchmarks/differential.py` how often limits with this prior cover the true share.
    """
    rng = np.random.default_rng(seed)
    gammas = rng.standard_gamma(_prior(confusion), size=(n_draws, *confusion.shape))
    return _or_right(gammas / gammas.sum(axis=-1, keepdims=True), confusion)


def estimate_mix(counts: Array, rates: Array) -> Array:
    """The most likely mix behind counts of calls, by expectation maximisation on the simplex.

    Each group goes on until it stands still by itself, so that none depends on the others.

    Args:
        counts: Shape (..., k), cells called each class.
        rates: Shape (k, k), from `call_rates`; no column without a positive rate.

    Returns:
        Shape (..., k), sums to 1; NaN where no cell was counted.
    """
    table = np.asarray(counts, dtype=float)
    k = table.shape[-1]
    mix = np.full((table.size // k, k), np.nan)
    flat = table.reshape(-1, k)
    moving = np.flatnonzero(flat.sum(axis=1) > 0)
    mix[moving] = 1 / k
    for _ in range(MAX_STEPS):
        called = flat[moving] / flat[moving].sum(axis=1, keepdims=True)
        old = mix[moving]
        ratio = np.divide(called, old @ rates, out=np.zeros_like(called), where=called > 0)
        mix[moving] = old * (ratio @ rates.T)
        moving = moving[np.abs(mix[moving] - old).max(axis=1) >= TOLERANCE]
        if not len(moving):
            break
    return mix.reshape(table.shape)


def share_limits(
    counts: Array, drawn: Array, parts: Array, whole: Array, seed: Seed, level: float = 0.95
) -> tuple[Array, Array]:
    """Limits of the true shares of some classes in some others.

    Each draw takes one set of call rates and one set of called shares, and solves for the mix. The
    called shares are drawn as Clopper and Pearson's limits imply: for an upper limit one more cell
    is called the part, for a lower one one more is called the rest. So with a classifier that
    never errs the limits are theirs.

    Args:
        counts: Shape (k,), cells called each class.
        drawn: Shape (n_draws, k, k), from `draw_call_rates`.
        parts: Shape (m, k), bool: the classes of which a share is wanted.
        whole: Shape (k,), bool: the classes that make up 100 %. A part may lie outside, and is
            then stated as a ratio to the whole.
        seed: Seed or generator of the draws.
        level: Probability mass between the limits.

    Returns:
        Lower and upper limit, shape (m,) each, >= 0; a part of the whole is at most 1, a ratio
        may be infinite.

    Raises:
        ShapeError: `counts` has not k fields.
    """
    n_draws, k, _ = drawn.shape
    if np.shape(counts) != (k,):
        raise ShapeError(f"counts: expected shape ({k},), got {np.shape(counts)}")
    rng = np.random.default_rng(seed)
    called = rng.standard_gamma(np.broadcast_to(np.asarray(counts, float), (n_draws, k)))
    one_more = rng.standard_exponential((n_draws, 1))
    to_mix = np.linalg.inv(drawn)  # a row of calls times this is a mix
    mix = called[:, None, :] @ to_mix
    ends = []
    for gains in (whole & ~parts, parts):
        moved = mix + _spread(called, gains) @ to_mix * one_more[:, :, None]
        part, base = (moved * parts).sum(axis=2), moved @ whole.astype(float)
        ends.append(_ratio(part, base))
    tail = (1 - level) / 2
    low = np.quantile(ends[0], tail, axis=0, method="lower")
    high = np.quantile(ends[1], 1 - tail, axis=0, method="higher")
    top = np.where((parts & ~whole).any(axis=1), np.inf, 1.0)
    return np.clip(low, 0, top), np.clip(high, 0, top)


def _prior(confusion: Array) -> Array:
    return np.asarray(confusion, dtype=float) + 1 / confusion.shape[-1]


def _or_right(rates: Array, confusion: Array) -> Array:
    return np.where(is_known(confusion)[:, None], rates, np.eye(confusion.shape[-1]))


def _spread(called: Array, classes: Array) -> Array:
    """One call shared out over classes as the other calls are, shape (n_draws, m, k)."""
    weights = called[:, None, :] * classes
    total = weights.sum(axis=2, keepdims=True)
    evenly = classes / np.maximum(classes.sum(axis=1, keepdims=True), 1)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), evenly)


def _ratio(part: Array, base: Array) -> Array:
    """Part over base; where the draw leaves nothing of the base, the share has no upper limit."""
    positive = np.maximum(part, 0)
    at_zero = np.where(positive > 0, np.inf, 0.0)
    return np.divide(positive, base, out=at_zero, where=base > 0)
