"""Fold models at prediction: every view of every cell, deterministic."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from buffycoat.backbones.activations import write_anew
from buffycoat.backbones.build import BuiltBackbone, build
from buffycoat.backbones.devices import autocast, device, is_cpu_bf16, place
from buffycoat.backbones.folded import fold_batch_norm
from buffycoat.backbones.prefetch import prefetch
from buffycoat.classify.augment import centre
from buffycoat.classify.views import VIEWS, views_of
from buffycoat.config import ClassifyConfig
from buffycoat.progress import Progress

GPU_CELLS_AT_ONCE = 64


@dataclass(frozen=True)
class FoldModel:
    """One trained model, ready to score cells.

    On a CPU cells are scored one at a time, all views of a cell as one batch: the numbers of a
    cell do not depend on the cells beside it.

    Attributes:
        backbone: The network as it was trained, with its preprocessing.
        network: The same, made for inference.
        config: The recipe that it was trained with.
        log_prior: Log of the class shares that its logits carry, shape (k,); zeros where the
            loss took the prior out already.
    """

    backbone: BuiltBackbone
    network: torch.nn.Module
    config: ClassifyConfig
    log_prior: np.ndarray

    @classmethod
    def assemble(
        cls,
        state: dict[str, torch.Tensor],
        config: ClassifyConfig,
        n_classes: int,
        log_prior: np.ndarray,
    ) -> FoldModel:
        """A model from stored weights; half-precision weights become fp32."""
        backbone = build(
            config.backbone, "random", n_classes, config.input_px, config.dropout, config.head
        )
        backbone.model.load_state_dict(state)
        backbone.model.float().to(device()).eval().requires_grad_(False)
        network = fold_batch_norm(backbone.model, config.input_px)
        if is_cpu_bf16(device(), config.precision):
            write_anew(network)
        return cls(backbone, place(network), config, log_prior)

    @torch.inference_mode()
    def view_logits(self, images: np.ndarray, on_progress: Progress | None = None) -> np.ndarray:
        """Uniform-prior logits of each view.

        Args:
            images: Working images, shape (n, w, w, 3), uint8.
            on_progress: Called with (cells done, cells in all).

        Returns:
            Shape (n, v, k), float32.
        """
        n_views = len(VIEWS[self.config.views])
        k = len(self.log_prior)
        at_once = GPU_CELLS_AT_ONCE if device().type == "cuda" else 1
        out = np.empty((len(images), n_views, k), dtype=np.float32)
        mean, std = (
            torch.tensor(value, device=device()).view(1, 3, 1, 1)
            for value in (self.backbone.mean, self.backbone.std)
        )
        starts = range(0, len(images), at_once)
        chunks = (self._inputs(images[start : start + at_once]) for start in starts)
        for start, chunk in zip(starts, prefetch(chunks, ahead=16), strict=True):
            pixels = torch.from_numpy(chunk).to(device()).permute(0, 3, 1, 2).float()
            views = views_of((pixels / 255 - mean) / std, self.config.views)
            flat = views.flatten(0, 1).contiguous(memory_format=torch.channels_last)
            with autocast(self.config.precision):
                logits = self.network(flat)
            out[start : start + len(chunk)] = logits.float().cpu().numpy().reshape(-1, n_views, k)
            if on_progress is not None:
                on_progress(min(start + at_once, len(images)), len(images))
        return out - self.log_prior.astype(np.float32)

    def _inputs(self, images: np.ndarray) -> np.ndarray:
        return np.stack(
            [centre(image, self.config.crop_fraction, self.config.input_px) for image in images]
        )
