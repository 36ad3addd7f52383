"""Cells of any name pass from `predict` to `evaluate`, `compare` and pandas."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import buffycoat
from buffycoat.cli.predict import write_bad
from buffycoat.evaluate.compared import read_compared
from buffycoat.evaluate.scored import read_scored
from buffycoat.images import BadCell
from buffycoat.predict import results
from buffycoat.predict.columns import AS_SUBMITTED
from buffycoat.predict.job import Task, open_job
from buffycoat.predict.rows import schema

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20
).filter(lambda name: name not in (".", "..") and name.strip())
"""What a file system takes for a name; one of spaces alone is refused by the readers of cells."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(NAMES, min_size=3, max_size=6, unique=True))
@example(["b\rc.png", " lead.png", "a.png"])
@example(["NA", "001", "1"])
@example(["ID", "labels", "sep=;"])
def test_any_name_passes(tmp_path: Path, names: list[str]) -> None:
    labels = ["SNE", "LY", "MO", "EO", "BA", "BNE"][: len(names)]
    frame = pd.DataFrame({"cell_id": names, "label": labels})
    bad = (BadCell(names[0], f"/cells/{names[0]}", 'torn, "quite"'),)
    table, everything = tmp_path / "p.csv", tmp_path / "p.parquet"
    task = Task("", "", (), tuple(frame), None, None, 1024)
    with open_job(tmp_path / f"job{len(list(tmp_path.iterdir()))}", task, len(frame) + 1) as job:
        job.write(0, pa.Table.from_pandas(frame, schema(frame), preserve_index=False), bad)
        results.write_csv(job, table, AS_SUBMITTED, list(frame))
        results.write_parquet(job, everything, list(frame))
        write_bad(tuple(job.bad()), table)
    for scored in (read_scored(everything, table), read_scored(table, everything)):
        assert scored.cell_ids == names
        assert scored.predicted == scored.targets == labels
    truth = tmp_path / "truth.csv"
    truth.write_bytes(table.read_bytes())
    assert read_compared(table, everything, truth).frame["ID"].tolist() == names
    call: dict[str, Any] = {"dtype": {"ID": str}, "keep_default_na": False}
    assert pd.read_csv(table, **call)["ID"].tolist() == names
    assert pd.read_csv(f"{table}.bad.csv", **call).to_dict("records") == [
        {"ID": names[0], "path": f"/cells/{names[0]}", "reason": 'torn, "quite"'}
    ]


def test_there_is_one_writer_of_csv() -> None:
    source = Path(buffycoat.__file__).parent
    own = re.compile(r"\.to_csv\(part|frame\.to_csv\(|csv\.writer\(|DictWriter\(")
    assert [path.name for path in source.rglob("*.py") if own.search(path.read_text())] == []
