"""One pool of PostgreSQL connections per process, everything bounded: size, waiting, connecting, each statement.

Connections are in autocommit; a transaction is asked for where two statements belong together. A statement that the
server does not answer in time (it may be frozen) is given up by hanging up its socket: asking a frozen server to
cancel would only wait once more.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.rows import AsyncRowFactory, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from chassis.errors import Unavailable
from chassis.settings import DatabaseSettings

log = logging.getLogger("database")
Connection = AsyncConnection[tuple[Any, ...]]
T = TypeVar("T")
TUPLES: AsyncRowFactory[Any] = tuple_row

AWAY = "o banco de dados não está respondendo; tente de novo em instantes"


class Database:
    """The pool. `open()` at start (returns at once, also when the server is away), `close()` at the end."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.timeout = settings.database_timeout
        self._attempts = settings.database_pool_size + 1  # after a restart of the server every idle connection is dead
        milliseconds = round(self.timeout * 1000)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            str(settings.database_url).replace("postgresql+psycopg://", "postgresql://"),
            kwargs={
                "autocommit": True,
                "connect_timeout": 2,
                "application_name": "solicita",
                "options": f"-c statement_timeout={milliseconds} -c lock_timeout={round(0.9 * milliseconds)}"
                f" -c idle_in_transaction_session_timeout={5 * milliseconds} -c timezone=UTC",
            },
            min_size=1,
            max_size=settings.database_pool_size,
            max_waiting=20 * settings.database_pool_size,
            timeout=self.timeout / 2,
            # Give up at once and connect again on demand: the pool's own back-off would outlast the outage.
            reconnect_timeout=0.1,
            open=False,
        )

    async def open(self) -> None:
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        await self._pool.open(wait=False)

    async def close(self) -> None:
        await self._pool.close(timeout=2)

    def stats(self) -> dict[str, int]:
        """The pool's own counters (see psycopg_pool's documentation)."""
        return self._pool.get_stats()

    async def fetch(self, sql: str, values: Sequence[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """One reading statement, repeated on another connection when its own turns out to be dead."""
        for _ in range(self._attempts):
            connection = await self._take()
            try:
                return await _execute(connection, sql, values, row, self.timeout)
            except _Lost as lost:
                if lost.late:
                    raise Unavailable(AWAY) from lost
            finally:
                await self._pool.putconn(connection)
        raise Unavailable(AWAY)

    async def transaction(self, work: Callable[["Transaction"], Awaitable[T]]) -> T:
        """Runs `work` in one transaction. It runs again when its connection turns out to be dead before COMMIT."""
        for _ in range(self._attempts):
            connection = await self._take()
            transaction = Transaction(connection, self.timeout)
            try:
                return await transaction.run(work)
            except _Lost as lost:
                if lost.late or transaction.committing:  # it may have been committed: only the client can tell
                    raise Unavailable(AWAY) from lost
            finally:
                await self._pool.putconn(connection)
        raise Unavailable(AWAY)

    async def _take(self) -> Connection:
        """A connection of the pool, to be given back. (The pool's own context manager costs twice as much.)"""
        try:
            return await self._pool.getconn()
        except (PoolTimeout, TooManyRequests) as failure:
            raise Unavailable(AWAY) from failure


class Transaction:
    """Statements that stand or fall together."""

    def __init__(self, connection: Connection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self.committing = False

    async def run(self, work: Callable[["Transaction"], Awaitable[T]]) -> T:
        await self.fetch("BEGIN", ())
        try:
            result = await work(self)
            self.committing = True
            await self.fetch("COMMIT", ())
        except BaseException:
            if not self._connection.closed and not self.committing:
                await _execute(self._connection, "ROLLBACK", (), tuple_row, self._timeout)
            raise
        return result

    async def fetch(self, sql: str, values: Iterable[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """One statement of the transaction. Database refusals come as psycopg's own errors."""
        return await _execute(self._connection, sql, tuple(values), row, self._timeout)


class Locked(Unavailable):
    """Somebody else held the row for too long."""


class _Lost(Exception):
    """The connection died under a statement; `late` when we hung up because the time was over."""

    def __init__(self, *, late: bool) -> None:
        super().__init__("timed out" if late else "connection lost")
        self.late = late


async def _execute(
    connection: Connection, sql: str, values: Sequence[Any], row: AsyncRowFactory[T], seconds: float
) -> list[T]:
    hung_up = False

    def hang_up() -> None:
        nonlocal hung_up
        hung_up = True
        if not connection.closed:
            with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    # statement_timeout is the server's own clock; ours rings a little later, for a server that has stopped.
    timer = asyncio.get_running_loop().call_later(seconds + 0.25, hang_up)
    try:
        cursor: AsyncCursor[T] = connection.cursor(row_factory=row)
        await cursor.execute(cast("LiteralString", sql), values)
        return [] if cursor.rownumber is None else await cursor.fetchall()
    except errors.LockNotAvailable as failure:
        raise Locked(AWAY) from failure
    except errors.QueryCanceled as failure:
        raise Unavailable(AWAY) from failure
    except (errors.DeadlockDetected, errors.SerializationFailure) as failure:
        raise _Lost(late=False) from failure  # the transaction is undone: run it again
    except psycopg.OperationalError as failure:
        if connection.broken or connection.closed:
            raise _Lost(late=hung_up) from failure
        log.warning("database trouble", extra={"error": str(failure)})
        raise Unavailable(AWAY) from failure
    finally:
        timer.cancel()
