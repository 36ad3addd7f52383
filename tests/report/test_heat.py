"""Shades of a confusion matrix."""

from __future__ import annotations

import pytest

from buffycoat.report.heat import ERROR_GAIN, heat_rows


def test_heat_shades_shares_and_makes_errors_show():
    table = [
        {"row": "a/a", "true": "a", "predicted": "a", "cells": 8, "share_of_true": 0.8},
        {"row": "a/b", "true": "a", "predicted": "b", "cells": 2, "share_of_true": 0.2},
        {"row": "b/a", "true": "b", "predicted": "a", "cells": 0, "share_of_true": None},
        {"row": "b/b", "true": "b", "predicted": "b", "cells": 0, "share_of_true": None},
    ]
    rows = heat_rows(table, 2)
    assert [[cell.row for cell in row] for row in rows] == [["a/a", "a/b"], ["b/a", "b/b"]]
    assert rows[0][0].shade == 0.8
    assert rows[0][1].shade == pytest.approx(0.2 * ERROR_GAIN)
    assert [cell.shade for cell in rows[1]] == [0, 0]
    assert rows[0][0].is_hit
    assert not rows[0][1].is_hit
