"""What a resolver can reach: the loaders of its request, and the key under which the request may be retried."""

import hashlib
from dataclasses import dataclass

import strawberry

from gateway.loaders import Loaders


@dataclass
class Context:
    loaders: Loaders
    idempotency_key: str | None = None
    writes: int = 0
    """How many creations this operation has made: each has a key of its own, derived from the request's."""

    def next_key(self) -> str | None:
        """The key for the next creation of this operation, the same when the operation is retried."""
        self.writes += 1
        if self.idempotency_key is None:
            return None
        return hashlib.blake2b(f"{self.idempotency_key}#{self.writes}".encode(), digest_size=16).hexdigest()


Info = strawberry.Info[Context, None]
