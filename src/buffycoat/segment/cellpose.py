"""The cell by Cellpose-SAM (bioRxiv 2025.04.28.651001), the nucleus within it by its stain.

The published recipe (arXiv 2603.16249) paints the background by Cellpose's masks. The network has
304 million weights: a GPU is advised.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from buffycoat.errors import WeightsNotFoundError
from buffycoat.optional import require
from buffycoat.segment import contrast, stain
from buffycoat.segment.masks import CellMasks
from buffycoat.segment.quality import plausibility

MAX_SHARE = 0.95
"""Of the image that a cell may cover; Cellpose drops larger ones, by default already from 0.4."""
CENTRE_SHARE = 0.2
"""Of the side: a mask that far from the centre needs e times the area of one in the centre."""


class CellposeSegmenter:
    """Masks of many cells by a Cellpose of version 4.

    The outline is found at `stain.WORK_PX`, where white cells are 60 to 120 px wide as in
    Cellpose's own training, and scaled up. A mask without a stained nucleus is no white cell.

    Args:
        weights: A file of Cellpose weights, or the name of one of its own models ("cpsam_v2"),
            which it keeps in `~/.cellpose/models` and downloads if it is not there.

    Raises:
        MissingExtraError: Cellpose is not installed.
        WeightsNotFoundError: No such weights here, and they cannot be had.
    """

    def __init__(self, weights: str) -> None:
        log = logging.getLogger("cellpose")
        log.setLevel(logging.ERROR)  # it warns of models that it was not asked for
        tf32 = torch.backends.cuda.matmul.allow_tf32
        models = require("cellpose.models", "cellpose")
        torch.backends.cuda.matmul.allow_tf32 = tf32  # the import sets it for every other model too
        # It takes its default for a name that it does not know.
        if weights not in models.MODEL_NAMES and not Path(weights).is_file():
            raise WeightsNotFoundError(
                f"segment.weights={weights!r}: neither a file nor one of Cellpose's models "
                f"({', '.join(models.MODEL_NAMES)})"
            )
        try:
            self._model: Any = models.CellposeModel(
                gpu=torch.cuda.is_available(),
                pretrained_model=weights,
                use_bfloat16=torch.cuda.is_available(),
            )
        except Exception as error:  # whatever the network, the disk or a file's content raises
            raise WeightsNotFoundError(
                f"segment.weights={weights!r}: Cellpose cannot load it ({error}). Put the file of "
                "https://huggingface.co/mouseland/cellpose-sam on this machine and give its path"
            ) from error

    def __call__(self, images: np.ndarray) -> list[CellMasks]:
        """Masks of images of shape (n, h, w, 3), uint8, RGB; n of them."""
        return [self._segment(image) for image in images]

    def _segment(self, image: np.ndarray) -> CellMasks:
        height, width = image.shape[:2]
        side = (stain.WORK_PX, stain.WORK_PX)
        small = cv2.resize(image, side, interpolation=cv2.INTER_AREA)
        # off, as it is by default; said, for torch warns of what is not
        with torch.sparse.check_sparse_tensor_invariants(False):
            labels = np.asarray(self._model.eval(small, max_size_fraction=MAX_SHARE)[0])
        cell = stain.scale(central(labels), width, height)
        nucleus = stain.segment(image).nucleus & cell
        small_cell, small_nucleus = (stain.scale(mask, *side) for mask in (cell, nucleus))
        if not small_nucleus.any():
            return CellMasks.none(height, width)
        density = contrast.optical_density(small)
        return CellMasks(cell, nucleus, plausibility(density, small_cell, small_nucleus))


def central(labels: np.ndarray) -> np.ndarray:
    """The mask that is largest and nearest to the centre.

    Args:
        labels: Shape (h, w), integers: 0 the background, 1 to n the masks.

    Returns:
        Shape (h, w), bool; empty where there is no mask.
    """
    count, rows, columns = np.bincount(labels.ravel()), *np.indices(labels.shape)
    if len(count) < 2:
        return np.zeros(labels.shape, dtype=bool)
    height, width = labels.shape
    away = ((rows + 0.5) / height - 0.5) ** 2 + ((columns + 0.5) / width - 0.5) ** 2
    weight = np.exp(-away / CENTRE_SHARE**2)
    score = np.bincount(labels.ravel(), weights=weight.ravel())
    return labels == 1 + int(score[1:].argmax())
