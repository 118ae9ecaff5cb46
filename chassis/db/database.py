"""One pool of PostgreSQL connections per process, everything bounded: size, waiting, connecting, each statement.

Connections are in autocommit; a transaction is asked for where two statements belong together. A statement that the
server does not answer in time (it may be frozen) is given up by hanging up its socket: asking a frozen server to
cancel would only wait once more. When the request at hand has less time left than a statement usually gets, the server
is told so too (`statement_timeout`). A request that is cancelled cancels its statement (psycopg does).
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, LiteralString, TypeVar, cast

import psycopg
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.rows import AsyncRowFactory, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from chassis import deadline, metrics, trace
from chassis.errors import DeadlineExceeded, Unavailable
from chassis.settings import DatabaseSettings

log = logging.getLogger("database")
T = TypeVar("T")
TUPLES: AsyncRowFactory[Any] = tuple_row

SLACK_SECONDS = 0.25
"""Telling the server of a shorter time costs a round trip: not worth it for less, since our own clock rings anyway."""
OVER = "o tempo deste pedido acabou"
AWAY = "o banco de dados não está respondendo; tente de novo em instantes"


class Connection(AsyncConnection[tuple[Any, ...]]):
    """A connection that remembers how long the server lets its statements run; None: as the pool asks."""

    limit: int | None = None


class Database:
    """The pool. `open()` at start (returns at once, also when the server is away), `close()` at the end."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.timeout = settings.database_timeout
        self._attempts = settings.database_pool_size + 1  # after a restart of the server every idle connection is dead
        milliseconds = round(self.timeout * 1000)
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            str(settings.database_url).replace("postgresql+psycopg://", "postgresql://"),
            connection_class=Connection,
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
        metrics.POOLS.append(self.stats)

    async def close(self) -> None:
        metrics.POOLS.remove(self.stats)
        await self._pool.close(timeout=2)

    def stats(self) -> dict[str, int]:
        """The pool's own counters (see psycopg_pool's documentation)."""
        return self._pool.get_stats()

    async def fetch(self, sql: str, values: Sequence[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """One reading statement, repeated on another connection when its own turns out to be dead."""
        for _ in range(self._attempts):
            connection = await self._take()
            try:
                await self._limited(connection)
                return await _execute(connection, sql, values, row, _seconds(self.timeout))
            except _Lost as lost:
                if lost.late:
                    raise _late(AWAY) from lost
            finally:
                await self._pool.putconn(connection)
        raise Unavailable(AWAY)

    async def transaction(self, work: Callable[["Transaction"], Awaitable[T]]) -> T:
        """Runs `work` in one transaction. It runs again when its connection turns out to be dead before COMMIT."""
        for _ in range(self._attempts):
            connection = await self._take()
            transaction = Transaction(connection, self.timeout)
            try:
                await self._limited(connection)
                return await transaction.run(work)
            except _Lost as lost:
                if lost.late or transaction.committing:  # it may have been committed: only the client can tell
                    raise _late(AWAY) from lost
            finally:
                await self._pool.putconn(connection)
        raise Unavailable(AWAY)

    async def _take(self) -> Connection:
        """A connection of the pool, to be given back. (The pool's own context manager costs twice as much.)"""
        seconds = min(self.timeout / 2, deadline.left())
        try:
            return await self._pool.getconn(max(seconds, 0.001))
        except (PoolTimeout, TooManyRequests) as failure:
            raise _late(AWAY) from failure

    async def _limited(self, connection: Connection) -> None:
        """Tells the server of `connection` how long statements of the request at hand may take, if it knows not."""
        left = deadline.left()
        limit = None if left > self.timeout - SLACK_SECONDS else max(1, int(left * 1000))
        if limit != connection.limit:
            milliseconds = round(self.timeout * 1000) if limit is None else limit
            await _execute(connection, f"SET statement_timeout = {milliseconds}", (), tuple_row, self.timeout)
            connection.limit = limit


def _seconds(most: float) -> float:
    """What a statement of the request at hand may take. Raises DeadlineExceeded when there is nothing left."""
    if (left := deadline.left()) <= 0:
        raise _late(AWAY)
    return min(most, left)


def _late(message: str) -> Unavailable | DeadlineExceeded:
    """What to say of something that took too long: too long for the request at hand, or for anybody."""
    if deadline.left() <= 0:
        return DeadlineExceeded(OVER)
    return Unavailable(message)


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
            _seconds(self._timeout)
            self.committing = True
            # Once sent it has its whole time: who gives it up early cannot tell what became of it.
            await _execute(self._connection, "COMMIT", (), tuple_row, self._timeout)
        except BaseException:
            if not self._connection.closed and not self.committing:
                await _execute(self._connection, "ROLLBACK", (), tuple_row, self._timeout)
            raise
        return result

    async def fetch(self, sql: str, values: Iterable[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """One statement of the transaction. Database refusals come as psycopg's own errors."""
        return await _execute(self._connection, sql, tuple(values), row, _seconds(self._timeout))


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
    sampled = trace.sampled()
    if sampled:
        sql = f"{sql} /*traceparent='{sampled}'*/"

    def hang_up() -> None:
        nonlocal hung_up
        hung_up = True
        if not connection.closed:
            with socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    # statement_timeout is the server's own clock; ours rings a little later, for a server that has stopped.
    timer = asyncio.get_running_loop().call_later(seconds + 0.25, hang_up)
    began = time.perf_counter()
    try:
        cursor: AsyncCursor[T] = connection.cursor(row_factory=row)
        # A comment makes each text another one, which is not worth preparing.
        await cursor.execute(cast("LiteralString", sql), values, prepare=False if sampled else None)
        return [] if cursor.rownumber is None else await cursor.fetchall()
    except errors.LockNotAvailable as failure:
        raise Locked(AWAY) from failure
    except errors.QueryCanceled as failure:
        # The server's clock may ring a little before ours.
        raise (Unavailable(AWAY) if connection.limit is None else DeadlineExceeded(OVER)) from failure
    except (errors.DeadlockDetected, errors.SerializationFailure) as failure:
        raise _Lost(late=False) from failure  # the transaction is undone: run it again
    except psycopg.OperationalError as failure:
        if connection.broken or connection.closed:
            raise _Lost(late=hung_up) from failure
        log.warning("database trouble", extra={"error": str(failure)})
        raise Unavailable(AWAY) from failure
    finally:
        timer.cancel()
        metrics.STATEMENT_SECONDS.observe(time.perf_counter() - began)
