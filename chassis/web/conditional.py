"""Conditional requests (RFC 9110, section 13): strong entity tags, and the headers that compare them.

`If-Match` is checked before `If-None-Match` (13.2.2). Resources have no date of change, so headers with a date are
ignored. A resource without a tag (a collection, or the coordinator's view) matches only `*`, since it exists.
"""

import hashlib
import re
from base64 import urlsafe_b64encode

from pydantic import BaseModel

from chassis.errors import PreconditionFailed
from chassis.web.reading import header

MEMBERS = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"|[^\s,]+')
"""The members of a list: entity tags, which may contain commas, and `*`. Other words are not tags and match none."""
EXAMPLE = '"mDzBv0Xv4Fk1mXPk0kVZ"'


def etag(representation: bytes) -> str:
    """A strong entity tag: two are equal exactly when the bytes are."""
    return f'"{urlsafe_b64encode(hashlib.blake2b(representation, digest_size=15).digest()).decode()}"'


class Conditions(BaseModel):
    """The headers that make a request conditional."""

    if_match: str = header("If-Match", "Refuse with 412 unless this is still the version.", EXAMPLE)
    if_none_match: str = header("If-None-Match", "While this is the version: a GET gets 304, a change 412.", EXAMPLE)

    def not_modified(self, tag: str | None) -> bool:
        """Whether the client already has this version: `If-None-Match` names `tag` (weak comparison). Raises
        PreconditionFailed when there is an `If-Match` that does not name it (strong comparison)."""
        required = self._members("if_match")
        if required is not None and tag not in required and "*" not in required:
            detail = "o recurso foi alterado por outra pessoa; leia-o de novo e repita"
            raise _failed(detail if tag else "este recurso não tem ETag: If-Match só pode ser *", tag)
        known = self._members("if_none_match")
        return known is not None and ("*" in known or tag in [one.removeprefix("W/") for one in known])

    def require(self, tag: str | None) -> None:
        """Checks a write. Raises PreconditionFailed when `If-Match` does not name `tag`, or when `If-None-Match`
        does."""
        if self.not_modified(tag):
            raise _failed("o recurso existe, e é o que If-None-Match exclui", tag)

    def _members(self, field: str) -> list[str] | None:
        """The list members in all lines of a header; an empty list has none. None without the header."""
        return MEMBERS.findall(getattr(self, field)) if field in self.model_fields_set else None


def _failed(detail: str, tag: str | None) -> PreconditionFailed:
    return PreconditionFailed(detail, headers={"ETag": tag} if tag else {})
