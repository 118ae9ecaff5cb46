"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a retried write gets the first successful answer.

The record of the key commits together with what is written. While a first request is running, it holds the lock on the
key's row. A second one with the same key waits in PostgreSQL until the first commits (then it undoes what it has done
and gets the first answer) or rolls back (then it does the work). Failures leave no record. Preconditions are checked
when the work is done, not when its answer is repeated.

No answer is looked for before the work: most requests are first ones, and each round trip to the database costs about
as much as the insert itself.

An answer may contain names that are later erased elsewhere. So each process deletes expired answers every few minutes,
whether or not anybody writes.
"""

import hashlib
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis.db.database import Database, Transaction
from chassis.db.repeating import repeating
from chassis.errors import Contended, Invalid, Refusal
from chassis.request import context

log = logging.getLogger("idempotency")

LIFETIME = "24 hours"
SWEEP_SECONDS = 600.0
BATCH = 200
"""Answers that one statement deletes. It is small, so that its rows and its connection are in use only shortly."""

CLAIM = f"""
INSERT INTO idempotency (key, fingerprint) VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, answer = NULL, created_at = clock_timestamp()
WHERE idempotency.created_at < clock_timestamp() - interval '{LIFETIME}'
RETURNING key
"""
REPLAY = f"""
SELECT fingerprint, answer FROM idempotency
WHERE key = %s AND created_at >= clock_timestamp() - interval '{LIFETIME}' FOR SHARE
"""
"""FOR SHARE makes this a transaction that writes. So with synchronous replication it ends when the standby has the
answer too: the first attempt's wait for that may have been cancelled."""
REMEMBER = "UPDATE idempotency SET answer = %s WHERE key = %s"
WITHDRAW = "DELETE FROM idempotency WHERE key = %s AND fingerprint = %s"
FORGET = f"""
DELETE FROM idempotency WHERE key IN (
    SELECT key FROM idempotency WHERE created_at < clock_timestamp() - interval '{LIFETIME}'
    ORDER BY created_at LIMIT {BATCH} FOR UPDATE SKIP LOCKED)
RETURNING key
"""


async def forget_expired(database: Database) -> int:
    """Deletes expired answers in batches, and returns how many. Several processes may do it at the same time."""
    forgotten = 0
    while found := len(await database.fetch(FORGET, ())):
        forgotten += found
        if found < BATCH:
            break
    return forgotten


@asynccontextmanager
async def keep_forgetting(database: Database, every: float = SWEEP_SECONDS) -> AsyncGenerator[None]:
    """Deletes expired answers, at once and then each `every` seconds, until this context ends."""
    async with repeating(lambda: forget_expired(database), every, log, "expired answers are not forgotten yet"):
        yield


class IdempotentRequest:
    """A writing request, and the key under which it may be retried, if it has one."""

    def __init__(
        self, request: Request, key: str | None, body: Any, database: Database, method: str | None = None
    ) -> None:
        """`method` is the method of the write, when the request itself is not the write."""
        self._database = database
        self._key = key
        if self._key and (subject := context.current().caller.subject):  # each caller has keys of their own
            self._key = hashlib.blake2b(f"{subject} {self._key}".encode(), digest_size=16).hexdigest()
        asks = json.dumps([method or request.method, request.url.path, body], sort_keys=True)
        self._fingerprint = hashlib.blake2b(asks.encode(), digest_size=16).hexdigest()

    async def answer(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """The answer of `attempt`, which does its work in `transaction`, or the first answer when this key already has
        one."""
        try:
            return await attempt()
        except Refusal as refusal:
            # A request with the same key may have committed already, and what has changed since must not make its retry
            # fail. After a 5xx of our own, such as a time-out, no answer is looked for: there is no time for that. If
            # there is none after a neighbour's either, that must not hide which neighbour it was.
            ours = refusal.status >= 500 and refusal.service is None
            if self._key is None or ours:
                raise
            try:
                first = await self._replay()
            except Refusal as failure:
                raise failure if failure.status < 500 else refusal from None
            if first is None:
                raise
            return first

    async def transaction(self, work: Callable[[Transaction], Awaitable[Response]]) -> Response:
        """Runs `work` in one transaction with the record of its answer. When another request with this key has done the
        work, returns its answer, and what this one did is undone."""
        if self._key is None:
            return await self._database.transaction(work)

        async def once(transaction: Transaction) -> Response:
            # The claim goes to the server together with the first statement of the work, so its outcome is known only
            # afterwards. A twin that is still running holds the claim, and the server waits for it first.
            claim = transaction.with_next(CLAIM, [self._key, self._fingerprint])
            try:
                response = await work(transaction)
                if claim.rows is None:
                    await transaction.send_waiting()
            except Contended as failure:
                if claim.rows is None:
                    raise Contended("um pedido igual ainda está em andamento", code="IN_PROGRESS") from failure
                raise
            if not claim.rows:
                raise _DoneByAnotherError
            self._remember(transaction, response)
            return response

        try:
            return await self._database.transaction(once)
        except _DoneByAnotherError as done:
            if first := await self._replay():
                return first
            raise Contended("um pedido igual ainda está em andamento", code="IN_PROGRESS") from done

    async def forget(self) -> None:
        """Deletes the record of this write, as if it had failed."""
        await self._database.fetch(WITHDRAW, [self._key, self._fingerprint])

    async def _replay(self) -> Response | None:
        """The first answer to this key, or None. Raises Invalid (422) when the key was used for a different request."""
        found = await self._database.fetch(REPLAY, [self._key])
        if not found or found[0][1] is None:
            return None
        fingerprint, answer = found[0]
        if fingerprint != self._fingerprint:
            raise Invalid("esta Idempotency-Key já foi usada em outro pedido", code="IDEMPOTENCY_KEY_REUSED")
        stored = orjson.loads(answer)
        return Response(stored["body"], stored["status"], {**stored["headers"], "Idempotency-Replayed": "true"})

    def _remember(self, transaction: Transaction, response: Response) -> None:
        """Keeps the answer, together with the commit."""
        answer = {
            "status": response.status_code,
            "headers": dict(response.headers),
            "body": bytes(response.body).decode(),
        }
        transaction.with_next(REMEMBER, [orjson.dumps(answer).decode(), self._key])


class _DoneByAnotherError(Exception):
    """Another request with the same key has done the work."""
