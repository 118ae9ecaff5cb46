"""Reads the `Idempotency-Key` header, and says what a valid key is."""

import re

from starlette.requests import Request

from chassis.errors import Malformed

KEY = re.compile(r"[\x21-\x7e]{1,255}")


def key_of(request: Request) -> str | None:
    """The request's key, or None when it has none. Raises Malformed for an invalid key."""
    lines = request.headers.getlist("idempotency-key")
    if not lines:
        return None
    return valid_key(", ".join(lines))


def valid_key(key: str) -> str:
    """`key`. Raises Malformed for an invalid one."""
    if not KEY.fullmatch(key):
        raise Malformed("Idempotency-Key deve ter de 1 a 255 caracteres ASCII visíveis")
    return key
