"""One pool of PostgreSQL connections for each process. Its size, each wait, each connect and each statement are
limited.

Connections are in autocommit mode; code opens a transaction where several statements belong together. A search, which
may have to read a whole table, runs on at most half of the connections, so that reads by id always find one.

When the current request has less time left than a statement usually gets, the server is told the shorter time. How a
connection ends what takes too long is said in `connection.py`.

Behind a pooler (DATABASE_POOLER), a session of the server is ours for one transaction only. So the session is told
nothing: the time-outs go with each transaction, in the same round trip.
"""

import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from psycopg import capabilities
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import AsyncRowFactory
from psycopg_pool import AsyncConnectionPool, PoolTimeout, TooManyRequests

from chassis.bulkhead import Bulkhead, FullError
from chassis.db import metrics
from chassis.db.connection import (
    CONTENDED,
    TUPLES,
    UNREACHABLE,
    BoundStatement,
    DatabaseConnection,
    DatabaseConnectionLost,
    Deadlock,
    Outage,
    Timelines,
)
from chassis.errors import Busy, Contended, DeadlineExceeded, Unavailable
from chassis.request import deadline
from chassis.settings import DatabaseSettings
from chassis.text import FOLD_VERSION

T = TypeVar("T")
FOLD_OPTION = f"-c solicita.fold={FOLD_VERSION}"
"""A connection option: tells the database by which version of `fold` this connection folds names
(`chassis.db.folding`)."""

SERVER_SHARE = 7 / 8
"""The server's share of the time that we wait for a statement, so that the server's error arrives before we or our
caller give up. A shorter time is sent to the server, which costs a round trip, only when the request has less than that
left."""
LOCK_SHARE = 0.9
"""The share of a statement's time that it may wait for locks."""
TRANSACTION_SHARE = 5
"""How long a transaction may take, and how long it may wait for its next statement, as a multiple of a statement's
time."""
LIMITS = f"""
SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
       set_config('idle_in_transaction_session_timeout', %s, true), set_config('solicita.fold', '{FOLD_VERSION}', true)
"""
"""Tells one transaction what a session of our own is told when it begins."""
ALL_LIMITS = f"""
{LIMITS.strip()}, set_config('transaction_timeout', '0', true), set_config('transaction_timeout', %s, true)
"""
"""The same for a server that knows this time-out. When it has one of its own, only 0 ends that."""
MAX_DEADLOCKS = 3
"""After so many deadlocks in one transaction the client gets an error."""

LOCKED = "os dados estão em manutenção; tente de novo em instantes"
TOO_MANY_SEARCHES = "há buscas demais neste momento; tente de novo em instantes"


class ConnectionPool(AsyncConnectionPool[DatabaseConnection]):
    """psycopg's pool, whose queue does not stay full for ever.

    It leaves those who have waited in vain in its queue until a connection comes, and it connects only for somebody who
    joins the queue. So after a long outage, a queue full of them would keep everybody out for good.
    """

    def forget_who_left(self) -> bool:
        """Takes those who no longer wait out of the queue. Returns whether there were any."""
        before = len(self._waiting)
        self._waiting = deque(one for one in self._waiting if one.error is None)
        return len(self._waiting) < before


class Database:
    """The pool. `open()` returns at once, also when the server cannot be reached; `close()` ends the pool."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.timeout = settings.database_timeout
        # More attempts than the pool has connections: after a restart of the server, all idle ones are dead.
        self._attempts = settings.database_pool_size + MAX_DEADLOCKS
        self._default_timeout_ms = round(self.timeout * SERVER_SHARE * 1000)
        self._transaction_ms = round(TRANSACTION_SHARE * self.timeout * 1000)
        self._pooled = settings.database_pooler != "off"
        self.committed: Callable[[], None] = lambda: None
        """What is called after each COMMIT."""
        self.position: Callable[[], Awaitable[str | None]] = _unknown_position
        """Tells how far the changes go with all that was committed before the call; None when that cannot be told now.
        `chassis.feed` sets this and `committed`."""
        self._outage = Outage()
        self._searches = Bulkhead(settings.searches, settings.searches_waiting)
        url = str(settings.database_url).replace("postgresql+psycopg://", "postgresql://")
        several_servers = "," in str(conninfo_to_dict(url).get("host")) and not self._pooled
        timelines = Timelines() if several_servers else None
        self._pool = ConnectionPool(
            url,
            connection_class=DatabaseConnection,
            kwargs={
                "autocommit": True,
                "connect_timeout": 2,
                "application_name": "solicita",
                "outage": self._outage,
                "timelines": timelines,
                **(_pooler_options(settings) if self._pooled else self._session_options()),
            },
            check=timelines.check if timelines else None,
            min_size=1,
            max_size=settings.database_pool_size,
            max_waiting=20 * settings.database_pool_size,
            timeout=self.timeout / 2,
            # Give up at once, and connect again on demand: the pool's own back-off would last longer than the outage.
            reconnect_timeout=0.1,
            open=False,
        )

    def _session_options(self) -> dict[str, Any]:
        return {
            "options": f"-c statement_timeout={self._default_timeout_ms}"
            f" -c lock_timeout={_lock_timeout(self._default_timeout_ms)}"
            f" -c idle_in_transaction_session_timeout={self._transaction_ms} -c timezone=UTC {FOLD_OPTION}",
            "transaction_ms": self._transaction_ms,
        }

    async def open(self) -> None:
        logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
        await self._pool.open(wait=False)
        metrics.POOLS.append(self.stats)

    async def close(self) -> None:
        metrics.POOLS.remove(self.stats)
        await self._pool.close(timeout=2)

    def stats(self) -> dict[str, int]:
        """The pool's own counters (see psycopg_pool's documentation), and ours of searches."""
        searches = {"searches_busy": self._searches.busy, "searches_waiting": self._searches.waiting}
        return {**self._pool.get_stats(), **searches}

    async def fetch(self, sql: str, values: Sequence[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """Runs one reading statement. When its connection turns out to be dead, repeats it on another one."""
        for _ in range(self._attempts):
            connection = await self._acquire()
            try:
                limits = await self._limit(connection)
                statement: BoundStatement[T] = BoundStatement(sql, values, row)
                await connection.run(_statement_seconds(self.timeout), *limits, statement)
                assert statement.rows is not None
                return statement.rows
            except Contended as locked:  # readers wait for no row lock, so the table itself is locked
                if connection.timeout_ms is not None:  # the request had less time left than a statement usually gets
                    raise DeadlineExceeded(deadline.EXPIRED) from locked
                raise Unavailable(LOCKED) from locked
            except DatabaseConnectionLost as lost:
                if lost.timed_out:
                    raise _timed_out(UNREACHABLE) from lost
            finally:
                await self._pool.putconn(connection)
        raise Unavailable(UNREACHABLE)

    async def search(self, sql: str, values: Sequence[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """Like `fetch`, for a statement that may have to read a whole table."""
        try:
            await self._searches.enter(min(self.timeout / 2, deadline.remaining()))
        except FullError as failure:
            raise (
                DeadlineExceeded(deadline.EXPIRED) if deadline.remaining() <= 0 else Busy(TOO_MANY_SEARCHES)
            ) from failure
        try:
            return await self.fetch(sql, values, row)
        finally:
            self._searches.leave()

    async def transaction(self, work: Callable[["Transaction"], Awaitable[T]]) -> T:
        """Runs `work` in one transaction. Runs it again when its connection dies before COMMIT, and when the server
        undoes it to end a deadlock."""
        deadlocks = 0
        for _ in range(self._attempts):
            connection = await self._acquire()
            transaction = Transaction(connection, self.timeout)
            try:
                result = await transaction.run(await self._limit(connection), work)
                self.committed()
                return result
            except Deadlock as undone:
                deadlocks += 1
                if deadlocks == MAX_DEADLOCKS or deadline.remaining() <= 0:
                    raise Contended(CONTENDED) from undone
            except DatabaseConnectionLost as lost:
                # it may have been committed, and only the client can decide what to do
                if lost.timed_out or transaction.committing:
                    raise _timed_out(UNREACHABLE) from lost
            finally:
                await self._pool.putconn(connection)
        raise Unavailable(UNREACHABLE)

    async def _acquire(self) -> DatabaseConnection:
        """Takes a connection from the pool; the caller must give it back. (The pool's own context manager costs twice
        as much.)"""
        seconds = max(min(self.timeout / 2, deadline.remaining()), 0.001)
        try:
            try:
                return await self._pool.getconn(seconds)
            except TooManyRequests:
                if not self._pool.forget_who_left():
                    raise
            return await self._pool.getconn(seconds)
        except (PoolTimeout, TooManyRequests):
            raise _timed_out(UNREACHABLE) from self._outage.cause

    async def _limit(self, connection: DatabaseConnection) -> Sequence[BoundStatement[Any]]:
        """Tells the server how long statements of the current request may take, unless it knows that already. Behind a
        pooler, returns what tells it so: it must go to the server together with the first statement."""
        remaining = deadline.remaining()
        timeout_ms = None if remaining * 1000 > self._default_timeout_ms else max(1, int(remaining * 1000))
        milliseconds = timeout_ms or self._default_timeout_ms
        if self._pooled:
            connection.timeout_ms = timeout_ms
            limits = [str(one) for one in (milliseconds, _lock_timeout(milliseconds), self._transaction_ms)]
            if connection.knows_transaction_timeout:
                return [BoundStatement(ALL_LIMITS, [*limits, limits[-1]])]
            return [BoundStatement(LIMITS, limits)]
        if timeout_ms != connection.timeout_ms:
            setting = f"SET statement_timeout = {milliseconds}; SET lock_timeout = {_lock_timeout(milliseconds)}"
            await connection.run(_statement_seconds(self.timeout), BoundStatement(setting))
            connection.timeout_ms = timeout_ms
        return ()


def _pooler_options(settings: DatabaseSettings) -> dict[str, Any]:
    """How to connect to a pooler. It refuses `options`, and knows a prepared statement only if it may see how the
    statement is closed, which older versions of libpq do by SQL."""
    os.environ["PGTZ"] = "UTC"  # libpq sends the time zone at the start, as poolers expect, and has no other option
    prepares = settings.database_pooler == "transaction" and capabilities.has_send_close_prepared()
    return {} if prepares else {"prepare_threshold": None}


async def _unknown_position() -> None:
    return None


def _lock_timeout(milliseconds: int) -> int:
    """The lock time-out for a statement that may take `milliseconds`. It is never 0, which would mean no limit."""
    return max(1, int(LOCK_SHARE * milliseconds))


def _statement_seconds(limit: float) -> float:
    """The seconds that a statement of the current request may take. Raises DeadlineExceeded when none are left."""
    if (remaining := deadline.remaining()) <= 0:
        raise _timed_out(UNREACHABLE)
    return min(limit, remaining)


def _timed_out(message: str) -> Unavailable | DeadlineExceeded:
    """The refusal for what took too long: for the current request's deadline, or for our limits."""
    if deadline.remaining() <= 0:
        return DeadlineExceeded(deadline.EXPIRED)
    return Unavailable(message)


class Transaction:
    """Statements that are committed together, or not at all.

    A statement whose result is not needed at once goes to the server together with the next one, in one round trip.
    BEGIN goes with the first statement, and what waits at the end goes with COMMIT.
    """

    def __init__(self, connection: DatabaseConnection, timeout: float) -> None:
        self._connection = connection
        self._timeout = timeout
        self._begun = False
        self._waiting: list[BoundStatement[Any]] = [BoundStatement("BEGIN")]
        self.committing = False

    async def run(self, limits: Sequence[BoundStatement[Any]], work: Callable[["Transaction"], Awaitable[T]]) -> T:
        """Runs `work`. `limits` go to the server with its first statement."""
        self._waiting += limits
        try:
            result = await work(self)
            _statement_seconds(self._timeout)
            self.committing = True
            # COMMIT has the whole time-out: if we gave up earlier, nobody could tell whether it was committed.
            await self._send(BoundStatement[Any]("COMMIT"), self._timeout)
        except BaseException:
            if self._begun and not self._connection.closed and not self.committing:
                seconds = max(0.0, min(self._timeout, deadline.remaining()))
                try:
                    await self._connection.run(seconds, BoundStatement[Any]("ROLLBACK"))
                except DatabaseConnectionLost as lost:
                    if lost.timed_out:
                        raise
                    # the server undoes what a dead connection has done, and why that must be undone stays true
            raise
        return result

    async def fetch(self, sql: str, values: Iterable[Any], row: AsyncRowFactory[T] = TUPLES) -> list[T]:
        """Runs one statement of the transaction. Errors from constraints are raised as psycopg's own."""
        statement: BoundStatement[T] = BoundStatement(sql, tuple(values), row)
        return await self._send(statement, _statement_seconds(self._timeout))

    def with_next(self, sql: str, values: Iterable[Any]) -> BoundStatement[tuple[Any, ...]]:
        """Sends a statement together with the next one. It has its rows once that has its own."""
        statement = BoundStatement[tuple[Any, ...]](sql, tuple(values))
        self._waiting.append(statement)
        return statement

    async def send_waiting(self) -> None:
        """Sends what waits for the next statement."""
        if self._waiting:
            await self._send(self._waiting.pop(), _statement_seconds(self._timeout))

    async def _send(self, last: BoundStatement[T], seconds: float) -> list[T]:
        statements, self._waiting = (*self._waiting, last), []
        self._begun = True
        await self._connection.run(seconds, *statements)
        assert last.rows is not None
        return last.rows
