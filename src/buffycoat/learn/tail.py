"""The last stage of a trained classifier by itself: what a few labelled cells can change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from buffycoat.classify.ensemble import FoldModel
from buffycoat.classify.network import make_network
from buffycoat.classify.views import D4, VIEWS, centre, views_of
from buffycoat.errors import ConfigError

AT_ONCE = 64
"""Maps that the last stage takes together when nothing is learned."""


class Tail:
    """A classifier from its last but one feature map on.

    What comes before runs once a cell and view (`maps`), so that learning the rest takes seconds.
    timm names the maps (`feature_info`); of an EfficientNet the last two of seven groups of blocks
    follow, of a ResNet the last layer, of a ViT the last block.

    Args:
        model: One trained model.

    Raises:
        ConfigError: Its network does not say where its stages end.
    """

    def __init__(self, model: FoldModel) -> None:
        self.model = model
        network = make_network(model.state, model.config, model.log_prior, is_plain=True)
        self.network = network.to(memory_format=torch.channels_last)  # pyright: ignore
        self._split = self._find_split()
        side = model.config.input_px
        self._any = torch.zeros((1, side, side, 3), dtype=torch.uint8)

    @torch.no_grad()
    def maps(
        self, images: np.ndarray, sides: np.ndarray, on_progress: Callable[[int], None]
    ) -> Tensor:
        """Maps of views of cells, shape (n, v, ...), float16.

        Args:
            images: Working images, shape (n, w, w, 3), uint8.
            sides: Views of each cell, as places in `D4`, shape (n, v).
            on_progress: Called with the cells done.
        """
        config, seen = self.model.config, []
        hook = self._split.register_forward_hook(lambda _, __, out: seen.append(out.half()))
        try:
            for done, (image, own) in enumerate(zip(images, sides, strict=True), 1):
                crop = centre(image, config.crop_fraction, config.input_px)
                self.network(
                    torch.from_numpy(np.ascontiguousarray(views_of(crop, "d4", own.tolist())))
                )
                on_progress(done)
        finally:
            hook.remove()
        return torch.stack(seen) if seen else torch.zeros((0, sides.shape[1]))

    def __call__(self, maps: Tensor) -> Tensor:
        """Logits under a uniform prior, shape (n, k), of maps (n, ...)."""
        with self._fed(maps):
            return self.network(self._any)

    @torch.no_grad()
    def logits(self, maps: Tensor) -> np.ndarray:
        """Logits of views, shape (n, v, k), of their maps (n, v, ...)."""
        found = [self(part.float()) for part in maps.flatten(0, 1).split(AT_ONCE)]
        return torch.cat(found).reshape(*maps.shape[:2], -1).numpy()

    @property
    def views(self) -> list[int]:
        """The views that a prediction looks at, as places in `D4`."""
        return [D4.index(view) for view in VIEWS[self.model.config.views]]

    def parameters(self, maps: Tensor) -> list[nn.Parameter]:
        """The parameters of the last stage; only these take gradients from then on.

        Args:
            maps: Of any cells, shape (n, v, ...).
        """
        self.network.requires_grad_(True)
        self(maps[0, :1].float()).sum().backward()
        found = [p for p in self.network.parameters() if p.grad is not None]
        self.network.requires_grad_(False)
        for parameter in found:
            parameter.requires_grad_(True)
            parameter.grad = None
        return found

    def to_model(self) -> FoldModel:
        """The classifier as it stands now."""
        model = self.model
        state = self.network.network.state_dict()
        return FoldModel.assemble(state, model.config, len(model.log_prior), model.log_prior)

    def _find_split(self) -> nn.Module:
        stages = [stage["module"] for stage in getattr(self.network.network, "feature_info", ())]
        if len(stages) < 2:
            raise ConfigError(
                f"{self.model.config.backbone!r} does not say where its stages end, so its last "
                "one cannot learn from a site's labels. Adapt without labels"
            )
        return self.network.network.get_submodule(stages[-2])

    @contextmanager
    def _fed(self, maps: Tensor) -> Iterator[None]:
        hook = self._split.register_forward_hook(lambda _, __, ___: maps)
        try:
            yield
        finally:
            hook.remove()
