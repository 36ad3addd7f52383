"""How often somebody may try to sign in."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator

from buffycoat.serve.refused import RefusedError

FAILURES = 5
"""Wrong passwords for one name, or from one address, within `WINDOW_S`."""
WINDOW_S = 60.0
MOST_KEYS = 10_000
AT_ONCE = 2
"""Passwords that are checked side by side: each takes 64 MiB and four threads."""


class Attempts:
    """Counts failures by name and by address, in the memory of one server.

    Args:
        clock: Seconds; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()
        self._turns = threading.Semaphore(AT_ONCE)

    @contextlib.contextmanager
    def trying(self, *keys: str) -> Iterator[None]:
        """Wait for a turn to check a password; a failure must be counted before the turn ends.

        So of many passwords that are sent at once, no more are tried than one after the other, but
        for those that are checked side by side.

        Raises:
            RefusedError: As `check`.
        """
        self.check(*keys)
        with self._turns:
            self.check(*keys)
            yield

    def check(self, *keys: str) -> None:
        """Refuse while a key has too many failures.

        Raises:
            RefusedError: With Retry-After.
        """
        with self._lock:
            waits = [self._wait(key) for key in keys]
        if max(waits, default=0) > 0:
            seconds = math.ceil(max(waits))
            raise RefusedError(
                429,
                "too_many_attempts",
                f"too many wrong passwords; try again in {seconds} s",
                {"Retry-After": str(seconds)},
            )

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        with self._lock:
            for key in keys:
                self._failures.setdefault(key, deque(maxlen=FAILURES)).append(self._clock())
                self._failures.move_to_end(key)
            while len(self._failures) > MOST_KEYS:
                self._failures.popitem(last=False)

    def _wait(self, key: str) -> float:
        times = self._failures.get(key)
        if times is None or len(times) < FAILURES:
            return 0.0
        return times[0] + WINDOW_S - self._clock()
