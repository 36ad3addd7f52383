"""Fold models at prediction: the views of each cell, deterministic. No torch is imported here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from buffycoat.backbones.engine import Engine
from buffycoat.backbones.prefetch import prefetch
from buffycoat.classify.views import VIEWS, centre, views_of
from buffycoat.config import ClassifyConfig
from buffycoat.progress import Progress


@dataclass(frozen=True, eq=False)
class FoldModel:
    """One trained model, ready to score cells.

    On a CPU cells are scored one at a time: the numbers of a cell do not depend on the cells
    beside it.

    Attributes:
        state: The weights as they were trained or stored, name -> array.
        config: The recipe that it was trained with.
        log_prior: Log of the class shares that the network's logits carry, shape (k,); zeros where
            the loss took the prior out already.
        open_engine: Gives what runs the network with its preprocessing, prior taken out: pixels
            (n, px, px, 3), uint8, to logits (n, k), float32. Called when the first cell comes.
    """

    state: Mapping[str, np.ndarray]
    config: ClassifyConfig
    log_prior: np.ndarray
    open_engine: Callable[[], Engine]

    @classmethod
    def assemble(
        cls,
        state: Mapping[str, Any],
        config: ClassifyConfig,
        n_classes: int,
        log_prior: np.ndarray,
    ) -> FoldModel:
        """A model that torch runs, from arrays or tensors; half-precision weights become fp32."""
        from buffycoat.backbones.devices import to_arrays
        from buffycoat.backbones.torch_engine import TorchEngine
        from buffycoat.classify.network import make_network

        assert log_prior.shape == (n_classes,)
        arrays = to_arrays(state)
        engine = TorchEngine(make_network(arrays, config, log_prior), config.precision)
        return cls(arrays, config, log_prior, lambda: engine)

    @cached_property
    def engine(self) -> Engine:
        """What runs the network."""
        return self.open_engine()

    def view_logits(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Uniform-prior logits of every view of the recipe's set; see `look`."""
        return self.look(images, range(len(VIEWS[self.config.views])), on_progress)

    def look(
        self, images: np.ndarray, views: Sequence[int], on_progress: Progress | None = None
    ) -> np.ndarray:
        """Uniform-prior logits of some views.

        Args:
            images: Working images, shape (n, w, w, 3), uint8.
            views: Indices into the recipe's set of views; only these are computed.
            on_progress: Called with (cells done, cells in all).

        Returns:
            Shape (n, len(views), k), float32.
        """
        out = np.empty((len(images), len(views), len(self.log_prior)), dtype=np.float32)
        starts = range(0, len(images), self.engine.cells_at_once) if len(views) else ()
        batches = prefetch(self._inputs(images, views), ahead=16)
        for start, logits in zip(starts, self.engine.run(batches), strict=True):
            part = logits.reshape(-1, len(views), out.shape[2])
            out[start : start + len(part)] = part
            if on_progress is not None:
                on_progress(start + len(part), len(images))
        return out

    def _inputs(self, images: np.ndarray, views: Sequence[int]) -> Iterator[np.ndarray]:
        """All views of some cells, shape (cells * views, px, px, 3)."""
        at_once = self.engine.cells_at_once
        for start in range(0, len(images) if len(views) else 0, at_once):
            crops = (
                centre(image, self.config.crop_fraction, self.config.input_px)
                for image in images[start : start + at_once]
            )
            yield np.concatenate([views_of(crop, self.config.views, views) for crop in crops])
