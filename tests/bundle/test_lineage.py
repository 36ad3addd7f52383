from __future__ import annotations

import numpy as np
import pytest

from buffycoat.bundle.lineage import never_seen, restricted
from buffycoat.taxonomy import PBC, WBCBENCH


def record(data: str = "CC BY 4.0", weights: str = "Apache-2.0", encoder: str = "Apache-2.0"):
    return {
        "data": {"name": "cells", "licence": data},
        "initial_weights": {"licence": weights},
        "encoder": {"licence": encoder},
    }


@pytest.mark.parametrize("licence", ["CC BY-NC 4.0", "cc-by-nc-4.0", "Non-commercial research"])
def test_a_non_commercial_licence_is_said(licence):
    assert "cells" in restricted(record(data=licence))[0]
    assert restricted(record(encoder=licence)) == [f"Non-commercial use only: encoder ({licence})."]


def test_open_licences_need_no_line():
    assert restricted(record()) == []


def test_what_was_never_seen_is_named_in_words():
    counts = np.ones(len(PBC))
    assert {"blast", "plasma cell", "prolymphocyte"} <= set(never_seen(PBC, counts))
    assert "erythroblast" not in never_seen(PBC, counts)
    without = np.array([0.0 if code == "PLY" else 1.0 for code in WBCBENCH.codes])
    assert "prolymphocyte" in never_seen(WBCBENCH, without)
