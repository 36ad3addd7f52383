"""The audit as one self-contained HTML page: findings first, pairs as pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jinja2
import numpy as np

from buffycoat.images import write_atomic
from buffycoat.report.records import NOT_A_MEDICAL_DEVICE
from buffycoat.report.thumbs import photo_uri

MAX_SHOWN = 60
"""Findings of one check on the page; the JSON has all."""
MAX_PICTURES = 6
"""Pictures of one finding."""
MAX_NAMED = 40
"""Cells of one finding that the page names."""


def write_audit_page(
    path: Path, audit: Mapping[str, Any], read: Callable[[str], np.ndarray | None]
) -> Path:
    """Write the page.

    Args:
        path: The .html file to write, whole or not at all.
        audit: As `audit.findings.Audit.to_dict` gives it.
        read: Path to photograph, (h, w, 3), uint8, or None if it cannot be shown.

    Returns:
        The path.

    Raises:
        OutputError: It cannot be written.
    """
    write_atomic(path, render_audit(audit, read).encode("utf-8"))
    return path


def render_audit(audit: Mapping[str, Any], read: Callable[[str], np.ndarray | None]) -> str:
    """The page as text; all words of the data are escaped. Arguments as in `write_audit_page`."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("buffycoat.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    checks = [_shown(check, read) for check in audit["checks"]]
    classes = sorted({name for split in audit["counts"].values() for name in split})
    return environment.get_template("audit.html.jinja").render(
        audit={"statement": None, **audit},
        found=[check for check in checks if check["state"] == "found"],
        ignored=[check for check in checks if check["state"] == "ignored"],
        noted=[check for check in checks if check["state"] == "noted"],
        passed=[check for check in checks if check["state"] in ("passed", "noted")],
        not_checked=[check for check in checks if check["state"] == "not checked"],
        classes=classes,
        notice=NOT_A_MEDICAL_DEVICE,
    )


def _shown(check: Mapping[str, Any], read: Callable[[str], np.ndarray | None]) -> dict[str, Any]:
    """A check with the pictures and names that the page has room for."""
    findings = []
    for finding in check["findings"][:MAX_SHOWN]:
        cells = finding["cells"]
        pictures = []
        for cell in cells[:MAX_PICTURES] if finding["is_picture"] else []:
            image = read(cell["path"])
            if image is not None:
                pictures.append({"uri": photo_uri(image), "name": cell["cell_id"]})
        named = [cell["path"] for cell in cells[:MAX_NAMED]]
        rest = len(cells) - len(named)
        findings.append({**finding, "pictures": pictures, "named": named, "n_more": rest})
    n_findings = sum(finding["severity"] == "finding" for finding in check["findings"])
    more = len(check["findings"]) - len(findings)
    return {**check, "shown": findings, "n_more": more, "n_findings": n_findings}
