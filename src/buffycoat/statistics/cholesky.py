"""Cholesky factors of covariances that rounding may have left not quite positive definite."""

from __future__ import annotations

import warnings

import numpy as np

from buffycoat.errors import NotPositiveDefiniteError

JITTERS = (1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4)
"""Tried in turn, relative to the mean of the diagonal; as in GPyTorch's linear_operator."""


class JitterWarning(UserWarning):
    """A covariance had to be made positive definite."""


def cholesky_with_jitter(matrix: np.ndarray) -> np.ndarray:
    """Lower Cholesky factor, with a growing diagonal where it would fail.

    Args:
        matrix: Shape (d, d), symmetric.

    Returns:
        Shape (d, d), lower triangular. A `JitterWarning` names the jitter, if one was needed.

    Raises:
        NotPositiveDefiniteError: Not finite, zero, or not positive definite after the largest
            jitter; the message states it.
    """
    if not np.isfinite(matrix).all():
        raise NotPositiveDefiniteError(
            f"a covariance of shape {matrix.shape} holds "
            f"{int((~np.isfinite(matrix)).sum())} values that are not finite"
        )
    scale = float(np.mean(np.diag(matrix)))
    for relative in (0.0, *JITTERS):
        jitter = relative * scale
        try:
            factor = np.linalg.cholesky(matrix + jitter * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            continue
        if relative:
            warnings.warn(
                f"covariance of shape {matrix.shape} was not positive definite; "
                f"added {jitter:.3g} to its diagonal",
                JitterWarning,
                stacklevel=2,
            )
        return factor
    raise NotPositiveDefiniteError(
        f"covariance of shape {matrix.shape} is not positive definite, even with "
        f"{JITTERS[-1] * scale:.3g} added to its diagonal (mean {scale:.3g}). Drop constant or "
        "duplicate features, or use shrinkage"
    )
