"""The table of `benchmarks.field_differential`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from benchmarks.field_differential import rows_of


def test_types_of_matched_and_counted_cells() -> None:
    truth = {
        "a.jpg": (np.array([[10, 10, 20, 20], [50, 50, 20, 20.0]]), ["NE", "LY"]),
        "b.jpg": (np.empty((0, 4)), []),
    }
    predictions = pd.DataFrame({
        "field": ["a.jpg", "a.jpg", "b.jpg", "b.jpg"],
        "box": ["11,10,20,20", "50,52,20,20", "5,5,20,20", "60,60,20,20"],
        "label": ["BNE", "MMY", "SNE", "ERB"],
        "is_abstained": [False, True, False, False],
        "is_counted": [True, True, True, True],
        "field_faults": ["", "", "", ""],
    })  # fmt: skip
    table = pd.DataFrame(rows_of("one", predictions, truth)).set_index("type")
    assert table.loc["NE", ["annotated", "counted", "matched", "right"]].tolist() == [1, 2, 1, 1]
    assert table.loc["NE", "without_box"] == 1  # and the erythroblast is no leukocyte
    assert table.loc["LY", ["counted", "matched", "right", "doubtful"]].tolist() == [0, 1, 0, 1]
    assert table.loc["other", "counted"] == 1
    assert table.loc["all", ["counted", "matched", "right", "right_of_sure"]].tolist() == [
        3, 2, 1, 1,
    ]  # fmt: skip
