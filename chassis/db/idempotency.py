"""`Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a retried POST gets the first successful answer.

The key's record and the rows it made commit together. A twin that is still running holds the key's row, so the second
waits on PostgreSQL itself until the first commits (and is replayed) or rolls back (and the second does the work).
Failures leave no record.
"""

import hashlib
import json
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chassis import identity
from chassis.db.database import Database, Locked, Transaction
from chassis.errors import Conflict, Invalid
from chassis.idempotency import key_of

LIFETIME = "24 hours"

CLAIM = f"""
INSERT INTO idempotency (key, fingerprint) VALUES (%s, %s)
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, answer = NULL, created_at = clock_timestamp()
WHERE idempotency.created_at < clock_timestamp() - interval '{LIFETIME}'
RETURNING key
"""
REPLAY = f"""
SELECT fingerprint, answer FROM idempotency
WHERE key = %s AND created_at >= clock_timestamp() - interval '{LIFETIME}'
"""
REMEMBER = "UPDATE idempotency SET answer = %s WHERE key = %s"
FORGET = f"""
DELETE FROM idempotency WHERE key IN (
    SELECT key FROM idempotency WHERE created_at < clock_timestamp() - interval '{LIFETIME}'
    ORDER BY created_at LIMIT 100 FOR UPDATE SKIP LOCKED)
"""


class Keyed:
    """One keyed request: its key and the fingerprint of what it asks."""

    def __init__(self, key: str, asks: bytes) -> None:
        self.key = key
        self.fingerprint = hashlib.blake2b(asks, digest_size=16).hexdigest()

    @classmethod
    def of(cls, request: Request, body: Any) -> "Keyed | None":
        """The request's key, or None without one. Raises Malformed for a key that is no key."""
        key = key_of(request)
        if key is None:
            return None
        if subject := identity.current().subject:  # the same key of somebody else is another one
            key = hashlib.blake2b(f"{subject} {key}".encode(), digest_size=16).hexdigest()
        return cls(key, json.dumps([request.method, request.url.path, body], sort_keys=True).encode())

    async def replayed(self, reader: Database | Transaction) -> Response | None:
        """The first answer to this key, if there is one. Raises Invalid (422) when it was for another body."""
        found = await reader.fetch(REPLAY, [self.key])
        if not found or found[0][1] is None:
            return None
        fingerprint, answer = found[0]
        if fingerprint != self.fingerprint:
            raise Invalid("esta Idempotency-Key já foi usada com outro corpo", code="IDEMPOTENCY_KEY_REUSED")
        stored = orjson.loads(answer)
        return Response(stored["body"], stored["status"], {**stored["headers"], "Idempotency-Replayed": "true"})

    async def claimed(self, transaction: Transaction) -> Response | None:
        """None when the work is ours to do; else the twin's answer. Raises Conflict when it takes too long."""
        try:
            if await transaction.fetch(CLAIM, [self.key, self.fingerprint]):
                await transaction.fetch(FORGET, [])
                return None
        except Locked as failure:
            raise Conflict("um pedido igual ainda está em andamento", code="IN_PROGRESS") from failure
        return await self.replayed(transaction)

    async def remember(self, transaction: Transaction, response: Response) -> None:
        answer = {
            "status": response.status_code,
            "headers": dict(response.headers),
            "body": bytes(response.body).decode(),
        }
        await transaction.fetch(REMEMBER, [orjson.dumps(answer).decode(), self.key])
