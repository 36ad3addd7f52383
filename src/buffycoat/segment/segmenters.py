"""The segmenter that the settings name."""

from __future__ import annotations

from functools import cache

from buffycoat.config import SegmentConfig
from buffycoat.segment.masks import Segmenter
from buffycoat.segment.stain import segment_all


@cache
def build_segmenter(config: SegmentConfig) -> Segmenter:
    """What finds cell and nucleus; the same object for the same settings.

    Raises:
        MissingExtraError: Cellpose is wanted and not installed.
        WeightsNotFoundError: Its weights are not to be had.
    """
    if config.method == "stain":
        return segment_all
    from buffycoat.segment.cellpose import CellposeSegmenter  # cellpose is an extra

    return CellposeSegmenter(config.weights)
