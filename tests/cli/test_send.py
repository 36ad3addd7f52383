"""`send` through the command line, of what `differential` wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app


def _run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


def _rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three slides: one whose name no file can have, one as usual, one mostly doubtful."""
    folder = tmp_path_factory.mktemp("counted")
    calls = ["SNE"] * 60 + ["LY"] * 38 + ["MY"] * 2 + ["ERB"] * 4 + ["LY"] * 50 + ["SNE"] * 5
    frame = pd.DataFrame({"cell_id": [f"{n}.png" for n in range(len(calls))], "label": calls})
    frame["slide_id"] = ["../one"] * 104 + ["two"] * 50 + ["three"] * 5
    frame["is_abstained"] = frame["slide_id"] == "three"
    frame["prob_SNE"] = 1.0
    frame["bundle_sha256"] = "cd" * 32
    frame.to_parquet(folder / "cells.parquet")
    out = folder / "differential.csv"
    code, said = _run(
        "differential", folder / "cells.parquet", "--by", "slide_id", "--taxonomy", "pbc",
        "--out", out,
    )  # fmt: skip
    assert code == 0, said
    return out


@pytest.mark.parametrize(("kind", "suffix"), [("fhir", "json"), ("hl7", "hl7"), ("pdf", "pdf")])
def test_a_file_a_slide_but_none_of_a_refused_one(
    counted: Path, tmp_path: Path, kind: str, suffix: str
) -> None:
    code, said = _run("send", counted, "--format", kind, "--out", tmp_path / "sent")
    assert code == 4
    assert "2 preliminary reports" in said
    assert "three: not sent" in said
    names = sorted(path.name for path in (tmp_path / "sent").iterdir())
    assert names == [f"%2E.%2Fone.{suffix}", f"two.{suffix}"]


def test_counts_patient_and_model_are_told(counted: Path, tmp_path: Path) -> None:
    known = tmp_path / "slides.csv"
    known.write_text("slide_id,patient_id,wbc\n../one,P7,5.0\ntwo,,\n")
    code, said = _run(
        "send", counted, "--format", "csv", "--out", tmp_path, "--slides", known, "--model", "mine"
    )
    assert code == 4, said
    rows = _rows(tmp_path / "%2E.%2Fone.csv")
    found = {row["code"]: row for row in rows}
    counts = [found[code]["count"] for code in ("SNE", "LY", "MY", "ERB", "EO")]
    assert counts == ["60", "38", "2", "4", "0"]
    assert (found["MY"]["percent"], found["MY"]["low"], found["MY"]["high"]) == (
        "2.0",
        "0.2",
        "7.0",
    )
    assert (found["MY"]["absolute_1e9_per_l"], found["MY"]["loinc"]) == ("0.10", "26498-6")
    assert {(r["status"], r["signer"], r["patient"]) for r in rows} == {("preliminary", "", "P7")}
    assert {(r["model"], r["model_sha256"]) for r in rows} == {("mine", "cd" * 32)}
    two = _rows(tmp_path / "two.csv")[0]
    assert (two["patient"], two["absolute_1e9_per_l"]) == ("", "")


def test_what_the_command_writes_is_preliminary(counted: Path, tmp_path: Path) -> None:
    _run("send", counted, "--out", tmp_path)
    bundle = json.loads((tmp_path / "two.json").read_text())
    assert {e["resource"].get("status") for e in bundle["entry"]} == {"preliminary", None}


def test_every_fault_of_the_tables_is_listed(counted: Path, tmp_path: Path) -> None:
    table = counted.read_text().splitlines()
    (tmp_path / "d.csv").write_text("\n".join([*table, table[1]]) + "\n")
    (tmp_path / "s.csv").write_text("slide_id,wbc\ntwo,7250\ntwo,x\n")
    code, said = _run("send", tmp_path / "d.csv", "--out", tmp_path, "--slides", tmp_path / "s.csv")
    assert code == 2
    for fault in ("is there twice", "wbc '7250'", "wbc 'x'", "slide 'two' is there twice"):
        assert fault in said
    assert not list(tmp_path.glob("*.json"))


def test_slides_that_the_other_table_lacks_are_told(counted: Path, tmp_path: Path) -> None:
    known = tmp_path / "slides.csv"
    known.write_text("slide_id,patient_id\ntwo,P2\ntow,P3\n")
    code, said = _run("send", counted, "--format", "csv", "--out", tmp_path, "--slides", known)
    assert code == 4
    assert "2 of 3 slides are not in it, first '../one'" in said
    assert "not counted: 1 slide, first 'tow'" in said
    known.write_text("slide_id,patient_id\n2,P2\n")
    code, said = _run("send", counted, "--format", "csv", "--out", tmp_path, "--slides", known)
    assert code == 2
    assert "none of the slides is in" in said


def test_flags_of_the_count_are_sent(counted: Path, tmp_path: Path) -> None:
    _run("send", counted, "--format", "csv", "--out", tmp_path)
    one, two = (_rows(tmp_path / f"{name}.csv")[0] for name in ("%2E.%2Fone", "two"))
    assert one["flags"] == "left_shift"
    assert "immature granulocytes 2.0 %, flagged" in one["remarks"]
    assert two["flags"] == ""
    _run("send", counted, "--format", "fhir", "--out", tmp_path / "sent")
    assert "left_shift" in (tmp_path / "sent" / "%2E.%2Fone.json").read_text()


def test_a_flag_by_an_adjusted_figure_states_that_figure(counted: Path, tmp_path: Path) -> None:
    table = pd.read_csv(counted)
    is_sum = (table["group"] == "../one") & (table["name"] == "immature granulocytes")
    table["adjusted_value"] = table["adjusted_value"].astype(float)
    table.loc[is_sum, "adjusted_value"] = 3.25
    table.to_csv(tmp_path / "d.csv", index=False)
    _run("send", tmp_path / "d.csv", "--format", "csv", "--out", tmp_path)
    said = _rows(tmp_path / "%2E.%2Fone.csv")[0]["remarks"]
    assert "immature granulocytes 2.0 % (adjusted 3.3 %), flagged" in said


def test_a_table_of_another_taxonomy_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    classes = (("SNE", "segmented neutrophil"), ("LY", "lymphocyte"), ("ERB", "erythroblast"))
    own.write_text('name = "own"\n' + "".join(
        f'[[classes]]\ncode = "{code}"\nname = "{name}"\nlineage = "none"\n'
        for code, name in classes
    ))  # fmt: skip
    calls = ["SNE"] * 5 + ["LY"] * 3 + ["ERB"] * 2
    frame = pd.DataFrame({"cell_id": [f"{n}.png" for n in range(10)], "label": calls})
    frame.assign(slide_id="one").to_parquet(tmp_path / "cells.parquet")
    out = tmp_path / "d.csv"
    code, said = _run("differential", tmp_path / "cells.parquet", "--taxonomy", own, "--out", out)
    assert code == 0, said
    code, said = _run("send", out, "--format", "csv", "--out", tmp_path / "sent")
    assert code == 2
    assert "ERB is a leukocyte, in taxonomy 'pbc' it is no leukocyte. Give --taxonomy" in said
    options = ("--format", "csv", "--taxonomy", own)
    assert _run("send", out, *options, "--out", tmp_path / "sent")[0] == 0
    sent = {row["code"]: row["percent"] for row in _rows(tmp_path / "sent" / "one.csv")}
    assert sent == {"SNE": "50.0", "LY": "30.0", "ERB": "20.0"}
