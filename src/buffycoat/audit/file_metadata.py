"""Labels or splits that are predictable from what a file says besides its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from buffycoat.audit.findings import Looked
from buffycoat.audit.shortcuts import find_shortcuts

NAME = "file_metadata"
_SIZE = ("width", "height")


def check(
    frame: pd.DataFrame, headers: Sequence[dict[str, str | int]], is_good: np.ndarray
) -> Looked:
    """Findings by format, colour mode, JPEG tables, EXIF, resolution, profile and comment.

    Args:
        frame: Of the manifest.
        headers: Of the scan.
        is_good: Of the scan.
    """
    rows = np.flatnonzero(is_good).tolist()
    if not rows:
        return Looked(not_checked="no file can be read")
    names = [name for name in headers[rows[0]] if name not in _SIZE]
    attributes = {name: [str(headers[row][name]) for row in rows] for name in names}
    findings = find_shortcuts(NAME, frame, np.array(rows), attributes)
    varied = [
        f"{name} ({len(set(values))} kinds)"
        for name, values in attributes.items()
        if len(set(values)) > 1
    ]
    said = f"Compared: {', '.join(names)}. "
    said += f"Not the same in all files: {', '.join(varied)}." if varied else "All are the same."
    return Looked(tuple(findings), said)
