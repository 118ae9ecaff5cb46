"""Conditional requests (RFC 9110, section 13): strong validators of a representation, and what clients say of them."""

import hashlib
from base64 import urlsafe_b64encode

from starlette.requests import Request

from chassis.errors import PreconditionFailed


def etag(representation: bytes) -> str:
    """A strong entity tag: equal exactly when the bytes are."""
    return f'"{urlsafe_b64encode(hashlib.blake2b(representation, digest_size=15).digest()).decode()}"'


def not_modified(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` already holds `tag` (weak comparison, as the RFC asks for GET and HEAD)."""
    return any(held in ("*", tag) for held in _tags(request, "if-none-match", weak=True))


def require_match(request: Request, tag: str) -> None:
    """Raises PreconditionFailed when `If-Match` is there and names another version (strong comparison)."""
    held = _tags(request, "if-match", weak=False)
    if held and not any(one in ("*", tag) for one in held):
        raise PreconditionFailed(
            "o recurso foi alterado por outra pessoa; leia-o de novo e repita", headers={"ETag": tag}
        )


def _tags(request: Request, header: str, *, weak: bool) -> list[str]:
    tags = [tag.strip() for line in request.headers.getlist(header) for tag in line.split(",")]
    return [tag.removeprefix("W/") if weak else tag for tag in tags if tag]
