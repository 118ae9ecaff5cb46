"""The tasks of live queries: how many of them read at the same time, as whom, and for how long."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from chassis.errors import DeadlineExceeded
from chassis.request import context, deadline, trace_context
from chassis.request.caller import ANYBODY, Caller
from chassis.request.context import RequestContext

READERS = 8
"""How many groups read at the same time, so that many events at once leave connections to queries."""


class Work:
    """Runs tasks that end with the process. One read of theirs may take `seconds`."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._slots = asyncio.Semaphore(READERS)
        self._tasks = set[asyncio.Task[None]]()

    def start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs it in a task, which belongs to no request."""
        before = context.enter(context.NO_REQUEST)
        try:
            task = asyncio.create_task(coroutine)
        finally:
            context.leave(before)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def reading(self, caller: Caller = ANYBODY) -> AsyncGenerator[None]:
        """Reads for `caller` inside of this context, when there is a slot. Raises DeadlineExceeded."""
        async with self._slots:
            now = RequestContext(trace_context.read({}), deadline.compute(self._seconds), caller)
            before = context.enter(now)
            try:
                async with asyncio.timeout(self._seconds):
                    yield
            except TimeoutError:
                raise DeadlineExceeded(deadline.EXPIRED) from None
            finally:
                context.leave(before)

    async def close(self) -> None:
        tasks = [*self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
