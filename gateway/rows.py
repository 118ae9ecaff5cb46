"""The types of the services' answers. Decoding checks them, and ignores members that are not named here.

`gateway.resources` checks that an answer contains what was asked for.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Generic, TypeVar

from msgspec import Meta, Struct

from chassis.errors import invalid
from chassis.query.pagination import INT8

R = TypeVar("R")
ID_PATTERN = re.compile(r"[1-9][0-9]{0,18}")
NOT_AN_ID = "não é um id: deve ser um número inteiro positivo de até 64 bits"
RowId = Annotated[int, Meta(ge=1, le=INT8)]
"""An id. An answer with any other number is invalid: a later bulk read with that number would fail for all its ids."""


def int_id(value: str, field: str) -> int:
    """The REST id for a GraphQL ID.

    Raises Invalid unless it is a positive integer of 64 bits without leading zeros: a client's cache would treat `01`
    and `1` as two rows.
    """
    if not ID_PATTERN.fullmatch(value) or int(value) > INT8:
        raise invalid(field, "INVALID_ID", NOT_AN_ID)
    return int(value)


class Row(Struct, frozen=True, gc=False):
    """One row, which several requests may show. `gc=False`: rows are never part of a reference cycle, so the garbage
    collector need not track them."""

    id: RowId


class BulkAnswer(Struct, Generic[R]):
    """The answer to a bulk read."""

    items: list[R]
    failed: ClassVar[Mapping[int, Exception]] = {}
    """Always empty: if the read failed, there is no answer. `RowList` has this member too, so plans use either."""


class Page(Struct, Generic[R]):
    """One page of a collection. `count` is there if it was asked for."""

    items: list[R]
    has_next: bool
    has_previous: bool
    count: Annotated[int, Meta(ge=0, le=INT8)] | None = None


class Group(Page[R], Generic[R], kw_only=True):
    """The page of one parent, whose id is `id`."""

    id: RowId


class Groups(Struct, Generic[R]):
    """The answer to a query for each of many parents."""

    groups: list[Group[R]]


class Ids(Struct):
    """The ids that match a filter. `has_next` is true if there are more than the answer may contain."""

    ids: list[RowId]
    has_next: bool
