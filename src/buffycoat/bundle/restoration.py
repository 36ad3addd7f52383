"""What restores a cell and decides whether the result may stand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from buffycoat.config import RestoreConfig
from buffycoat.restore.gate import GateLimits
from buffycoat.restore.one_by_one import Restorer
from buffycoat.restore.severity import SeverityEstimator
from buffycoat.segment.masks import Segmenter


@dataclass(frozen=True)
class Restoration:
    """What restores a cell and checks the result.

    Attributes:
        config: When to restore, and whether to gate.
        severity: Estimates degradation.
        restorer: Makes the clean image.
        gate: Limits of acceptable change; None accepts everything.
        embed: Images (n, w, w, 3), uint8, to L2-normalised embeddings (n, d): what else the gate
            compares.
        segment: Finds cell and nucleus.
    """

    config: RestoreConfig
    severity: SeverityEstimator
    restorer: Restorer
    gate: GateLimits | None
    embed: Callable[[np.ndarray], np.ndarray]
    segment: Segmenter

    @property
    def restore_above(self) -> float:
        """Estimated severity from which a cell is restored: the settings', else the fitted one."""
        wanted = self.config.restore_above
        return self.severity.restore_above if wanted is None else wanted
