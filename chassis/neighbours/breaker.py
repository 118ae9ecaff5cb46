"""A circuit breaker: a neighbour that keeps failing is not called for a while.

While closed, the breaker counts the calls of the last seconds. When there were at least `MIN_CALLS` and the given share
of them failed, it opens. While it is open, calls fail at once: this saves the caller the wait, and the neighbour the
load. A background task then asks for the neighbour's readiness, so that no user's request is spent on that, and the
first good answer closes the breaker.
"""

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

log = logging.getLogger("breaker")

WINDOW_SECONDS = 10.0
MIN_CALLS = 10
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 1.0
"""Seconds between two probes: each pause is twice the one before, up to the longest. Each is shortened at random by up
to a half, so that several callers do not probe at the same moment."""
NO_SECOND = [-1, 0, 0]
"""Stands for the latest second with calls where there is none."""


class Breaker:
    """The breaker of one neighbour. It opens when the share `failure_share` (0 to 1) of its calls failed; with 0 it
    never opens.

    `probe` answers whether the neighbour can serve again, and has a time-out of its own.
    """

    def __init__(self, name: str, failure_share: float, probe: Callable[[], Awaitable[bool]]) -> None:
        self.open = False
        self.openings = 0
        self._name, self._failure_share, self._probe = name, failure_share, probe
        self._counts: deque[list[int]] = deque()
        """For each second with calls: the second, how many calls it had, and how many of them failed."""
        self._latest = NO_SECOND
        """The last of these, at hand for each call."""
        self._probe_task: asyncio.Task[None] | None = None

    def record(self, failed: bool) -> None:
        """Counts a call that has ended."""
        if not self._failure_share or self.open:
            return
        now, latest = int(time.monotonic()), self._latest
        if latest[0] != now:
            self._latest = latest = [now, 0, 0]
            self._counts.append(latest)
            while self._counts[0][0] <= now - WINDOW_SECONDS:
                self._counts.popleft()
        latest[1] += 1
        if failed:
            latest[2] += 1
            calls = sum(second[1] for second in self._counts)
            failures = sum(second[2] for second in self._counts)
            if calls >= MIN_CALLS and failures >= self._failure_share * calls:
                self._trip(calls, failures)

    def _trip(self, calls: int, failures: int) -> None:
        log.warning("breaker opened", extra={"service": self._name, "calls": calls, "failures": failures})
        self.open = True
        self.openings += 1
        self._counts.clear()
        self._latest = NO_SECOND
        self._probe_task = asyncio.create_task(self._probe_until_ready(), name=f"probe {self._name}")

    async def _probe_until_ready(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - jitter, not a secret
            with contextlib.suppress(Exception):  # whatever went wrong, the neighbour is not ready
                if await self._probe():
                    break
            pause = min(2 * pause, LONGEST_PAUSE)
        self.open = False
        log.info("breaker closed", extra={"service": self._name})

    async def close(self) -> None:
        """Stops probing, at the end of the process."""
        if self._probe_task:
            self._probe_task.cancel()
            await asyncio.gather(self._probe_task, return_exceptions=True)
