"""What is written comes back the same, by our reader, by pandas and by the csv module."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buffycoat.errors import OutputError
from buffycoat.tables import csv_text, read_rows, write_csv

NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
"""What a file system takes for a name."""
AWKWARD = [
    *("a.png", "NA", "null", "nan", "001", "1e5", "#1", "=SUM(A1)", "True", "ID", "label"),
    *(" lead", "trail ", " ", "a,b", "a;b", "a|b", "a\tb", 'a"b', '"a"', '"', "a\nb", "a\rb"),
    *("\r", "\n", "\r\n", "a\u2028b", "\x85", "\ufeffa", "\x1c", "\x1a", "é", "細胞.png", "'a'"),
    *("sep=;", "{", "PAR1", "<html>", "\u3000a\u3000", "2020-01-01", "-", "\\", "a\\", "%s"),
]


def _check(path: Path, names: list[str], numbers: list[float]) -> None:
    frame = pd.DataFrame({"ID": names, "label": "SNE", "score": numbers})
    write_csv(path, frame)
    rows = read_rows(path, ("ID", "label", "score"))
    assert rows.column("ID") == names
    assert {*rows.column("label")} == {"SNE"}
    assert [float(text) for text in rows.column("score")] == numbers
    found = pd.read_csv(path, dtype={"ID": str}, keep_default_na=False, na_values=[""])
    assert found["ID"].tolist() == names
    assert {*found["label"]} == {"SNE"}
    assert found["score"].tolist() == numbers
    with path.open(encoding="utf-8", newline="") as file:
        assert [row["ID"] for row in csv.DictReader(file)] == names


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(NAMES, st.floats(allow_nan=False)), min_size=1, max_size=8))
def test_any_name_and_number_comes_back(tmp_path: Path, cells: list[tuple[str, float]]) -> None:
    _check(tmp_path / "t.csv", [name for name, _ in cells], [number for _, number in cells])


def test_awkward_names_come_back(tmp_path: Path) -> None:
    _check(tmp_path / "t.csv", AWKWARD, [0.1] * len(AWKWARD))
    for name in AWKWARD:
        _check(tmp_path / "t.csv", [name], [1 / 3])


def test_ordinary_names_are_not_quoted(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ID": ["a b-1.png", "é/ü.jpg"], "labels": ["SNE", "LY"]})
    write_csv(tmp_path / "new" / "t.csv", frame)
    assert (tmp_path / "new" / "t.csv").read_bytes().decode() == (
        "ID,labels\na b-1.png,SNE\né/ü.jpg,LY\n"
    )


def test_kinds_of_values() -> None:
    values = (None, np.nan, pd.NA, pd.NaT, True, np.int64(2**60 + 1), np.float32(0.1), np.inf)
    assert csv_text(["a"], [[value] for value in values]).split("\n")[1:-1] == [
        *['""'] * 4,
        *("True", str(2**60 + 1), "0.1", "inf"),
    ]
    assert csv_text(["a"], [[pd.Timestamp(2020, 1, 2)]]) == "a\n2020-01-02T00:00:00\n"


def test_columns_keep_their_numbers(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "n": pd.array([1, None, 3], "Int64"),
            "share": np.array([0.1, 1 / 3, 2], np.float32),
            "is_bad": [True, False, True],
        }
    )
    write_csv(tmp_path / "t.csv", frame)
    found = pd.read_csv(tmp_path / "t.csv", keep_default_na=False, na_values=[""])
    assert found["n"].astype("Int64").equals(frame["n"])
    assert np.array_equal(found["share"].astype(np.float32), frame["share"])
    assert found["is_bad"].tolist() == [True, False, True]
    write_csv(tmp_path / "t.csv", frame.iloc[:0])
    assert (tmp_path / "t.csv").read_text() == "n,share,is_bad\n"


def test_a_name_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ID": pd.Series(["a.png", "b\udce9.png"], dtype=object)})
    with pytest.raises(OutputError, match=r"b\\udce9.png.*Rename"):
        write_csv(tmp_path / "t.csv", frame)
    assert not (tmp_path / "t.csv").exists()
