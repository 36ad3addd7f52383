"""What the server suggests to label next."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from buffycoat.serve import predictions as tables
from buffycoat.serve.database import Store
from buffycoat.serve.migrate import migrate
from buffycoat.serve.project import import_predictions
from buffycoat.serve.states import decided_cells, labels_of


def test_a_picture_without_a_white_cell_is_not_suggested(
    serve_from: Callable[..., Any], reviewed: Path, tmp_path: Path
) -> None:
    frame = pd.read_parquet(reviewed / "cells.parquet")
    reason = {"stage": "segment", "code": "no_cell", "text": "no nucleus in the middle"}
    frame.loc[3, "reasons"], frame.loc[3, "evidence"] = "no_cell", json.dumps([reason])
    frame.to_parquet(tmp_path / "cells.parquet", index=False)
    store = Store(f"sqlite:///{tmp_path / 'review.sqlite'}")
    migrate(store)
    predicted = tables.read(tmp_path / "cells.parquet", reviewed / "cells")
    import_predictions(store, predicted, "test")
    browser = serve_from(store, add=False).client()
    cells = {cell["id"]: cell["n"] for cell in browser.cells(1)}
    del cells[frame.loc[3, "cell_id"]]
    suggested = browser.get("/suggestions", slide=1, count=200)["cells"]
    assert {cell["n"] for cell in suggested} == {*cells.values()}
    store.close()


def test_a_cell_whose_decision_was_withdrawn_is_suggested_again(
    serve_from: Callable[..., Any], tmp_path: Path
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'review.sqlite'}")
    migrate(store)
    browser = serve_from(store).client()

    def suggested() -> set[int]:
        cells = browser.get("/suggestions", slide=1, count=200)["cells"]
        return {cell["n"] for cell in cells}

    every = suggested()
    browser.take(1)
    n = min(every)
    (done,) = browser.decide(("decision-1", n, "MO", None))["accepted"]
    assert suggested() == every - {n}
    browser.decide(("decision-2", n, None, done["seq"]))
    assert suggested() == every
    with store.reading() as reader:
        assert decided_cells(labels_of(reader, 1), ()) == set(), "of no reading nothing is known"
    store.close()
