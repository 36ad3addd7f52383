"""Predictions under review: begun, continued, added to, or refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from buffycoat.cli.main import app
from buffycoat.errors import ConfigError, ManifestError
from buffycoat.evaluate.counting import Counting, count
from buffycoat.serve import predictions as tables
from buffycoat.serve.places import check_fields, find_places
from buffycoat.serve.project import import_predictions

Serve = Callable[..., Any]


def test_the_same_predictions_again_continue(serve: Serve) -> None:
    client = serve().client()
    client.take(1)
    n = client.cells(1)[0]["n"]
    client.decide(("decision-1", n, "MO", None))
    again = serve().client()
    assert again.cells(1)[0]["label"] == "MO"
    assert again.get("/session")["project"]["n_cells"] == 20


def test_a_second_reader_who_is_left_out_is_told(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("buffycoat.notes._listeners", [told.append])
    serve(second=True)
    serve(second=True)
    assert told == []
    serve()
    serve(second=True)
    assert "started without it: no slide needs a second reading any more" in told[0]
    assert "from now on every slide needs a second reading" in told[1]


def test_other_predictions_are_refused(store: Any, written: Any, frame: pd.DataFrame) -> None:
    import_predictions(store, written(frame), "test")
    for other, words in (
        (frame.assign(bundle_sha256="c" * 64), "another bundle"),
        (frame.assign(label=["SNE", *frame["label"][1:-1], "LY"]), "is LY on slide"),
        (frame.assign(slide_id="elsewhere"), "on slide 'elsewhere'"),
    ):
        with pytest.raises(ConfigError, match=words):
            import_predictions(store, written(other), "test")


def test_a_long_worklist_reads_no_cells_again(serve: Serve, monkeypatch: Any) -> None:
    monkeypatch.setattr("buffycoat.serve.catalogue.KEPT_SLIDES", 1)
    client = serve().client()
    before = client.get("/slides")
    monkeypatch.setattr("buffycoat.serve.catalogue._cell", None)
    assert client.get("/slides") == before


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("prob_LY", None, "SNE-0.png: prob_LY is '', expected a number"),
        ("is_abstained", "maybe", "is_abstained 'maybe', expected True or False"),
        ("slide_id", "a\tb", "'a\\\\tb' has a control character, which no report can carry"),
        ("patient_id", "a\x00b", "which no report can carry"),
    ],
)
def test_what_a_review_could_not_use_is_refused_before_it_begins(
    written: Any, frame: pd.DataFrame, column: str, value: str | None, words: str
) -> None:
    others = frame[column].astype(object)
    others[0] = value
    with pytest.raises(ManifestError, match=words):
        written(frame.assign(**{column: others if value is None else others.astype(str)}))


def test_a_table_of_two_bundles_is_refused(written: Any, frame: pd.DataFrame) -> None:
    mixed = frame.assign(bundle_sha256=["b" * 64, *["c" * 64] * (len(frame) - 1)])
    with pytest.raises(ManifestError, match="2 bundles"):
        written(mixed)


def test_plain_labels_are_reviewed_without_reasons(
    store: Any, tmp_path: Path, reviewed: Path, frame: pd.DataFrame, serve_from: Serve
) -> None:
    table = tmp_path / "plain.csv"
    pd.DataFrame({"ID": frame["cell_id"], "labels": frame["label"]}).to_csv(table, index=False)
    import_predictions(store, tables.read(table, reviewed / "cells"), "test")
    client = serve_from(store, add=False).client()
    (row,) = client.get("/slides")["slides"]
    assert (row["id"], row["n_cells"], row["n_doubtful"]) == ("plain", 20, None)
    assert client.get("/slides/1/differential")["status"] == "doubt unknown"
    assert client.get("/slides/1/cells")["cells"][0]["probability"] is None
    assert client.get("/cells/1")["alike"] == []


@pytest.mark.parametrize("lacks", [[], ["slide_id"], ["slide_id", "patient_id"]])
def test_a_review_and_a_differential_count_alike(
    written: Any, frame: pd.DataFrame, tmp_path: Path, lacks: list[str]
) -> None:
    table = frame.drop(columns=lacks)
    reviewed = {cell.name: cell.slide for cell in written(table).cells}
    counted = count(tmp_path / "other.parquet", Counting(taxonomy="blood"))
    assert counted.group_of == reviewed
    assert [*counted.cautions] == (
        [] if not lacks else
        ["other.parquet has no slide_id: counted by patient_id."] if len(lacks) == 1 else
        ["other.parquet has no slide_id and no patient_id: all cells are counted together. Name a "
         "column with --by, or a table with --groups."]
    )  # fmt: skip


def test_slides_of_another_table(written: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    groups = tmp_path / "slides.csv"
    names = [f"slide {n % 3}" for n in range(len(frame))]
    pd.DataFrame({"ID": frame["cell_id"], "smear": names}).to_csv(groups, index=False)
    read = written(frame, groups=groups, by="smear")
    assert {cell.slide for cell in read.cells} == {"slide 0", "slide 1", "slide 2"}


def test_a_table_of_fields_gives_slides_and_patients(
    written: Any, frame: pd.DataFrame, tmp_path: Path
) -> None:
    groups = tmp_path / "slides.csv"
    groups.write_text("ID,slide_id,patient_id\na.png,S1,P1\nb.png,S2,P2\n")
    of_fields = frame.assign(field=["a.png"] * 10 + ["b.png"] * 10)
    read = written(of_fields, groups=groups, by="slide_id")
    assert [(cell.slide, cell.patient) for cell in read.cells] == [("S1", "P1")] * 10 + [
        ("S2", "P2")
    ] * 10
    groups.write_text("ID,slide_id,patient_id\na.png,S1,P1\nb.png,S2,\n")
    half = written(of_fields, groups=groups, by="slide_id")
    assert {(cell.slide, cell.patient) for cell in half.cells} == {("S1", "P1"), ("S2", None)}
    groups.write_text("ID,slide_id,patient_id\na.png,S1,P1\nb.png,,P2\n")
    with pytest.raises(ManifestError, match="10 of 20 cells have no slide_id"):
        written(of_fields, groups=groups, by="slide_id")
    groups.write_text("ID,slide_id,patient_id\na.png,S1,P1\nb.png,S1,P2\n")
    mixed = written(of_fields, groups=groups, by="slide_id")
    assert {(cell.slide, cell.patient) for cell in mixed.cells} == {("S1", None)}


def test_pictures_elsewhere_are_refused(reviewed: Path, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"no predicted cell, such as 'unknown\.png', is"):
        find_places(reviewed / "cells", ["unknown.png"])
    outside = tmp_path / "in" / "table.csv"
    outside.parent.mkdir()
    outside.write_text(f"path\n{reviewed / 'cells' / 'LY-1.png'}\n")
    with pytest.raises(ManifestError, match="lies outside"):
        find_places(outside, ["LY-1.png"])


def test_patients_slides_and_cells_stay_out_of_urls(single: Any) -> None:
    spec = single.raw("/openapi.json").json()
    for path, methods in spec["paths"].items():
        for method in methods.values():
            for parameter in method.get("parameters", ()):
                if parameter["name"] in ("slide", "n", "cell"):
                    schema = parameter["schema"]
                    kinds = {kind["type"] for kind in schema.get("anyOf", (schema,))}
                    assert "integer" in kinds <= {"integer", "null"}, path


def run(*words: Any) -> tuple[int, str]:
    """Exit code and what was printed, without line breaks."""
    done = CliRunner().invoke(app, ["review", *map(str, words)])
    return done.exit_code, " ".join(done.output.split())


def test_commands_say_what_is_missing(reviewed: Path, tmp_path: Path) -> None:
    code, said = run("check", "--database", tmp_path / "none.sqlite")
    assert (code, "no such file" in said) == (2, True)
    code, said = run(reviewed / "cells.parquet", "--images", tmp_path / "none")
    assert (code, "no such file or folder" in said) == (2, True)
    database = f"sqlite:///{tmp_path / 'r.sqlite'}"
    words = ("--images", reviewed / "cells", "--host", "0.0.0.0", "--port", 0)
    code, said = run(reviewed / "cells.parquet", *words, "--database", database)
    assert (code, "others can reach" in said) == (2, True)


def test_accounts_by_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "password"
    secret.write_text("four plain words here\nnot this\n")
    options = ("--database", f"sqlite:///{tmp_path / 'r.sqlite'}")
    given = ("--password-file", secret, *options)
    assert run("users", "add", "anna", "--role", "admin", *given)[0] == 0
    monkeypatch.setenv("BUFFYCOAT_REVIEW_PASSWORD", "short")
    code, said = run("users", "add", "bela", "--role", "reader", *options)
    assert (code, "expected 12" in said) == (2, True)
    code, said = run("users", "add", "carl", "--role", "king", *given)
    assert (code, "'king'" in said) == (2, True)
    assert run("users", "list", *options)[1] == "anna: admin"
    code, said = run("users", "password", "nobody", *given)
    assert (code, "nobody" in said) == (2, True)
    assert run("check", *options)[1].startswith("1 entry, whole")


def test_the_first_account_of_the_command_line_is_an_admins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUFFYCOAT_REVIEW_PASSWORD", "four plain words here")
    options = ("--database", f"sqlite:///{tmp_path / 'r.sqlite'}")
    code, said = run("users", "add", "bob", "--role", "reader", *options)
    assert (code, "must have the role admin" in said) == (2, True)
    assert "No accounts" in run("users", "list", *options)[1]


def test_fields_of_another_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert check_fields(tmp_path, ["a.png", "a.png"]) == ""
    assert "1 of 2 fields is not there, the first b.png" in check_fields(
        tmp_path, ["a.png", "b.png"]
    )
    for folder, words in (
        (tmp_path, r"none of the fields that the cells were cut from, such as b\.png\."),
        (tmp_path / "x", "no such folder"),
    ):
        with pytest.raises(ConfigError, match=words):
            check_fields(folder, ["b.png"])


def test_a_table_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    code, said = run(tmp_path / "none.parquet", "--images", tmp_path)
    assert (code, "no such file" in said, "Download" in said) == (2, True, False)


def test_unknown_doubt_is_told(
    tmp_path: Path, reviewed: Path, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("buffycoat.serve.run.serve", lambda *_: None)
    table = tmp_path / "plain.csv"
    pd.DataFrame({"ID": frame["cell_id"], "labels": frame["label"]}).to_csv(table, index=False)
    code, said = run(table, "--images", reviewed / "cells", "--port", 0, "--no-browser")
    assert (code, "Doubt unknown" in said) == (0, True), said
