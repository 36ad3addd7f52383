"""Files that cannot be decoded."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from buffycoat.audit.findings import Looked
from buffycoat.audit.naming import Cells
from buffycoat.plurals import counted

NAME = "unreadable_files"


def check(frame: pd.DataFrame, reasons: Sequence[str]) -> Looked:
    """One finding a file.

    Args:
        frame: Of the manifest.
        reasons: Of the scan, one a row.
    """
    cells = Cells.of(frame)
    findings = [
        cells.finding(NAME, "finding", f"{cells.splits[row]} {cells.paths[row]}: {reason}", [row])
        for row, reason in enumerate(reasons)
        if reason
    ]
    return Looked(
        tuple(findings),
        f"{counted(len(frame), 'file was', 'files were')} decoded to the last pixel.",
    )
