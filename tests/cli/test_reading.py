"""What commands say of the data that they are given, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from buffycoat.cli.main import app

TINY = "--preset demo --set taxonomy=auto --set classify.epochs=1 --set restore.method=identity"


def _draw(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
    return root


def _cells(folder: str, codes: str, n: int) -> list[str]:
    return [f"{folder}/{code}/{i:03d}.png" for code in codes.split() for i in range(n)]


def _run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


def _audit(data: Path, *options: str) -> tuple[int, str, dict]:
    out = data.parent / "audit-out"
    code, said = _run("audit", str(data), "--no-embedding", "--out", str(out), *options)
    table = json.loads((out / "audit.json").read_text()) if code in (0, 4) else {}
    return code, said, table


def test_held_out_folders_are_not_trained_on(tmp_path: Path) -> None:
    parts = [*_cells("Train", "SNE LY", 3), *_cells("TestA", "SNE LY", 2)]
    _, said, table = _audit(_draw(tmp_path / "d", *parts, *_cells("TestB", "SNE LY", 1)))
    assert table["counts"]["train"] == {"SNE": 3, "LY": 3}
    assert table["counts"]["test"] == {"SNE": 3, "LY": 3}
    assert "TestA, TestB is test" in said
    page = (tmp_path / "audit-out/audit.html").read_text()
    assert "TestA, TestB is test" in page
    assert table["statement"]["split_from"].startswith("folders")


def test_a_table_beside_pictures_is_used_and_named(tmp_path: Path) -> None:
    _draw(tmp_path / "d", *(f"images/{n}.png" for n in range(4)))
    (tmp_path / "d/labels.csv").write_text("path;label\n" + "".join(
        f"images/{n}.png;{'SNE' if n % 2 else 'lymphocyte'}\n" for n in range(4)))  # fmt: skip
    _, said, table = _audit(tmp_path / "d")
    assert table["counts"] == {"train": {"SNE": 2, "LY": 2}}
    assert "labels.csv used" in said
    assert "read lymphocyte as LY" in said


def test_a_stray_table_does_not_replace_a_data_set(tmp_path: Path) -> None:
    _draw(tmp_path / "d", *_cells(".", "SNE LY", 3))
    (tmp_path / "d/issues.csv").write_text("path,is_blurry\nSNE/000.png,1\n")
    _, said, table = _audit(tmp_path / "d")
    assert table["n_cells"] == 6
    assert "issues.csv not used: no label, split or patient in it" in said


def test_a_mark_of_the_exporter_is_no_label(tmp_path: Path) -> None:
    names = [f"{f}/PC_{n}.png" for f in ("neutrophil_segmented", "lymphocyte") for n in range(3)]
    _, said, table = _audit(_draw(tmp_path / "d", *names))
    assert table["counts"]["train"] == {"SNE": 3, "LY": 3}
    assert "names begin with PC in folders of several classes" in said


def test_every_command_on_cells_says_what_it_looked_at(tmp_path: Path) -> None:
    data = _draw(tmp_path / "d", "a.png", "b.png", "c_mask.png", "c.png")
    (data / "notes.txt").write_text("x")
    for command in (("measure", str(data), "--out", str(tmp_path / "m.csv")),):
        _, said = _run(*command)
        assert "3 pictures; not looked at: 1 text (.txt) (notes.txt); 1 drawn mask" in said


def test_training_refuses_what_means_no_class_with_remedies(tmp_path: Path) -> None:
    data = _draw(tmp_path / "d", *_cells(".", "SNE platelet lymphocite", 2))
    code, said = _run("train", str(data), *TINY.split(), "--out", str(tmp_path / "run"))
    assert code == 2
    assert "'platelet': no white cell; to train without it, --leave-out platelet" in said
    assert "'lymphocite': did you mean 'lymphocyte'?" in said
    assert json.loads((tmp_path / "run/data.json").read_text())["unknown"] == [
        "lymphocite", "platelet",
    ]  # fmt: skip


def test_a_code_with_a_space_in_a_taxonomy_file_comes_with_a_way_out(tmp_path: Path) -> None:
    data = _draw(tmp_path / "d", *_cells(".", "SNE LY", 2))
    own = tmp_path / "own.toml"
    own.write_text(
        'name = "own"\n[[classes]]\ncode = "band neutrophil"\nname = "x"\nlineage = "y"\n'
    )
    changes = ("--preset", "cpu", "--set", f"taxonomy={own}")
    words = ("train", str(data), *changes, "--out", str(tmp_path / "run"))
    code, said = _run(*words)
    assert code == 2
    assert 'Choose a short code, and add aliases = ["band neutrophil"]' in said


@pytest.mark.parametrize("command", ["audit", "train"])
def test_a_stray_picture_among_coded_names_stops_with_the_setting(
    tmp_path: Path, command: str
) -> None:
    names = [f"{('SNE', 'LY')[n % 2]}_{n}.png" for n in range(6)]
    data = _draw(tmp_path / "d", *names, "figure1.png")
    preset = ("--preset", "cpu") if command == "train" else ()
    code, said = _run(command, str(data), *preset, "--out", str(tmp_path / "o"))
    assert code == 2
    assert "6 of 7 names begin with a class code, but not figure1.png" in said
    code, said, table = _audit(data, "--leave-out", "figure1.png")
    assert table["n_cells"] == 6
    assert "1 left out: figure1.png" in said


def test_a_row_without_a_label_is_said(tmp_path: Path) -> None:
    data = _draw(tmp_path / "d", *_cells(".", "SNE LY", 3))
    rows = [f"{p},{'' if n == 3 else p.split('/')[1]},train" for n, p in
            enumerate(_cells(".", "SNE LY", 3))]  # fmt: skip
    (data / "t.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    _, said, _ = _audit(data / "t.csv")
    assert "1 of 6 train cells has no label" in said


def test_a_parquet_table_of_paths_is_refused_once(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [{"image": {"bytes": None, "path": f"/gone/{n}.png"}, "label": "LY"} for n in range(6)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "train-00000-of-00001.parquet")
    code, said = _run("audit", str(tmp_path), "--no-embedding")
    assert code == 2
    assert "paths" in said
    assert said.count("/gone/") <= 2
