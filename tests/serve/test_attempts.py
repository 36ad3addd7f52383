"""Wrong passwords: counted by name and by address, and forgotten after a minute."""

from __future__ import annotations

import pytest

from buffycoat.serve.attempts import FAILURES, MOST_KEYS, WINDOW_S, Attempts
from buffycoat.serve.refused import RefusedError


def test_an_address_waits_whatever_name_it_tries_and_only_for_a_while() -> None:
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for number in range(FAILURES):
        attempts.check(f"name {number}", "address a")
        attempts.failed(f"name {number}", "address a")
        now[0] += 1
    with pytest.raises(RefusedError) as refused:
        attempts.check("name other", "address a")
    assert refused.value.status == 429
    assert 1 <= int(refused.value.headers["Retry-After"]) <= WINDOW_S
    attempts.check("name 0", "address b")
    now[0] += float(refused.value.headers["Retry-After"])
    attempts.check("name other", "address a")


def test_what_is_remembered_has_a_limit() -> None:
    attempts = Attempts(lambda: 0.0)
    for number in range(MOST_KEYS + 5):
        attempts.failed(f"name {number}")
    assert len(attempts._failures) == MOST_KEYS
