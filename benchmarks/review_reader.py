"""A reader of the review server, as a program: opens slides, looks, decides, sends again."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import httpx2 as httpx

PASSWORD = "four plain words here"
FIRST_LOOK = 24
"""Pictures that a screen shows when a slide is opened."""
SHARE_DECIDED = 0.25
"""Of the cells of a slide that a reader decides on; he agrees with the others."""
LABELS = ("SNE", "LY", "MO", "BL", "EO", "BNE")
RETRY_S = 0.25
BEGIN_WITHIN_S = 10
"""Readers do not all begin in the same second."""


class Reader:
    """One of them.

    Attributes:
        accepted: client_id -> (entry, cell, label) of every acknowledged decision.
        sent: client_id of every decision that was ever sent.
        times: Kind of request -> seconds of each that was answered as expected.
        statuses: Status -> answers; 0 where there was none.
        conflicts: Decisions that met a newer one.

    Args:
        base: URL of the API.
        number: Of the reader; its account is `reader NUMBER`.
        slides: That are read, one after the other, again and again.
        think_s: Mean pause before a decision.
    """

    def __init__(self, base: str, number: int, slides: Iterable[int], think_s: float) -> None:
        self.base, self.number, self.slides, self.think_s = base, number, list(slides), think_s
        self.accepted: dict[str, tuple[int, int, str]] = {}
        self.sent: set[str] = set()
        self.times: dict[str, list[float]] = defaultdict(list)
        self.statuses: Counter[int] = Counter()
        self.conflicts = 0
        self.until = 0.0
        self._rng = random.Random(number)
        self._csrf = ""

    async def work(self, until: float) -> None:
        """Read until a time of `time.monotonic`."""
        self.until = until
        limits = httpx.Limits(max_connections=6)  # as a browser does for one host
        async with httpx.AsyncClient(base_url=self.base, limits=limits, timeout=30) as client:
            await asyncio.sleep(self._rng.uniform(0, BEGIN_WITHIN_S))
            while time.monotonic() < self.until:
                for slide in self.slides:
                    if time.monotonic() < self.until:
                        await self._read(client, slide)

    async def _read(self, client: httpx.AsyncClient, slide: int) -> None:
        await self._ask(client, "worklist", "GET", "/slides")
        await self._ask(client, "other", "POST", f"/slides/{slide}/readings", {"role": "first"})
        reopen = f"/slides/{slide}/readings/first/reopen"
        await self._ask(client, "other", "POST", reopen)
        found = await self._ask(client, "grid", "GET", f"/slides/{slide}/cells?role=first")
        if found is None:
            return
        cells = found["cells"]
        looks = [self._picture(client, cell["n"]) for cell in cells[:FIRST_LOOK]]
        await asyncio.gather(*looks)
        chosen = [cell for cell in cells if self._rng.random() < SHARE_DECIDED]
        for cell in chosen:
            await self._pause()
            if time.monotonic() >= self.until:
                return
            await self._picture(client, cell["n"])
            await self._decide(client, cell["n"], cell["seq"])
        await self._ask(client, "differential", "GET", f"/slides/{slide}/differential")
        await self._ask(client, "other", "POST", f"/slides/{slide}/readings/first/finish")

    async def _decide(self, client: httpx.AsyncClient, n: int, seen: int | None) -> None:
        one = {"client_id": uuid.uuid4().hex, "cell": n, "role": "first", "expects": seen,
               "label": self._rng.choice(LABELS)}  # fmt: skip
        self.sent.add(one["client_id"])
        done = await self._ask(client, "decision", "POST", "/decisions", {"decisions": [one]})
        if done is None:
            return
        for accepted in done["accepted"]:
            self.accepted[one["client_id"]] = (accepted["seq"], n, one["label"])
        self.conflicts += len(done["conflicts"])

    async def _picture(self, client: httpx.AsyncClient, n: int) -> None:
        await self._ask(client, "picture", "GET", f"/cells/{n}/image", is_json=False)

    async def _ask(
        self,
        client: httpx.AsyncClient,
        kind: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        is_json: bool = True,
    ) -> Any:
        """Send until it is answered, as the page does; the time is that of the answered request."""
        while True:
            if not self._csrf:
                await self._login(client)
            begin = time.perf_counter()
            try:
                answer = await client.request(
                    method, path, json=body, headers={"X-CSRF-Token": self._csrf}
                )
            except httpx.HTTPError:
                self.statuses[0] += 1
                if self.until == 0:
                    return None
                await asyncio.sleep(RETRY_S)
                continue
            self.statuses[answer.status_code] += 1
            if answer.status_code in (401, 403):
                self._csrf = ""
            elif answer.status_code in (503, 507):
                await asyncio.sleep(RETRY_S)
            else:
                answer.raise_for_status()
                self.times[kind].append(time.perf_counter() - begin)
                return answer.json() if is_json else None

    async def _login(self, client: httpx.AsyncClient) -> None:
        name = {"name": f"reader {self.number}", "password": PASSWORD}
        while not self._csrf:
            try:
                answer = await client.post("/login", json=name)
            except httpx.HTTPError:
                await asyncio.sleep(RETRY_S)
                continue
            if answer.status_code == 200:
                self._csrf = answer.json()["csrf"]
            else:
                await asyncio.sleep(RETRY_S)

    async def _pause(self) -> None:
        await asyncio.sleep(self._rng.expovariate(1 / self.think_s) if self.think_s else 0)
