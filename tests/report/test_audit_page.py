from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from buffycoat.report.audit_page import MAX_SHOWN, render_audit, write_audit_page


def _check(name: str, state: str, findings: list | None = None, not_checked: str = "") -> dict:
    return {
        "check": name, "title": f"Title of {name}", "trouble": f"Trouble with {name}",
        "state": state, "why": "Why it matters.", "remedy": "What to do.",
        "said": f"Looked at by {name}.", "not_checked": not_checked,
        "findings": findings or [],
    }  # fmt: skip


def _finding(message: str, *names: str, severity: str = "finding", is_picture: bool = True) -> dict:
    cells = [{"cell_id": name, "path": f"cells/{name}"} for name in names]
    return {
        "severity": severity, "message": message, "number": 0.9, "is_picture": is_picture,
        "cells": cells,
    }  # fmt: skip


def _audit(*checks: dict) -> dict:
    counts = {"train": {"LY": 1200, "MO": 3}, "eval": {"LY": 5, "unlabelled": 2}}
    return {
        "data": "cells <b>", "n_cells": 1210, "is_clean": False, "searched": "", "counts": counts,
        "patients": {"train": 9, "eval": 2}, "notes": ["a note of the reader"],
        "checks": list(checks),
    }  # fmt: skip


def _read(path: str) -> np.ndarray | None:
    return None if "lost" in path else np.full((20, 20, 3), 99, np.uint8)


def test_findings_come_first_then_what_passed_then_what_was_not_checked(tmp_path: Path) -> None:
    data = _audit(
        _check("passed_one", "passed"),
        _check("unchecked", "not checked", not_checked="no ids <i>"),
        _check("found_one", "found", [_finding("a pair", "a.jpg", "b.jpg")]),
        _check("accepted", "ignored", [_finding("known", "lost.jpg")]),
        _check("noted_one", "noted", [_finding("small", "c.jpg", severity="note")]),
    )
    page = write_audit_page(tmp_path / "audit.html", data, _read).read_text(encoding="utf-8")
    places = [page.index(text) for text in (
        ">Trouble with found_one</h2>", "Accepted beforehand", "Looked at by passed_one",
        "no ids &lt;i&gt;", "1,200",
    )]  # fmt: skip
    assert places == sorted(places)
    assert page.count("data:image/webp") == 3  # the pair and the note; the lost file has none
    assert "cells &lt;b&gt;" in page
    assert "cells/lost.jpg" in page
    assert "--ignore found_one" in page
    assert "a note of the reader" in page


def test_the_page_needs_nothing_beside_it_and_its_links_lead_somewhere() -> None:
    page = render_audit(_audit(_check("x", "found", [_finding("m", "a.jpg")])), _read)
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert {target for target in re.findall(r'href="#([^"]+)"', page)} <= ids


def test_many_findings_are_cut_and_the_rest_is_counted() -> None:
    many = [_finding(f"finding {i}", f"{i}.jpg", is_picture=False) for i in range(MAX_SHOWN + 7)]
    page = render_audit(_audit(_check("x", "found", many)), _read)
    assert f"finding {MAX_SHOWN - 1}" in page
    assert f"finding {MAX_SHOWN}<" not in page
    assert "And 7 more" in page
    assert f"{MAX_SHOWN + 7} findings" in page
