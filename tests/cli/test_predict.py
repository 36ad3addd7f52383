"""`predict` through the command line: results, bad input, and nothing lost."""

from __future__ import annotations

import errno
import json
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

import buffycoat
from buffycoat import images
from buffycoat.cli.main import app
from buffycoat.simulate.render import render_cell

pytestmark = pytest.mark.slow  # they wait for a bundle to be trained


def _predict(bundle: object, cells: Path, out: Path, *options: str):
    result = CliRunner().invoke(
        app, ["predict", str(bundle), str(cells), "--out", str(out), *options]
    )
    return result, " ".join(result.stderr.split())


@pytest.fixture
def cell() -> Image.Image:
    return Image.fromarray(render_cell("LY", np.random.default_rng(0), 96).image)


@pytest.fixture
def good(cell: Image.Image, tmp_path: Path) -> Path:
    """A folder with two readable cells."""
    folder = tmp_path / "cells"
    (folder / "deep").mkdir(parents=True)
    cell.save(folder / "a.png")
    cell.rotate(90).save(folder / "deep" / "b.jpg")
    return folder


def _huge_png() -> bytes:
    """A PNG of 30,000 x 30,000 px whose pixels would take 2.7 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000)))


def _break(folder: Path, cell: Image.Image) -> dict[str, str]:
    """Write one unreadable file of each kind; file name -> a word of its reason."""
    cell.save(folder / "truncated.jpg")
    whole = (folder / "truncated.jpg").read_bytes()
    (folder / "truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("this is not a photograph")
    (folder / "huge.png").write_bytes(_huge_png())
    return {
        "truncated.jpg": "truncated",
        "empty.jpg": "0 bytes",
        "text.jpg": "not an image",
        "huge.png": "megapixels",
    }


def test_patient_and_slide_of_a_table_are_handed_on(
    tiny_bundle: Path, good: Path, tmp_path: Path
) -> None:
    table, out = tmp_path / "table.csv", tmp_path / "out.parquet"
    rows = [{"path": good / "a.png", "slide_id": "s1"}, {"path": good / "deep" / "b.jpg"}]
    pd.DataFrame(rows).to_csv(table, index=False)
    result, _ = _predict(tiny_bundle, table, out)
    assert result.exit_code == 0, result.output
    found = pd.read_parquet(out)
    assert found["slide_id"].isna().tolist() == [False, True]
    assert found["slide_id"][0] == "s1"
    assert "patient_id" not in found


def test_csv_is_the_submission_form_and_parquet_has_everything(
    tiny_bundle: Path, good: Path, tmp_path: Path
) -> None:
    for name in ("p.csv", "p.parquet"):
        result, said = _predict(tiny_bundle, good, tmp_path / name)
        assert result.exit_code == 0, result.output
        assert "ot a medical device" in said
    submission = pd.read_csv(tmp_path / "p.csv")
    assert list(submission.columns) == ["ID", "labels"]
    assert submission["ID"].tolist() == ["a.png", "b.jpg"]
    everything = pd.read_parquet(tmp_path / "p.parquet")
    assert everything["label"].tolist() == submission["labels"].tolist()
    probs = everything[[c for c in everything if c.startswith("prob_")]]
    assert probs.sum(axis=1).to_numpy() == pytest.approx(1.0)
    assert isinstance(json.loads(everything["evidence"][0]), list)


def test_python_gives_the_same_numbers(tiny_bundle: Path, good: Path, tmp_path: Path) -> None:
    _predict(tiny_bundle, good, tmp_path / "p.parquet")
    table = pd.read_parquet(tmp_path / "p.parquet")
    photographs = [images.read(path) for path in images.list_images(good)]
    found = buffycoat.load(tiny_bundle).predict(photographs)
    assert [p.label for p in found] == table["label"].tolist()
    assert [p.probability for p in found] == table["probability"].tolist()


def test_bad_files_are_listed_and_the_good_ones_kept(
    tiny_bundle: Path, good: Path, cell: Image.Image, tmp_path: Path
) -> None:
    reasons = _break(good, cell)
    out = tmp_path / "p.csv"
    result, said = _predict(tiny_bundle, good, out)
    assert result.exit_code == 3, result.output
    assert all(name in said for name in reasons)
    assert pd.read_csv(out)["ID"].tolist() == ["a.png", "b.jpg"]
    bad = pd.read_csv(tmp_path / "p.csv.bad.csv").set_index("ID")["reason"]
    assert set(bad.index) == set(reasons)
    assert all(word in bad[name] for name, word in reasons.items())


def test_a_folder_of_parts_is_one_table_whatever_could_not_be_read(
    tiny_bundle: Path, good: Path, cell: Image.Image, tmp_path: Path
) -> None:
    reasons = _break(good, cell)
    result, said = _predict(tiny_bundle, good, tmp_path / "parts")
    assert result.exit_code == 3, result.output
    assert "parts.bad.csv" in said
    assert set(pd.read_csv(tmp_path / "parts.bad.csv")["ID"]) == set(reasons)
    assert pd.read_parquet(tmp_path / "parts")["cell_id"].tolist() == ["a.png", "deep/b.jpg"]


@pytest.mark.parametrize(("allowed", "code"), [("4", 0), ("3", 3)])
def test_allow_bad_counts(
    tiny_bundle: Path, good: Path, cell: Image.Image, tmp_path: Path, allowed: str, code: int
) -> None:
    _break(good, cell)
    result, said = _predict(tiny_bundle, good, tmp_path / "p.csv", "--allow-bad", allowed)
    assert result.exit_code == code
    assert "huge.png" in said


def test_a_list_of_bad_cells_does_not_outlive_them(
    tiny_bundle: Path, good: Path, cell: Image.Image, tmp_path: Path
) -> None:
    for name in _break(good, cell):
        _predict(tiny_bundle, good, tmp_path / "p.csv")
        (good / name).unlink()
    assert (tmp_path / "p.csv.bad.csv").exists()
    result, _ = _predict(tiny_bundle, good, tmp_path / "p.csv")
    assert result.exit_code == 0
    assert not (tmp_path / "p.csv.bad.csv").exists()


def test_other_kinds_of_image_are_read(
    tiny_bundle: Path, cell: Image.Image, tmp_path: Path
) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    cell.convert("CMYK").save(folder / "cmyk.jpg")
    cell.convert("RGBA").save(folder / "rgba.png")
    cell.convert("L").save(folder / "gray.png")
    deep = np.asarray(cell.convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save(folder / "sixteen.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    cell.rotate(90).save(folder / "turned.jpg", exif=exif, quality=95)
    result, _ = _predict(tiny_bundle, folder, tmp_path / "p.csv")
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "p.csv")
    assert len(table) == 5
    assert set(table["labels"]) <= set(buffycoat.load(tiny_bundle).taxonomy.codes)


def test_one_image_a_table_or_a_split_may_be_given(
    tiny_bundle: Path, good: Path, rendered_cells: Path, tmp_path: Path
) -> None:
    (good / "cells.csv").write_text("path\na.png\n")
    out = tmp_path / "p.csv"
    for source in (good / "a.png", good / "cells.csv"):
        result, _ = _predict(tiny_bundle, source, out)
        assert result.exit_code == 0, result.output
        assert pd.read_csv(out)["ID"].tolist() == ["a.png"]
    result, _ = _predict(tiny_bundle, rendered_cells, out, "--split", "test")
    assert result.exit_code == 0, result.output
    expected = pd.read_csv(rendered_cells / "phase2_test.csv")["ID"]
    assert pd.read_csv(out)["ID"].tolist() == expected.tolist()


def test_the_training_prior_changes_probabilities(
    tiny_bundle: Path, good: Path, tmp_path: Path
) -> None:
    for prior in ("uniform", "train"):
        _predict(tiny_bundle, good, tmp_path / f"{prior}.parquet", "--prior", prior)
    one, other = (pd.read_parquet(tmp_path / f"{p}.parquet") for p in ("uniform", "train"))
    assert not np.allclose(one["prob_SNE"], other["prob_SNE"])


def test_a_changed_weight_file_is_found(tiny_bundle: Path, good: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    weights = max(copy.glob("*.safetensors"), key=lambda path: path.stat().st_size)
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    result, said = _predict(copy, good, tmp_path / "p.csv")
    assert result.exit_code == 2
    assert weights.name in said
    assert "changed" in said
    assert not (tmp_path / "p.csv").exists()


def test_a_full_disk_leaves_the_older_file_as_it_was(
    tiny_bundle: Path, good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "p.csv"
    out.write_text("an older result")

    def fill(path: Path, data: bytes) -> None:
        path.write_text(data[:5].decode())
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", fill)
    result, said = _predict(tiny_bundle, good, out)
    assert result.exit_code == 2, result.output
    assert "No space left on device" in said
    assert out.read_text() == "an older result"
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["p.csv"]
