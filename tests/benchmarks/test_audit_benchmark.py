from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import audit


def test_times_and_planted_copies_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = ("turned or mirrored", "cropped to 90 %")
    monkeypatch.setattr(audit, "CHANGES", {name: audit.CHANGES[name] for name in kept})
    monkeypatch.setattr(audit, "LARGE", 600)
    out = tmp_path / "audit.json"
    monkeypatch.setattr(
        sys, "argv", ["audit", "--cells", "26", "--planted", "6", "--out", str(out)]
    )
    audit.main()
    result = json.loads(out.read_text())
    assert result["cells"] == 26
    assert result["planted"]["turned or mirrored"]["found"] == 1
    assert result["planted"]["cropped to 90 %"]["candidate"] >= 0.8
    assert result["large"]["search_s"] > 0
    assert "found 1.000 of 6" in capsys.readouterr().out


def test_every_change_keeps_a_picture_that_can_be_compared() -> None:
    import numpy as np

    from buffycoat.simulate.render import render_cell

    image = render_cell("EO", np.random.default_rng(0), 96).image
    for change in audit.CHANGES.values():
        copy = change(image, np.random.default_rng(1))
        assert copy.dtype == np.uint8
        assert copy.ndim == 3
        assert not np.array_equal(copy, image)
