"""What the classifier's benchmarks count, on small data."""

from __future__ import annotations

import time

import numpy as np
import pytest

from benchmarks import predict_stages, unseen
from buffycoat.simulate.degrade import GROUPS


def test_a_stage_s_time_is_without_the_stages_inside_it() -> None:
    clock = predict_stages.Clock()
    inner = clock.wrap("inner", lambda: time.sleep(0.05))

    def both() -> None:
        time.sleep(0.02)
        inner()

    clock.wrap("outer", both)()
    assert clock.seconds["inner"] >= 0.05
    # However busy the machine: what the inner call took is not in the outer one's time.
    whole = clock.inner[0]
    assert clock.seconds["inner"] + clock.seconds["outer"] == pytest.approx(whole, abs=1e-6)


def test_every_timed_call_exists() -> None:
    for owner, attribute in predict_stages.CALLS.values():
        assert callable(getattr(owner, attribute))


@pytest.mark.parametrize("kind", GROUPS)
def test_cells_are_degraded_by_the_one_kind_and_by_their_seed(kind: str) -> None:
    clean = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    one, again = (unseen.degraded_by(clean, kind, 4) for _ in range(2))
    assert np.array_equal(one, again)
    assert all((one[row] != clean[row]).any() for row in range(3))
