"""The segmenter that the settings name."""

from __future__ import annotations

from functools import cache

from buffycoat.config import SegmentConfig
from buffycoat.segment.masks import Segmenter
from buffycoat.segment.stain import segment_all


def build_segmenter(config: SegmentConfig) -> Segmenter:
    """What finds cell and nucleus; a network is loaded once.

    Raises:
        MissingExtraError: Cellpose is wanted and not installed.
        WeightsNotFoundError: Its weights are not to be had.
    """
    return segment_all if config.method == "stain" else _cellpose(config.weights)


@cache
def _cellpose(weights: str) -> Segmenter:
    from buffycoat.segment.cellpose import CellposeSegmenter  # cellpose is an extra

    return CellposeSegmenter(weights)
