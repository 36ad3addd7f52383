"""Cells that are added to a review, and what was read and signed before."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from buffycoat.errors import ConfigError
from buffycoat.serve.project import import_predictions

Serve = Callable[..., Any]


@pytest.fixture
def whole(store: Any, written: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Twenty cells of one slide; the first ten are under review."""
    cells = frame.assign(slide_id="smear 1", patient_id="A")
    import_predictions(store, written(cells[:10]), "test")
    return cells


def test_more_cells_are_added_when_asked_for(
    store: Any, written: Any, frame: pd.DataFrame, serve_from: Serve
) -> None:
    import_predictions(store, written(frame[frame["slide_id"] == "smear 1"]), "test")
    with pytest.raises(ConfigError, match="--add"):
        import_predictions(store, written(frame), "test")
    assert import_predictions(store, written(frame), "test", is_adding=True) == 10
    client = serve_from(store, add=False).client()
    assert [row["n_cells"] for row in client.get("/slides")["slides"]] == [10, 10]
    client.take(1)
    client.finish(1)
    client.sign(1)
    extra = frame.assign(slide_id="smear 1")
    extra = extra[extra["cell_id"].str.startswith("LY")]
    with pytest.raises(ConfigError, match="on slide 'smear 1', under review it is"):
        import_predictions(store, written(extra), "test", is_adding=True)
    assert client.get("/log/check")["is_whole"]


def test_a_running_server_sees_cells_that_another_one_adds(
    store: Any, written: Any, whole: pd.DataFrame, serve_from: Serve
) -> None:
    client = serve_from(store, add=False).client()
    client.take(1)
    assert len(client.cells(1)) == 10
    import_predictions(store, written(whole), "test", is_adding=True)
    assert client.finish(1)["n_cells"] == 20
    assert client.sign(1)["n_cells"] == 20
    assert len(client.cells(1)) == 20


def test_added_cells_are_not_signed_before_they_were_shown(
    store: Any, written: Any, whole: pd.DataFrame, serve_from: Serve
) -> None:
    client = serve_from(store, add=False).client()
    client.take(1)
    client.finish(1)

    def seen() -> str:
        return client.get("/slides/1/differential", role="final")["state"]

    state = seen()
    import_predictions(store, written(whole), "test", is_adding=True)
    client.finish(1)
    refused = client.post("/slides/1/sign", 409, client_id="signature-1", state=state)["error"]
    assert refused["code"] == "changed"
    assert client.sign(1, state=seen())["n_cells"] == 20


def test_what_is_kept_of_a_slide_is_never_older_than_who_asks(
    store: Any, written: Any, whole: pd.DataFrame, serve_from: Serve
) -> None:
    served = serve_from(store, add=False)
    client, catalogue = served.client(), served.review.catalogue
    with store.reading() as earlier:
        assert catalogue.newest(earlier) == 10
        import_predictions(store, written(whole), "test", is_adding=True)
        sent = client.raw("/slides/1/export/csv").text  # nothing else was asked for before
        assert "2 of 10" not in sent
        assert "doubtful cells that no reader decided: 4 of 20" in sent
        assert len(catalogue.slide(earlier, 1).cells) == 10
    assert len(client.cells(1)) == 20


def test_a_signed_slide_gets_no_more_cells(
    store: Any, written: Any, whole: pd.DataFrame, serve_from: Serve
) -> None:
    client = serve_from(store, add=False).client()
    client.take(1)
    client.finish(1)
    client.sign(1)
    with pytest.raises(ConfigError, match="is signed and would get more cells"):
        import_predictions(store, written(whole), "test", is_adding=True)


def test_cells_of_another_patient_are_not_added_to_a_slide(
    store: Any, written: Any, frame: pd.DataFrame
) -> None:
    whole = frame.assign(slide_id="7", patient_id="A")
    import_predictions(store, written(whole[:10]), "test")
    for patient, words in (("B", "of patient 'B'"), ("", "of no known patient, or of several")):
        others = written(whole[10:].assign(patient_id=patient))
        with pytest.raises(ConfigError, match=f"slide '7' is {words}, .* of patient 'A'"):
            import_predictions(store, others, "test", is_adding=True)
    with pytest.raises(ConfigError, match="of patient 'B'"):
        import_predictions(store, written(whole[:10].assign(patient_id="B")), "test")
    assert import_predictions(store, written(whole[:10].assign(patient_id="")), "test") == 0
    assert import_predictions(store, written(whole), "test", is_adding=True) == 10


def test_a_patient_that_comes_too_late_is_told(
    store: Any, written: Any, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("buffycoat.notes._listeners", [told.append])
    import_predictions(store, written(frame.assign(patient_id="")), "test")
    import_predictions(store, written(frame), "test")
    (said,) = told
    assert "2 slides were put under review without a patient: their reports name none" in said


def test_what_is_told_of_one_is_told_of_one(
    store: Any,
    written: Any,
    frame: pd.DataFrame,
    serve_from: Serve,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr("buffycoat.notes._listeners", [told.append])
    cells = frame.assign(slide_id="smear 1", patient_id="")
    import_predictions(store, written(cells[:10]), "test")
    import_predictions(store, written(cells[:10].assign(patient_id="A")), "test")
    client = serve_from(store, add=False).client()
    client.take(1)
    client.finish(1)
    import_predictions(store, written(cells), "test", is_adding=True)
    assert [said.partition(": ")[2] for said in told] == [
        "1 slide was put under review without a patient: its report names none",
        "1 finished reading is open again, since its slide has more cells",
    ]


def test_nobody_has_read_cells_that_are_added_to_a_slide_that_is_read(
    store: Any, written: Any, whole: pd.DataFrame, serve_from: Serve
) -> None:
    client = serve_from(store, add=False).client()
    client.take(1)
    assert client.finish(1)["status"] == "ready"
    import_predictions(store, written(whole), "test", is_adding=True)
    refused = client.post("/slides/1/sign", 409, client_id="signature-1")
    assert "the first reading is not finished" in refused["error"]["message"]
    assert [e["kind"] for e in client.get("/log")["entries"]][-2:] == ["reopened", "imported"]
    client.finish(1)
    assert client.sign(1)["n_cells"] == 20


def test_a_signed_version_says_the_same_after_cells_of_another_model_were_added(
    store: Any, written: Any, frame: pd.DataFrame, serve_from: Serve
) -> None:
    read = written(frame.assign(slide_id="smear 1", patient_id="A"))
    field = {"field": {"name": "field.png", "box": "0,0,9,9"}}
    boxed = [replace(cell, details=cell.details | field) for cell in read.cells]
    import_predictions(store, replace(read, cells=tuple(boxed[:10])), "test")
    client = serve_from(store, add=False).client()
    client.take(1)
    client.finish(1)
    client.sign(1)

    def sent() -> list[str]:
        kinds = ("csv", "hl7", "fhir", "geojson")
        return [client.raw(f"/slides/1/export/{kind}?version=1").text for kind in kinds]

    before = sent()
    assert len(json.loads(before[-1])["features"]) == 10
    client.post("/slides/1/amend", client_id="amendment-1", reason="more cells")
    late = tuple(replace(cell, bundle_sha256="c" * 64) for cell in boxed[10:])
    import_predictions(store, replace(read, cells=late), "test", is_adding=True)
    assert client.cells(1)[0]
    assert sent() == before


def test_another_bundles_predictions_of_the_same_cells_are_not_added(
    store: Any, written: Any, frame: pd.DataFrame
) -> None:
    import_predictions(store, written(frame), "test")
    with pytest.raises(ConfigError, match="20 of its cells"):
        import_predictions(
            store, written(frame.assign(bundle_sha256="c" * 64)), "test", is_adding=True
        )
