"""What cells not seen may do to a score: a posterior for rare classes."""

from __future__ import annotations

import numpy as np

from buffycoat.evaluate.draws import Seed, percentile_ends
from buffycoat.evaluate.interval import IMAGE_LEVEL, Array, Interval
from buffycoat.evaluate.metrics import macro_f1, prior_shares, prior_weighted_macro_f1


def prior_weighted_interval(
    confusion: Array,
    train_counts: Array,
    *,
    n_draws: int = 4000,
    seed: Seed = 0,
    level: float = 0.95,
    pseudo_count: float = 0.5,
) -> Interval:
    """Credible interval of the prior-weighted macro-F1.

    Each row of the confusion is a multinomial with a Jeffreys prior, so its posterior is
    Dirichlet(counts + 1/2). A bootstrap would never draw the confusion that was not seen, yet
    one frequent cell called rare is worth dozens of rare ones. The half counts do the same: the
    interval lies low, and may lie wholly under the estimate, when a rare class's precision rests
    on never having seen an error. It holds the truth as often as it says only if errors are as
    common and as spread as the prior takes them: of a good classifier with k = 10 and 80 cells a
    class it lies below the truth nearly always (`benchmarks/interval_coverage.py`).

    Args:
        confusion: Shape (k, k), counts, rows the truth.
        train_counts: Shape (k,), training cells of each class.
        n_draws: Draws from the posterior.
        seed: Seed or generator.
        level: Probability mass of the interval.
        pseudo_count: Prior cells in each field of the confusion; 1/2 is Jeffreys'.

    Returns:
        Always image-level: the rows' cells are taken as independent.
    """
    shares = prior_shares(train_counts, confusion)
    shares = np.where(confusion.sum(axis=1) > 0, shares, 0.0)
    gammas = np.random.default_rng(seed).standard_gamma(
        confusion + pseudo_count, size=(n_draws, *confusion.shape)
    )
    rows = gammas / gammas.sum(axis=-1, keepdims=True)
    prior = "Jeffreys" if pseudo_count == 0.5 else f"{pseudo_count:g}"
    low, high = percentile_ends(macro_f1(rows * shares[:, None], over="truth"), level)
    return Interval(
        float(prior_weighted_macro_f1(confusion, train_counts)),
        low,
        high,
        level,
        IMAGE_LEVEL,
        int(confusion.sum()),
        None,
        f"{prior}-Dirichlet posterior of each confusion row, {n_draws} draws",
    )
