"""What a resolver can reach: the loaders of its request, and the key under which each of its writes may be retried."""

import hashlib
import secrets
from dataclasses import dataclass

import strawberry

from gateway.loaders import Loaders


@dataclass
class Context:
    loaders: Loaders
    idempotency_key: str | None = None
    """The client's. Without one we make our own, so that a write whose answer was lost can be sent again by us."""
    writes: int = 0
    """How many writes this operation has come to: each has a key of its own, derived from the request's."""

    def next_key(self) -> str:
        """The key for the next write of this operation, the same when the operation is retried."""
        self.writes += 1
        self.idempotency_key = self.idempotency_key or secrets.token_hex(16)
        return hashlib.blake2b(f"{self.idempotency_key}#{self.writes}".encode(), digest_size=16).hexdigest()


Info = strawberry.Info[Context, None]
