from __future__ import annotations

import pytest

from buffycoat.statistics import apart


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        (3.14, 1.0, ("3.1", "1.0")),
        (1.04, 1.0, ("1.04", "1.00")),
        (0.99996, 1.0, ("0.99996", "1.00000")),
        (1.0, 1.0, ("1.0", "1.0")),
        (1.0 + 1e-12, 1.0, ("1.0", "1.0")),
        (float("inf"), 1.0, ("inf", "1.0")),
    ],
)
def test_a_number_never_reads_like_the_limit_that_it_is_over(
    value: float, limit: float, shown: tuple[str, str]
) -> None:
    assert apart(value, limit, 1) == shown
