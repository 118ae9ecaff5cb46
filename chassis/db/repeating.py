"""Work that a process does again and again in the background, whatever becomes of one time."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from logging import Logger

from chassis.errors import Unavailable


@asynccontextmanager
async def repeating(
    work: Callable[[], Awaitable[object]], every: float, log: Logger, failed: str
) -> AsyncGenerator[None]:
    """Does `work` at once and every so many seconds, until this is left; a failure is a warning that says `failed`."""
    stopped = asyncio.Event()

    async def repeat() -> None:
        while not stopped.is_set():
            try:
                await work()
            except Unavailable:
                pass  # which the database's own lines tell
            except Exception as failure:  # not migrated, or whatever else: who would notice that this has ended?
                log.warning(failed, extra={"reason": repr(failure)})
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stopped.wait()

    task = asyncio.create_task(repeat(), name=log.name)
    try:
        yield
    finally:
        stopped.set()
        task.cancel()  # not enough alone: psycopg's pool swallows it when a connection comes at the same moment
        await asyncio.gather(task, return_exceptions=True)
