"""A bulkhead: it limits how many calls run at a time. A bounded queue waits in front of it, and any further call is
refused."""

import asyncio
import time
from collections import deque


class FullError(Exception):
    """The queue is full, or waiting for a slot took too long."""


class Bulkhead:
    """At most `slots` calls run at a time, and at most `queue` calls wait. Every call that has entered must leave."""

    def __init__(self, slots: int, queue: int) -> None:
        self._slots, self._queue = slots, queue
        self.busy = 0
        self._waiters: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def try_enter(self) -> bool:
        """Enters if a slot is free now. Returns whether it did."""
        if self.busy < self._slots:
            self.busy += 1
            return True
        return False

    async def enter(self, seconds: float) -> None:
        """Waits for a slot, at most `seconds`. Raises FullError."""
        if self.try_enter():
            return
        if len(self._waiters) >= self._queue:
            raise FullError("the queue is full")
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter
        except BaseException as failure:
            if waiter.done() and not waiter.cancelled():
                self.leave()  # the slot came just as the wait ended: pass it on
            elif waiter in self._waiters:
                self._waiters.remove(waiter)
            if isinstance(failure, TimeoutError):
                raise FullError(f"no place within {seconds:.3f} s") from failure
            raise

    def leave(self) -> None:
        """Gives the slot to the call that has waited longest."""
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self.busy -= 1


class BulkheadShare:
    """A part of a bulkhead's slots, for calls that must leave some slots to others. It is used like a bulkhead."""

    def __init__(self, whole: Bulkhead, slots: int, queue: int) -> None:
        self._whole, self._own = whole, Bulkhead(slots, queue)

    @property
    def busy(self) -> int:
        return self._own.busy

    @property
    def waiting(self) -> int:
        return self._own.waiting

    def try_enter(self) -> bool:
        """Enters if a slot is free now. Returns whether it did."""
        if self._own.try_enter():
            if self._whole.try_enter():
                return True
            self._own.leave()
        return False

    async def enter(self, seconds: float) -> None:
        """Waits for a slot, at most `seconds`. Raises FullError."""
        until = time.monotonic() + seconds
        await self._own.enter(seconds)
        try:
            await self._whole.enter(until - time.monotonic())
        except BaseException:
            self._own.leave()
            raise

    def leave(self) -> None:
        """Gives the slot to the call that has waited longest."""
        self._whole.leave()
        self._own.leave()
