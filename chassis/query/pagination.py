"""Keyset cursors: the position of one row in one ordering, computed from the row itself.

A cursor is base64url(JSON `[field, value, id]`). It is opaque to clients, but any process that holds a row can make its
cursor. It names a position, not a direction: the same cursor serves the orderings `id` and `-id`.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson

from chassis.scalars import to_json

DEFAULT_SIZE = 100
MAX_SIZE = 1000
MAX_IDS = 5000
MAX_PARENTS = 1000
INT8 = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CursorPosition:
    """A decoded cursor. `value` is the public value of `field` in the row with `id`, or None when ordered by id."""

    field: str
    value: Any
    id: int


def cursor(field: str, row_value: Any, row_id: int) -> str:
    """The cursor of a row in the ordering by `field`. `row_value` is ignored when the field is the id itself."""
    position: list[Any] = [field, row_id] if field == "id" else [field, row_value, row_id]
    return base64.urlsafe_b64encode(orjson.dumps(position, to_json, orjson.OPT_UTC_Z)).rstrip(b"=").decode()


def adjacent_cursor(text: str, step: int) -> str:
    """The cursor that is `step` (1 or -1) further than `text` by id, so that the page before or after it includes the
    row at `text`. (At the highest possible id this does not work, but no row has it.)"""
    position = decode_cursor(text)
    return cursor(position.field, position.value, min(max(position.id + step, 0), INT8))


def decode_cursor(text: str) -> CursorPosition:
    """The position that a cursor names. Raises ValueError when it is not one of our cursors."""
    try:
        position = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, orjson.JSONDecodeError) as failure:
        raise ValueError("not a cursor") from failure
    match position:
        case ["id", int(row_id)] if type(row_id) is int and 0 <= row_id <= INT8:
            return CursorPosition("id", None, row_id)
        case [str(field), str() | int() | None as value, int(row_id)] if (
            field != "id" and type(row_id) is int and 0 <= row_id <= INT8
        ):
            return CursorPosition(field, value, row_id)
        case _:
            raise ValueError("not a cursor")
