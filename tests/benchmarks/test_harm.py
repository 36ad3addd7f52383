from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import harm
from buffycoat.images import write_png


def _rows(**changed: np.ndarray) -> dict[str, np.ndarray]:
    """Ten cells at severity 0 and 2; at 2 the first five are blurred, the others noisy."""
    rows = {
        "cell": np.tile(np.arange(10), 2),
        "severity": np.repeat([0, 2], 10),
        "groups": np.concatenate([np.zeros(10), np.repeat([2.0, 1.0], 5)]),
        "gain_db": np.concatenate([np.full(10, -25.0), np.full(5, -2.0), np.full(5, 8.0)]),
        "before": np.repeat([False, True], 10),
        "after": np.concatenate([np.full(15, False), np.full(5, True)]),
    }
    return rows | changed


def test_harm_is_counted_beside_the_mean() -> None:
    table = harm.tabulate(_rows())
    assert set(table) == {"0", "2", "1-4", "noise, 1-4", "blur, 1-4"}
    assert table["0"]["before"]["harmed"]["count"] == 0  # nothing was restored
    two = table["2"]
    assert two["before"]["gain_db"]["mean"] == pytest.approx(3.0)
    assert two["after"]["gain_db"]["mean"] == pytest.approx(4.0)
    assert two["after_less_before_db"]["mean"] == pytest.approx(1.0)
    assert two["before"]["harmed"]["count"] == 5
    assert two["before"]["harmed"]["low"] < 0.5 < two["before"]["harmed"]["high"]
    assert two["after"]["harmed"] == {
        "count": 0, "n": 10, "share": 0.0, "low": 0.0, "high": pytest.approx(1 - 0.025**0.1)
    }  # fmt: skip
    assert table["blur, 1-4"]["after"]["harmed_of_restored"] == {"count": 0, "n": 0}
    assert "| 2 | 10 | 10 / 5 |" in harm.markdown(table)


def test_a_loss_under_one_decibel_is_no_harm() -> None:
    table = harm.tabulate(_rows(gain_db=np.full(20, -0.99)))
    assert table["2"]["before"]["harmed"]["count"] == 0


def test_no_cell_is_in_both_parts(tmp_path: Path) -> None:
    for number in range(10):
        write_png(tmp_path / f"{number}.png", np.full((4, 4, 3), number, np.uint8))
    develop, report = (harm.choose(tmp_path, part, None) for part in harm.PARTS)
    assert len(develop) == 6
    assert len({*develop, *report}) == 10
    assert harm.choose(tmp_path, "report", 2) == report[:2]
