"""Labels or splits that are predictable from the size or shape of the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from buffycoat.audit.findings import Looked
from buffycoat.audit.predictable_groups import to_words
from buffycoat.audit.shortcuts import find_shortcuts

NAME = "image_size"


def check(
    frame: pd.DataFrame, headers: Sequence[dict[str, str | int]], is_good: np.ndarray
) -> Looked:
    """Findings by the root of the area and by the ratio of sides.

    Args:
        frame: Of the manifest.
        headers: Of the scan.
        is_good: Of the scan.
    """
    rows = np.flatnonzero(is_good).tolist()
    if not rows:
        return Looked(not_checked="no file can be read")
    width, height = (
        np.array([int(headers[row][side]) for row in rows]) for side in ("width", "height")
    )
    sizes = len({*zip(width.tolist(), height.tolist(), strict=True)})
    attributes = {
        "image size (root of the area)": to_words(np.sqrt(width * height), " px"),
        "image shape (width over height)": to_words(width / height),
    }
    findings = find_shortcuts(NAME, frame, np.array(rows), attributes)
    said = (
        f"All images are {width[0]} x {height[0]} px."
        if sizes == 1
        else f"{sizes:,} sizes occur, {width.min()} to {width.max()} px wide."
    )
    return Looked(tuple(findings), said)
