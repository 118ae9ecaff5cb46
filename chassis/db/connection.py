"""One connection to PostgreSQL: how its statements run, how they end in time, and what their failures mean.

A statement has two time-outs. The server's own (`statement_timeout`) comes first: the server is well, and the statement
is too slow. Ours comes later, when the server does not answer at all (it may be frozen). It closes the socket, since
asking a frozen server to cancel would mean to wait once more. When a request is cancelled, psycopg cancels its
statement. A client that is frozen itself keeps its locks until the server ends its transaction
(`idle_in_transaction_session_timeout`, and `transaction_timeout` since PostgreSQL 17).

With synchronous replication, COMMIT waits for a standby. When that wait is cancelled, the server reports success with a
warning, although the standby may not have the rows: here it is an error, since a failover could lose what was
acknowledged. A connection to a server that has become a standby is closed, and the statement repeated on another one.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, LiteralString, Self, TypeVar, cast

import psycopg
from psycopg import AsyncConnection, AsyncCursor, errors
from psycopg.rows import AsyncRowFactory, tuple_row

from chassis.db import metrics
from chassis.db.spans import StatementSpan, described, kind_of
from chassis.errors import Contended, Refusal, TooSlow, Unavailable
from chassis.request import context
from chassis.request.spans import Recording, new_span_id

log = logging.getLogger("database")
T = TypeVar("T")
TUPLES: AsyncRowFactory[Any] = tuple_row
GRACE_SECONDS = 0.25
"""How much longer than the statement's time we wait for an answer."""
TIMELINE = """SELECT system_identifier, ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
  FROM pg_control_system()"""
SETUP_SECONDS = 2.0
"""How long each statement may take with which a new connection begins."""
KNOWS_TRANSACTION_TIMEOUT = 17_00_00
"""The first version of PostgreSQL, as libpq counts, that limits a whole transaction. Earlier ones limit only the wait
between two statements, and not in or after a pipeline: psycopg ends it with a Flush, which ends that limit."""

UNREACHABLE = "o banco de dados não está respondendo; tente de novo em instantes"
CONTENDED = "o recurso está sendo alterado por outros; tente de novo"
TOO_SLOW = "esta consulta demora demais e foi interrompida; peça menos, com um filtro mais restrito"


class DatabaseConnectionLost(Exception):
    """The connection died during a statement. `timed_out` says that we closed it, since the time was over."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("timed out" if timed_out else "connection lost")
        self.timed_out = timed_out


class Deadlock(DatabaseConnectionLost):
    """The server has undone the transaction, since it and others waited for each other."""

    def __init__(self) -> None:
        super().__init__(timed_out=False)


class Outage:
    """Whether the server can be reached. Logs one line when an outage begins, with the cause, and one when it ends."""

    def __init__(self) -> None:
        self.cause: Exception | None = None

    def began(self, cause: Exception) -> None:
        if self.cause is None:
            log.warning("database cannot be reached", extra={"reason": " ".join(str(cause).split())})
        self.cause = cause

    def ended(self) -> None:
        if self.cause is not None:
            log.info("database reached again")
        self.cause = None


class Timelines:
    """The newest timeline of each PostgreSQL cluster that this process has been connected to.

    A standby begins a new timeline when it becomes the primary. An old primary that was frozen meanwhile takes itself
    for the primary when it goes on, until somebody stops it: it confirms no write, but its rows are out of date.
    """

    def __init__(self) -> None:
        self._newest: dict[int, int] = {}
        """By the system identifier, which a cluster and its standbys share."""

    async def ask(self, connection: "DatabaseConnection") -> None:
        """Asks a new connection for its timeline. Raises like `DatabaseConnection.set_up` and `check`."""
        [(connection.cluster, connection.timeline)] = await connection.set_up(TIMELINE)
        await self.check(connection)
        self._newest[connection.cluster] = connection.timeline

    async def check(self, connection: "DatabaseConnection") -> None:
        """Closes a connection to a server that was replaced, and raises OperationalError."""
        newest = self._newest.get(connection.cluster, 0)
        if connection.timeline < newest:
            await connection.close()
            raise psycopg.OperationalError(f"an old primary, of timeline {connection.timeline}: {newest} was seen")


class DatabaseConnection(AsyncConnection[tuple[Any, ...]]):
    """A connection whose statements end in time."""

    timeout_ms: int | None = None
    """The time-out that the server was told for statements; None means the pool's default."""
    described: Mapping[str, Any] = {}
    """What spans say of the database."""
    cluster = timeline = 0
    """Where it leads to, if `Timelines` has asked: the system identifier, and the timeline."""
    unconfirmed = False
    """Whether the commit that runs, or was the last to run, has ended without its standby's confirmation."""

    @classmethod
    async def connect(cls, conninfo: str = "", **kwargs: Any) -> Self:
        """Connects as psycopg does, and tells the `outage` in `kwargs` whether it worked, which the pool does not
        report. With `timelines`, not to a server that was replaced. `transaction_ms` is the longest that a transaction
        may take."""
        outage: Outage = kwargs.pop("outage")
        timelines: Timelines | None = kwargs.pop("timelines", None)
        transaction_ms: int | None = kwargs.pop("transaction_ms", None)
        try:
            connection = await super().connect(conninfo, **kwargs)
            if transaction_ms and connection.knows_transaction_timeout:
                await connection.set_up(f"SET transaction_timeout = {transaction_ms}")
            if timelines:
                await timelines.ask(connection)
        except (psycopg.Error, OSError) as failure:
            outage.began(failure)
            raise
        outage.ended()
        connection.described = described(connection)
        connection.add_notice_handler(connection.hear)
        return connection

    @property
    def knows_transaction_timeout(self) -> bool:
        return self.info.server_version >= KNOWS_TRANSACTION_TIMEOUT

    async def set_up(self, sql: str) -> list[Any]:
        """Runs a statement with which the connection begins. If that fails, closes it and raises OperationalError."""
        statement = BoundStatement[Any](sql)
        try:
            await self.run(SETUP_SECONDS, statement)
        except (psycopg.Error, DatabaseConnectionLost, Refusal) as failure:
            await self.close()
            reason = failure.__cause__ or failure
            raise psycopg.OperationalError(f"a new connection cannot be set up: {reason}") from failure
        return statement.rows or []

    def hear(self, notice: errors.Diagnostic) -> None:
        """What the server says beside its answers."""
        if notice.source_function == "SyncRepWaitForLSN":  # its message is in the server's language
            self.unconfirmed = True

    def run(self, seconds: float, *statements: "BoundStatement[Any]") -> Awaitable[None]:
        """Runs the statements in one round trip. A trace that is recorded can be seen in PostgreSQL too: it is in a
        comment.

        Raises DatabaseConnectionLost, Deadlock, Contended, TooSlow or Unavailable. Errors from constraints are
        psycopg's own.
        """
        trace = context.current().trace
        if trace is None or (trace.recording is None and not trace.sampled):
            return self._run(seconds, statements)
        if trace.recording is None:
            return self._run(seconds, statements, trace.traceparent(trace.span_id))
        span_id = new_span_id() if trace.sampled else ""
        traceparent = trace.traceparent(span_id) if trace.sampled else ""
        return self._run_recorded(seconds, statements, span_id, traceparent, trace.recording)

    async def _run_recorded(
        self,
        seconds: float,
        statements: "Sequence[BoundStatement[Any]]",
        span_id: str,
        traceparent: str,
        recording: Recording,
    ) -> None:
        """Runs the statements, and records a span of each. They all have the times of the round trip; the comments name
        the span of the last."""
        began, failure = time.monotonic(), ""
        try:
            await self._run(seconds, statements, traceparent)
        except BaseException as error:
            failure = kind_of(error)
            raise
        finally:
            ended = time.monotonic()
            for one in statements:
                failed = failure if one.rows is None else ""
                own_id = span_id if one is statements[-1] else ""
                recording.add(partial(StatementSpan, self.described, one.sql, own_id, began, ended, failed))

    async def _run(self, seconds: float, statements: "Sequence[BoundStatement[Any]]", traceparent: str = "") -> None:
        timed_out = self.unconfirmed = False

        def hang_up() -> None:
            nonlocal timed_out
            timed_out = True
            if not self.closed:
                # The server may have hung up already.
                with suppress(OSError), socket.socket(fileno=os.dup(self.fileno())) as connection_socket:
                    connection_socket.shutdown(socket.SHUT_RDWR)

        timer = asyncio.get_running_loop().call_later(seconds + GRACE_SECONDS, hang_up)
        began = time.perf_counter()
        try:
            if len(statements) == 1:
                await statements[0].end(await statements[0].begin(self, traceparent))
            else:
                begun: list[AsyncCursor[Any]] = []
                try:
                    async with self.pipeline():
                        for one in statements:
                            begun.append(await one.begin(self, traceparent))
                finally:  # when one fails, those before it have succeeded
                    for one, cursor in zip(statements, begun, strict=False):
                        await one.end(cursor)
            if self.unconfirmed:
                log.warning("a commit was not confirmed by a standby")
                raise Unavailable(UNREACHABLE)
        except errors.LockNotAvailable as failure:
            raise Contended(CONTENDED) from failure
        except errors.QueryCanceled as failure:
            raise TooSlow(TOO_SLOW) from failure
        except (errors.DeadlockDetected, errors.SerializationFailure) as failure:
            raise Deadlock from failure
        except (
            errors.ReadOnlySqlTransaction,  # the server is a standby now
            errors.InvalidSqlStatementName,  # a statement whose preparation was lost with a pipeline that failed
            errors.IdleInTransactionSessionTimeout,  # this process did not run for a while
            errors.TransactionTimeout,
        ) as failure:  # any of them would fail again on this connection
            await self.close()
            raise DatabaseConnectionLost(timed_out=False) from failure
        except psycopg.OperationalError as failure:
            if self.broken or self.closed:
                raise DatabaseConnectionLost(timed_out=timed_out) from failure
            log.warning("database trouble", extra={"error": str(failure)})
            raise Unavailable(UNREACHABLE) from failure
        finally:
            timer.cancel()
            metrics.STATEMENT_SECONDS.observe(time.perf_counter() - began)


@dataclass(slots=True)
class BoundStatement(Generic[T]):
    """One statement with its values."""

    sql: str
    values: Sequence[Any] = ()
    row: AsyncRowFactory[Any] = TUPLES
    rows: list[T] | None = None
    """Its result; None until it has succeeded."""

    async def begin(self, connection: DatabaseConnection, traceparent: str) -> AsyncCursor[T]:
        """Runs it; in pipeline mode this only queues it."""
        cursor: AsyncCursor[T] = connection.cursor(row_factory=self.row)
        # A trace comment makes each statement unique, so preparing it is not worth while.
        sql, prepare = (f"{self.sql} /*traceparent='{traceparent}'*/", False) if traceparent else (self.sql, None)
        await cursor.execute(cast("LiteralString", sql), self.values, prepare=prepare)
        return cursor

    async def end(self, cursor: AsyncCursor[T]) -> None:
        """Takes its rows, if it has succeeded."""
        if cursor.pgresult is not None:
            self.rows = [] if cursor.rownumber is None else await cursor.fetchall()
