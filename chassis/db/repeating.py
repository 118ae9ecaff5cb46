"""Work that a process repeats in the background, even when it fails once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from logging import Logger

from chassis.errors import Unavailable


@asynccontextmanager
async def repeating(
    work: Callable[[], Awaitable[object]], every: float, log: Logger, failed: str
) -> AsyncGenerator[None]:
    """Does `work` at once and then each `every` seconds, until this context ends. Logs the warning `failed` for a
    failure."""
    stopped = asyncio.Event()

    async def repeat() -> None:
        while not stopped.is_set():
            try:
                await work()
            except Unavailable:
                pass  # the database logs that itself
            # the database is not migrated, or anything else: nobody would notice if this loop ended
            except Exception as failure:
                log.warning(failed, extra={"reason": repr(failure)})
            with suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await stopped.wait()

    task = asyncio.create_task(repeat(), name=log.name)
    try:
        yield
    finally:
        stopped.set()
        # Cancelling alone is not enough: psycopg's pool swallows a cancellation that comes together with a connection.
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
