"""What computes a network: one interface, arrays in and arrays out, for every network there is."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np


class Engine(abc.ABC):
    """Runs one network on batches of its inputs. One serves a process; none is pickled."""

    @property
    @abc.abstractmethod
    def cells_at_once(self) -> int:
        """Cells that make a batch worth its while."""

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """What sets its numbers apart from torch's in fp32, as plain values; else nothing."""

    @abc.abstractmethod
    def run(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The network's outputs, in order.

        Args:
            batches: Each of shape (n, ...), n >= 1, as the network takes it; an engine may take
                some ahead.

        Yields:
            Shape (n, ...), one array a batch.
        """
