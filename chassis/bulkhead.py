"""A bulkhead: at most so many calls to one neighbour at a time, a short queue before it, and a no for the rest."""

import asyncio
import time
from collections import deque


class FullError(Exception):
    """The queue is full, or the wait for a place was too long."""


class Bulkhead:
    """`places` calls run at a time, `queue` wait; each place that is entered must be left."""

    def __init__(self, places: int, queue: int) -> None:
        self._places, self._queue = places, queue
        self.busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self) -> bool:
        """Enters if there is a place just now."""
        if self.busy < self._places:
            self.busy += 1
            return True
        return False

    async def enter(self, seconds: float) -> None:
        """Waits for a place, at most `seconds`. Raises FullError."""
        if self.take():
            return
        if len(self._waiting) >= self._queue:
            raise FullError("the queue is full")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException as failure:
            if turn.done() and not turn.cancelled():
                self.leave()  # the place came together with the end
            elif turn in self._waiting:
                self._waiting.remove(turn)
            if isinstance(failure, TimeoutError):
                raise FullError(f"no place within {seconds:.3f} s") from failure
            raise

    def leave(self) -> None:
        """Gives the place to whoever waits longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1


class Share:
    """So many of the places of a bulkhead, for calls that must leave some to the rest; used like one."""

    def __init__(self, whole: Bulkhead, places: int, queue: int) -> None:
        self._whole, self._own = whole, Bulkhead(places, queue)

    @property
    def busy(self) -> int:
        return self._own.busy

    @property
    def waiting(self) -> int:
        return self._own.waiting

    def take(self) -> bool:
        """Enters if there is a place just now."""
        if self._own.take():
            if self._whole.take():
                return True
            self._own.leave()
        return False

    async def enter(self, seconds: float) -> None:
        """Waits for a place, at most `seconds`. Raises FullError."""
        until = time.monotonic() + seconds
        await self._own.enter(seconds)
        try:
            await self._whole.enter(until - time.monotonic())
        except BaseException:
            self._own.leave()
            raise

    def leave(self) -> None:
        """Gives the place to whoever waits longest."""
        self._whole.leave()
        self._own.leave()
