"""What is counted, and what a report says of how it was read."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from buffycoat.images import read_bytes
from buffycoat.serve import pictures
from buffycoat.serve import predictions as tables
from buffycoat.serve.project import import_predictions

Serve = Callable[..., Any]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """SQLite alone: what is counted does not depend on the database."""
    return f"sqlite:///{tmp_path / 'review.sqlite'}"


@pytest.fixture
def frame(reviewed: Path) -> pd.DataFrame:
    return pd.read_parquet(reviewed / "cells.parquet")


@pytest.fixture
def serve_table(
    store: Any, reviewed: Path, tmp_path: Path, serve_from: Serve
) -> Callable[[pd.DataFrame], Any]:
    """Serves a table of predictions for the same pictures."""

    def make(table: pd.DataFrame, **options: Any) -> Any:
        path = tmp_path / "table.parquet"
        table.to_parquet(path, index=False)
        import_predictions(store, tables.read(path, reviewed / "cells"), "test")
        return serve_from(store, add=False, **options)

    return make


def csv_of(client: Any, slide: int = 1) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(client.raw(f"/slides/{slide}/export/csv").text)))


def test_cells_that_the_rule_of_fields_leaves_out_are_shown_and_not_counted(
    serve_table: Any, frame: pd.DataFrame
) -> None:
    of_fields = frame.assign(
        field="field.png", kind="cell", is_counted=True, field_faults="", is_cut=False
    )
    of_fields.loc[0, ["is_counted", "is_cut"]] = [False, True]
    of_fields.loc[1, "field_faults"] = "blurred"
    client = serve_table(of_fields).client()
    cells = {cell["id"]: cell for cell in client.get("/slides/1/cells")["cells"]}
    assert len(cells) == 10
    cut, blurred = (cells[name] for name in frame["cell_id"][:2])
    assert cut["not_counted"] == "cut by the right or lower border of its field"
    assert blurred["not_counted"] == "its field has a fault: blurred"
    assert sum(cell["is_counted"] for cell in cells.values()) == 8

    client.take(1)
    client.decide(("decision-1", cut["n"], "BL", None))
    shown = client.get("/slides/1/differential")
    assert {row["code"]: row["count"] for row in shown["rows"]}["BL"] == 2
    assert (shown["n_cells"], [one["n"] for one in shown["left_out"]]) == (10, [1, 1])
    before = csv_of(client)
    client.finish(1)
    signed = client.sign(1)
    assert sum(row["count"] for row in signed["rows"]) == 8
    assert "1 cell not counted: cut by the right or lower border of its field." in signed["notes"]
    after = csv_of(client)
    for rows in (before, after):
        assert {row["n_counted"] for row in rows} == {"8"}
        assert "Not counted: 1 its field has a fault: blurred." in rows[0]["comment"]
    assert client.get("/agreement")["n_cells"] == 8


def test_a_report_says_how_many_cells_a_person_decided(serve_table: Any, frame: Any) -> None:
    client = serve_table(frame).client()
    assert csv_of(client)[0]["method"] == "Cells on a stained blood smear, classified by software"
    client.take(1)
    client.finish(1)
    assert client.get("/slides/1/differential")["undecided_doubtful"] == 2
    signed = client.sign(1)
    assert (signed["n_decided"], signed["undecided_doubtful"]) == (0, 2)
    (said,) = {row["method"] for row in csv_of(client)}
    assert said.endswith("one by one: 0 of 10 cells, 10 accepted as classified")
    assert "confirmed" not in said
    assert "Doubtful cells that no reader decided: 2." in csv_of(client)[0]["comment"]


def test_doubtful_cells_are_decided_by_any_reading_and_by_none_that_was_withdrawn(
    serve_table: Any, frame: Any
) -> None:
    client = serve_table(frame).client()
    client.take(1)
    first, other = (cell["n"] for cell in client.cells(1)[:2])
    (done,) = client.decide(("decision-1", first, "LY", None))["accepted"]
    client.finish(1)
    client.take(1, "consensus")
    shown = client.get("/slides/1/differential", role="consensus")
    assert (shown["n_decided"], shown["undecided_doubtful"]) == (1, 1)
    client.decide(("decision-2", other, "MO", None), role="consensus")
    assert client.get("/slides/1/differential", role="consensus")["undecided_doubtful"] == 0
    client.post("/slides/1/readings/first/reopen")
    client.decide(("decision-3", first, None, done["seq"]))
    assert client.get("/slides/1/differential", role="final")["undecided_doubtful"] == 1


def test_the_white_cells_stay_with_the_slide(serve_table: Any, frame: Any) -> None:
    served = serve_table(frame)
    served.add("anna", "reader")
    served.add("carl", "reader", "signer", "admin")
    anna, carl = served.client("anna"), served.client("carl")
    anna.take(1)
    given = {"client_id": "white-cells-1", "wbc": 7.5}
    assert anna.post("/slides/1/wbc", **given)["wbc"] == 7.5
    assert anna.post("/slides/1/wbc", **given)["wbc"] == 7.5
    assert csv_of(carl)[0]["absolute_1e9_per_l"]
    anna.finish(1)
    assert carl.get("/slides/1/differential")["wbc"] == 7.5
    assert carl.sign(1)["wbc"] == 7.5
    assert anna.post("/slides/1/wbc", 409, client_id="white-cells-2", wbc=8)["error"]["code"]
    carl.post("/slides/1/amend", client_id="amendment-1", reason="mistaken")
    assert carl.sign(1, "signature-2", comment="no change")["wbc"] == 7.5
    kinds = [entry["kind"] for entry in carl.get("/log")["entries"]]
    assert kinds.count("wbc") == 1
    assert carl.get("/log/check")["is_whole"]


@pytest.mark.parametrize("wbc", [7500, 2000, 0, -1])
def test_white_cells_in_another_unit_are_refused_in_words(
    serve_table: Any, frame: Any, wbc: float
) -> None:
    client = serve_table(frame).client()
    message = client.get("/slides/1/differential", 422, wbc=wbc)["error"]["message"]
    assert message == f"WBC {wbc}, expected 10^9/L, above 0 and below 2000: 7.5, not 7500"
    client.post("/slides/1/wbc", 422, client_id="white-cells-1", wbc=wbc)


def test_pictures_that_are_gone_or_swapped_are_told_before_and_after_the_signature(
    serve_from: Serve, store: Any, frame: pd.DataFrame, reviewed: Path, tmp_path: Path
) -> None:
    images = tmp_path / "cells"
    shutil.copytree(reviewed / "cells", images)
    sums = [hashlib.sha256((images / name).read_bytes()).hexdigest() for name in frame["cell_id"]]
    path = tmp_path / "table.parquet"
    frame.assign(image_sha256=sums).to_parquet(path, index=False)
    import_predictions(store, tables.read(path, images), "test")
    gone, swapped, other = (images / name for name in frame["cell_id"][:3])
    gone.unlink()
    shutil.copyfile(other, swapped)
    client = serve_from(store, add=False, images=images).client()
    cells = {cell["id"]: cell for cell in client.get("/slides/1/cells")["cells"]}
    assert [cells[one.name]["is_changed"] for one in (swapped, other)] == [True, False]
    shown = client.get("/slides/1/differential")
    assert (shown["missing"], shown["changed"]) == (1, 1)
    client.take(1)
    client.finish(1)
    signed = client.sign(1)
    assert (signed["missing"], signed["changed"]) == (1, 1)
    assert (
        "Cells whose picture was not the one that was classified: 1."
        in csv_of(client)[0]["comment"]
    )


def test_a_picture_that_is_swapped_mid_work_is_told_and_others_are_read_once(
    serve_from: Serve, store: Any, frame: pd.DataFrame, reviewed: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    images = tmp_path / "cells"
    shutil.copytree(reviewed / "cells", images)
    sums = [hashlib.sha256((images / name).read_bytes()).hexdigest() for name in frame["cell_id"]]
    path = tmp_path / "table.parquet"
    frame.assign(image_sha256=sums).to_parquet(path, index=False)
    import_predictions(store, tables.read(path, images), "test")
    client = serve_from(store, add=False, images=images).client()
    read = Counter[str]()

    def count(ref: Any) -> bytes:
        read[Path(ref.path).name] += 1
        return read_bytes(ref)

    monkeypatch.setattr(pictures, "read_bytes", count)
    n_cells = len(client.cells(1))
    client.cells(1)
    assert client.get("/slides/1/differential")["changed"] == 0
    assert sum(read.values()) == n_cells, "each once"
    swapped, other = (images / name for name in frame["cell_id"][:2])
    shutil.copyfile(other, swapped)
    assert client.get("/slides/1/differential")["changed"] == 1
    changed = [cell["id"] for cell in client.cells(1) if cell["is_changed"]]
    assert changed == [swapped.name]
    assert read[swapped.name] == 2
    assert sum(read.values()) == n_cells + 1
    client.take(1)
    client.finish(1)
    assert client.sign(1)["changed"] == 1
    assert sum(read.values()) == 2 * n_cells + 1, "a signature reads every picture again"


def test_erythroblasts_are_stated_per_100_leukocytes(serve_table: Any, frame: Any) -> None:
    shown = serve_table(frame).client().get("/slides/1/differential")
    (one,) = shown["per_100"]
    assert (one["code"], one["count"], one["value"]) == ("ERB", 2, 25.0)
    units = {row["code"]: row["unit"] for row in shown["rows"]}
    assert (units["ERB"], units["SNE"]) == ("per 100 leukocytes", "%")


def test_flags_are_of_the_labels_that_are_shown(serve_table: Any, frame: Any) -> None:
    client = serve_table(frame).client()
    client.take(1)
    blasts = [cell["n"] for cell in client.cells(1) if cell["predicted"] == "BL"]
    client.decide(*((f"decision-{n}", n, "LY", None) for n in blasts))

    def flags(role: str) -> set[str]:
        found = client.get("/slides/1/differential", role=role)["flags"]
        return {one["code"] for one in found}

    assert "blasts" in flags("model")
    assert "blasts" not in flags("first")
    assert "blasts" not in flags("final")


def test_a_class_that_the_model_does_not_know_can_be_given(
    store: Any, reviewed: Path, tmp_path: Path, serve_from: Serve, frame: Any
) -> None:
    path = tmp_path / "table.parquet"
    frame[frame.label != "BL"].drop(columns="prob_BL").to_parquet(path, index=False)
    import_predictions(store, tables.read(path, reviewed / "cells", "blood"), "test")
    client = serve_from(store, add=False).client()
    client.take(1)
    client.decide(("decision-1", client.cells(1)[0]["n"], "BL", None))
    found = client.get("/slides/1/differential", role="first")
    (blasts,) = (row for row in found["rows"] if row["code"] == "BL")
    assert (blasts["count"], blasts["predicted_count"]) == (1, 0)
    assert "blasts" in {one["code"] for one in found["flags"]}


def test_a_blind_slide_counts_nothing_of_the_other_reading(serve_from: Serve, store: Any) -> None:
    served = serve_from(store, second=True)
    for name in ("bob", "anna"):
        served.add(name, "reader", "signer", "admin")
    bob, anna = served.client("bob"), served.client("anna")
    flags = anna.get("/slides/1")["flags"]
    bob.take(1)
    bob.decide(("decision-1", bob.cells(1)[0]["n"], "MO", None))
    for finish in (False, True):
        if finish:
            bob.finish(1)
        row = anna.get("/slides/1")
        assert row["n_changed"] is None
        assert row["flags"] == flags
        assert anna.get("/slides")["slides"][0] == row
        assert [one["n_decided"] for one in row["readings"]] == [None]
    (done,) = (e for e in anna.get("/log")["entries"] if e["kind"] == "finished")
    assert done["data"] == {"role": "first", "is_hidden": True}
    assert anna.get("/slides/1")["my_role"] is None
    anna.get("/slides/1/cells")
    assert anna.get("/slides/1")["my_role"] is None


def test_an_amendment_opens_the_reading_of_who_read_alone(serve_table: Any, frame: Any) -> None:
    client = serve_table(frame).client()
    client.take(1)
    n = client.cells(1)[0]["n"]
    client.finish(1)
    client.sign(1, comment="as seen")
    row = client.post("/slides/1/amend", client_id="amendment-1", reason="mistaken")
    assert (row["my_role"], row["readings"][0]["finished"]) == ("first", False)
    client.finish(1)
    again = {"client_id": "signature-2", "comment": "as seen"}
    assert client.post("/slides/1/sign", 409, **again)["error"]["code"] == "unchanged"
    client.post("/slides/1/readings/first/reopen")
    client.decide(("decision-1", n, "MO", None))
    client.finish(1)
    assert client.post("/slides/1/sign", **again)["version"] == 2
