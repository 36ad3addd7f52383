"""`agree` through the command line."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], env={"COLUMNS": "200"})
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen slides of 100 cells; the model calls a tenth of the LY MO."""
    folder = tmp_path_factory.mktemp("agree")
    rng = np.random.default_rng(0)
    shares = rng.dirichlet([6, 4, 1], 14)
    truth = np.concatenate([rng.choice(["SNE", "LY", "MO"], 100, p=share) for share in shares])
    calls = np.where((truth == "LY") & (rng.random(1400) < 0.1), "MO", truth)
    frame = pd.DataFrame({"ID": [f"c{n}.png" for n in range(1400)], "labels": calls})
    frame["slide_id"] = np.repeat([f"s{n}" for n in range(14)], 100)
    frame.to_csv(folder / "model.csv", index=False)
    frame.assign(labels=truth)[["ID", "labels"]].to_csv(folder / "reader.csv", index=False)
    frame.assign(labels=truth).to_csv(folder / "read.csv", index=False)
    return folder


def test_cells_of_two_are_compared_with_kappa(cells: Path, tmp_path: Path) -> None:
    code, said = _run(
        "agree", cells / "reader.csv", cells / "model.csv", "--by", "slide_id",
        "--out", tmp_path / "a.csv", "--picture", tmp_path / "a.svg",
    )  # fmt: skip
    assert code == 0, said
    assert "14 slides" in said
    assert "Kappa per cell: 0.9" in said
    assert "14 of 14 slides have fewer than 400 cells" in said
    table = pd.read_csv(tmp_path / "a.csv").set_index("name")
    assert table.loc["LY", "bias"] < 0 < table.loc["MO", "bias"]
    assert table.loc["SNE", "bias"] == 0
    assert table.loc["SNE", "slope"] == pytest.approx(1)
    assert table.loc["SNE", "n_within_limits_of_reader"] == 14
    drawing = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert drawing.tag.endswith("svg")
    words = [of.text or "" for of in drawing.iter() if of.tag.endswith("}text")]
    assert [word.split(",")[0] for word in words if word.endswith(" slides")] == ["SNE", "LY", "MO"]
    assert sum(word.startswith("bias ") for word in words) == 3


def test_counts_of_two_give_the_same_figures(cells: Path, tmp_path: Path) -> None:
    for name in ("read", "model"):
        code, said = _run(
            "differential", cells / f"{name}.csv", "--by", "slide_id",
            "--out", tmp_path / f"{name}.csv",
        )  # fmt: skip
        assert code == 0, said
    code, said = _run(
        "agree", tmp_path / "read.csv", tmp_path / "model.csv", "--out", tmp_path / "b.csv"
    )
    assert code == 0, said
    assert "Kappa" not in said
    _run(
        "agree", cells / "reader.csv", cells / "model.csv", "--by", "slide_id",
        "--out", tmp_path / "a.csv",
    )  # fmt: skip
    one, other = (pd.read_csv(tmp_path / name).set_index("name") for name in ("a.csv", "b.csv"))
    pd.testing.assert_frame_equal(one, other)


def test_what_does_not_fit_is_refused(cells: Path, tmp_path: Path) -> None:
    _run("differential", cells / "read.csv", "--by", "slide_id", "--out", tmp_path / "d.csv")
    code, said = _run("agree", cells / "reader.csv", cells / "model.csv")
    assert code == 2
    assert "need --by" in said
    code, said = _run("agree", tmp_path / "d.csv", cells / "model.csv")
    assert code == 2
    assert "one holds counts of slides and the other cells" in said
    other = pd.read_csv(tmp_path / "d.csv").assign(group="elsewhere").drop_duplicates("name")
    other.to_csv(tmp_path / "e.csv", index=False)
    code, said = _run("agree", tmp_path / "d.csv", tmp_path / "e.csv")
    assert code == 2
    assert "no slide is in both" in said


def test_what_cannot_be_told_is_not_stated_as_a_number(tmp_path: Path) -> None:
    names = [f"c{n}.png" for n in range(6)]
    one = pd.DataFrame({"ID": names, "labels": "LY", "slide_id": "s1"})
    one.to_csv(tmp_path / "one.csv", index=False)
    code, said = _run("agree", tmp_path / "one.csv", tmp_path / "one.csv", "--by", "slide_id")
    assert code == 0, said
    assert "Kappa per cell: not estimable" in said  # one class alone
    assert "nan" not in said
    half = one.assign(labels=["LY"] * 3 + ["MO"] * 3)
    half.to_csv(tmp_path / "half.csv", index=False)
    code, said = _run("agree", tmp_path / "half.csv", tmp_path / "half.csv", "--by", "slide_id")
    assert "Kappa per cell: 1.00 (no interval)" in said  # one slide
    assert "nan" not in said
    one.assign(labels="ERB").to_csv(tmp_path / "none.csv", index=False)
    code, said = _run("agree", tmp_path / "none.csv", tmp_path / "none.csv", "--by", "slide_id")
    assert code == 2
    assert "1 slide, and on none did both count a leukocyte" in said
