"""`audit` through the command line: exit codes, page, table, layouts, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app


def _audit(*arguments: object):
    result = CliRunner().invoke(app, ["audit", *map(str, arguments)])
    return result, " ".join((result.stdout + result.stderr).split())


@pytest.fixture
def data(rendered_cells: Path, tmp_path: Path) -> Path:
    """The rendered benchmark, of which the tests may change a copy."""
    folder = tmp_path / "data"
    shutil.copytree(rendered_cells, folder)
    return folder


def _leak(data: Path) -> tuple[str, str]:
    """Write an eval image over a training image; the names of both."""
    held_out = sorted((data / "phase2" / "eval").iterdir())[0]
    train = sorted((data / "phase2" / "train").iterdir())[0]
    shutil.copy(held_out, train)
    return held_out.name, train.name


def test_a_clean_set_exits_with_0_and_says_what_was_not_checked(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result, said = _audit(data, "--no-embedding", "--out", out)
    assert result.exit_code == 0, result.output
    assert "not checked" in said
    assert "names neither patients nor slides" in said
    table = json.loads((out / "audit.json").read_text())
    assert table["is_clean"]
    assert table["n_cells"] == 84
    assert (out / "audit.html").stat().st_size > 5000


def test_a_finding_exits_with_4_and_names_the_files(data: Path, tmp_path: Path) -> None:
    held_out, train = _leak(data)
    out = tmp_path / "out"
    result, said = _audit(data, "--no-embedding", "--out", out)
    assert result.exit_code == 4, result.output
    assert "the same file, byte for byte" in said
    assert "What to do: Keep one copy" in said
    table = json.loads((out / "audit.json").read_text())
    [failed] = [check for check in table["checks"] if check["check"] == "exact_copies"]
    assert failed["state"] == "found"
    [finding] = failed["findings"]
    assert {cell["cell_id"] for cell in finding["cells"]} == {held_out, train}
    assert all(Path(cell["path"]).is_file() for cell in finding["cells"])
    page = (out / "audit.html").read_text(encoding="utf-8")
    assert page.count("data:image/webp") >= 2
    assert held_out in page


def test_what_is_ignored_does_not_fail(data: Path) -> None:
    _leak(data)
    result, said = _audit(
        data, "--no-embedding", "--ignore", "exact_copies", "--ignore", "contradicting_labels"
    )
    assert result.exit_code == 0, result.output
    assert "1 accepted" in said


def test_the_encoder_of_a_bundle_is_asked_and_remembered(
    data: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    result, said = _audit(data, "--encoder", tiny_bundle, "--cache", cache)
    assert result.exit_code == 0, result.output
    assert "and from embeddings" in said
    assert list(cache.rglob("*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--um-per-px", 0.1], "--um-per-px: frames cells for embeddings, and none are compared"),
        (["--um-per-px", 0.1, "--embedding"], "this bundle frames cells by the size of the"),
    ],
)
def test_a_scale_that_nothing_looks_at_is_refused(data: Path, arguments: list, words: str) -> None:
    result, said = _audit(data, *arguments)
    assert result.exit_code == 2, said
    assert words in said


def test_unlabelled_images_are_taken(data: Path) -> None:
    result, said = _audit(data / "phase2" / "eval", "--layout", "images", "--no-embedding")
    assert result.exit_code == 0, result.output
    assert "13 cells" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--ignore", "exact_copy"), "Did you mean 'exact_copies'"),
        (("--layout", "parquet"), "unknown layout"),
        (("--encoder", "nowhere"), "nowhere"),
    ],
)
def test_wrong_names_fail_before_any_work(data: Path, arguments: tuple, words: str) -> None:
    result, said = _audit(data, *arguments)
    assert result.exit_code == 2
    assert words in said


@pytest.mark.real
def test_nothing_is_found_on_real_cells(pbc_lt: Path) -> None:
    """Of 300 cells of either split; a run over all cells found two pairs, each within a split."""
    import numpy as np

    from buffycoat.audit.run import audit
    from buffycoat.audit.scan import scan
    from buffycoat.sources.read import read

    manifest = read(pbc_lt, "kaggle")
    splits = manifest.column("split")
    rows = np.concatenate([np.flatnonzero(splits == name)[:300] for name in ("train", "eval")])
    part = manifest.subset(rows)
    result = audit(part, scan(part), "part")
    assert result.is_clean
    assert [one.name for one in result.of_state("not checked")] == ["far_copies", "shared_patients"]
