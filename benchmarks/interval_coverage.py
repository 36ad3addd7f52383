"""How often does the interval of the prior-weighted macro-F1 hold the true score?

    python -m benchmarks.interval_coverage --simulations 400

A classifier is set, with every probability of a confusion known, so that its score on a stream with
the training prior is known too. Splits of 20 to 400 cells a class are drawn from it; each gives an
interval, by the posterior that the package uses (Jeffreys: 1/2 a field of the confusion), by one
with less prior (1/k a field, so 1 a row), by the bootstrap, and from the lower end of the second to
the upper end of the third. No real cells are used. "bias" is the middle of the interval less the
truth.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from buffycoat.evaluate.bootstrap import resample
from buffycoat.evaluate.interval import Interval
from buffycoat.evaluate.metrics import macro_f1, prior_weighted_macro_f1
from buffycoat.evaluate.posterior import prior_weighted_interval

TRAIN_COUNTS = np.array([946, 600, 230, 160, 70, 40, 36, 32, 14, 10])
"""PBC-LT's: ten classes, 95:1."""
K = len(TRAIN_COUNTS)
SUPPORTS = (20, 80, 400)
SENSITIVITY = np.linspace(0.95, 0.7, K)
"""Frequent classes are found more often than rare ones."""


def to_neighbours(_: np.random.Generator | None = None) -> np.ndarray:
    """Errors go to the two next classes only: most fields of the confusion are truly 0."""
    return _with_errors(np.eye(K, k=1) + np.eye(K, k=-1))


def by_frequency(_: np.random.Generator | None = None) -> np.ndarray:
    """Errors go to the other classes by their training share, as without logit adjustment."""
    return _with_errors(np.tile(TRAIN_COUNTS / TRAIN_COUNTS.sum(), (K, 1)))


def everywhere(_: np.random.Generator | None = None) -> np.ndarray:
    """Errors go to every other class alike."""
    return _with_errors(np.ones((K, K)))


def rarely_rare(_: np.random.Generator | None = None) -> np.ndarray:
    """Mostly to the neighbours, and one error in twenty anywhere, so a rare class gets few."""
    return 0.95 * to_neighbours() + 0.05 * everywhere()


def from_prior(rng: np.random.Generator) -> np.ndarray:
    """Another bad classifier each time, drawn from Jeffreys' prior: its posterior must be right."""
    return rng.dirichlet(np.full(K, 0.5), K)


CLASSIFIERS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    "neighbours": to_neighbours,
    "neighbours, 5 % anywhere": rarely_rare,
    "by training share": by_frequency,
    "everywhere": everywhere,
    "drawn from the prior": from_prior,
}
"""Where errors go -> maker of rows of probabilities, shape (K, K)."""


def by_bootstrap(confusion: np.ndarray, seed: int) -> Interval:
    """Percentile interval, cells resampled within each class."""
    truth, calls = (np.repeat(part.ravel(), confusion.ravel()) for part in np.indices((K, K)))
    drawn = resample(truth, calls, K, n_resamples=1000, seed=seed)
    return drawn.interval(lambda c: prior_weighted_macro_f1(c, TRAIN_COUNTS))


def by_posterior(pseudo_count: float) -> Callable[[np.ndarray, int], Interval]:
    """The package's interval with so many prior cells a field."""
    return lambda confusion, seed: prior_weighted_interval(
        confusion, TRAIN_COUNTS, n_draws=1000, seed=seed, pseudo_count=pseudo_count
    )


def by_both(confusion: np.ndarray, seed: int) -> Interval:
    """From the lower end of the posterior with 1/k to the upper end of the bootstrap."""
    low = by_posterior(1 / K)(confusion, seed).low
    found = by_bootstrap(confusion, seed)
    return replace(found, low=min(low, found.low))


METHODS = {
    "Jeffreys, 1/2": by_posterior(0.5),
    "1/k": by_posterior(1 / K),
    "bootstrap": by_bootstrap,
    "1/k to bootstrap": by_both,
}
"""Name -> maker of an interval from a confusion and a seed."""


@dataclass(frozen=True)
class Coverage:
    """How intervals of one method did.

    Attributes:
        truth: Mean true score.
        held: Share of them that hold the truth.
        too_low: Share that end below it.
        width: Their mean width.
        bias: Mean of their middles less the truth.
    """

    truth: float
    held: float
    too_low: float
    width: float
    bias: float


def true_score(rows: np.ndarray) -> float:
    """Prior-weighted macro-F1 of a classifier whose probabilities are known."""
    shares = TRAIN_COUNTS / TRAIN_COUNTS.sum()
    return float(macro_f1(rows * shares[:, None]))


def cover(
    make: Callable[[np.random.Generator], np.ndarray],
    support: int,
    method: Callable[[np.ndarray, int], Interval],
    n_simulations: int,
    seed: int = 0,
) -> Coverage:
    """Draw splits with `support` cells a class, and see how often the interval holds the truth."""
    rng = np.random.default_rng(seed)
    ends, truth = np.empty((2, n_simulations)), np.empty(n_simulations)
    for number in range(n_simulations):
        rows = make(rng)
        truth[number] = true_score(rows)
        found = method(rng.multinomial(support, rows), number)
        ends[:, number] = found.low, found.high
    low, high = ends
    return Coverage(
        float(truth.mean()),
        float(((low <= truth) & (truth <= high)).mean()),
        float((high < truth).mean()),
        float((high - low).mean()),
        float(((low + high) / 2 - truth).mean()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--simulations", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    n = options.simulations
    print(f"95 % intervals, {n} simulations a row; a share of 0.95 is known to within "
          f"{1.96 * np.sqrt(0.95 * 0.05 / n):.3f}.\n")  # fmt: skip
    print(
        "| errors go to | true score | cells a class | interval | holds | too low | width | bias |"
    )
    print("|-|-|-|-|-|-|-|-|")
    for name, make in CLASSIFIERS.items():
        for support in SUPPORTS:
            for method, interval in METHODS.items():
                of = cover(make, support, interval, n, options.seed)
                figures = (f"{of.truth:.3f}", str(support), method, f"{of.held:.3f}")
                figures += (f"{of.too_low:.3f}", f"{of.width:.3f}", f"{of.bias:+.3f}")
                print(f"| {name} | " + " | ".join(figures) + " |", flush=True)


def _with_errors(weights: np.ndarray) -> np.ndarray:
    """Rows of `SENSITIVITY` on the diagonal, the errors shared out by weight."""
    off = weights * (1 - np.eye(K))
    errors = off / off.sum(axis=1, keepdims=True) * (1 - SENSITIVITY)[:, None]
    return errors + np.diag(SENSITIVITY)


if __name__ == "__main__":
    main()
