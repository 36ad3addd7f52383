"""Every file that is given is a cell, or is listed as unreadable with its format and a remedy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.simulate.render import render_cell

REASONS = {
    "IMG_0.HEIC": "HEIC",
    "IM000001": "DICOM",
    "scan.czi": "Zeiss CZI",
    "scan.svs": "Aperio slide",
    "cell.dcm": "DICOM",
    "cell.psd": "Photoshop",
    "blink.gif": "several pictures",
    "signed.tif": "signed",
    "torn.jp2": "JPEG 2000, truncated or damaged",
}
"""File that cannot be read -> a word of the reason."""
READABLE = (
    "JPEG.jpg JPEG.jfif JPEG.jpe MPO.mpo PNG.png PNG.dat PNG BMP.bmp GIF.gif WEBP.webp "
    "JPEG2000.jp2 JPEG2000.j2k AVIF.avif TIFF.tif JPEG.0001 planar.tif white.tif"
).split()


def _cell(code: str, seed: int) -> np.ndarray:
    return render_cell(code, np.random.default_rng(seed), 96).image


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    """Two class folders: a cell of each format that is read, and a file of each that is not."""
    folder = tmp_path / "cells"
    for code in ("LY", "SNE"):
        (folder / code).mkdir(parents=True)
    for seed, name in enumerate(READABLE):
        form, path = name.partition(".")[0], folder / "LY" / f"x{name}"
        pixels = _cell("LY", seed)
        deep = pixels.astype(np.uint16) * 257
        if form == "planar":
            planes = np.moveaxis(deep, 2, 0)
            tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
        elif form == "white":
            tifffile.imwrite(path, 65535 - deep[..., 1], photometric="miniswhite", byteorder=">")
        else:
            Image.fromarray(pixels).save(path, form)
    bad = folder / "SNE"
    (bad / "IMG_0.HEIC").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (bad / "IM000001").write_bytes(b"\0" * 128 + b"DICM" + b"\0" * 200)
    (bad / "cell.dcm").write_bytes(b"\x08\0\x05\0CS\x0a\0ISO_IR 100")
    (bad / "scan.czi").write_bytes(b"ZISRAWFILE" + b"\0" * 200)
    tifffile.imwrite(bad / "scan.svs", _cell("SNE", 1), description="Aperio Image Library")
    (bad / "cell.psd").write_bytes(b"8BPS\0\x01" + b"\0" * 200)
    frames = [Image.fromarray(_cell("SNE", seed)) for seed in (2, 3)]
    frames[0].save(bad / "blink.gif", save_all=True, append_images=frames[1:])
    tifffile.imwrite(bad / "signed.tif", _cell("SNE", 4)[..., 0].view(np.int8))
    (bad / "torn.jp2").write_bytes((folder / "LY/xJPEG2000.jp2").read_bytes()[:300])
    (bad / "notes.txt").write_text("not a cell\n")
    (bad / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    return folder


def test_audit_counts_every_file_and_names_what_it_cannot_read(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "audit"
    result = CliRunner().invoke(app, ["audit", str(cells), "--no-embedding", "--out", str(out)])
    assert result.exit_code == 4, result.output
    found = json.loads((out / "audit.json").read_text())
    assert found["n_cells"] == len(READABLE) + len(REASONS)
    (check,) = [check for check in found["checks"] if check["check"] == "unreadable_files"]
    said = [finding["message"] for finding in check["findings"]]
    assert len(said) == len(REASONS)
    for name, reason in REASONS.items():
        assert any(name in text and reason in text for text in said), (name, said)


@pytest.mark.slow
def test_predict_lists_what_it_cannot_read_and_fails(cells: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    result = CliRunner().invoke(app, ["predict", "starter", str(cells), "--out", str(out)])
    assert result.exit_code == 3, result.output
    assert len(pd.read_csv(out)) == len(READABLE)
    bad = pd.read_csv(tmp_path / "p.csv.bad.csv")
    reasons = dict(zip(bad["path"].map(lambda path: Path(path).name), bad["reason"], strict=True))
    assert set(reasons) == set(REASONS)
    assert all(reason in reasons[name] for name, reason in REASONS.items())
