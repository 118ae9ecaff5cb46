"""What a field of the schema says of itself: where its value comes from.

A field of the Strawberry schema carries one of these as `metadata["plan"]`. Its resolver for the reference executor,
its part of a plan and its price are all made from it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from strawberry.types.field import StrawberryField

from gateway.resources import AnyResource

Convert = Callable[[dict[str, Any], StrawberryField], dict[str, Any]]
"""Turns arguments as graphql-core coerced them into what a resolver of the field takes."""


@dataclass(slots=True)
class Outcome:
    """What a write came to: the row, or what its caller can mend."""

    row: Any
    errors: Sequence[Any]


@dataclass(frozen=True)
class LinkByKey:
    """Declares a link: the row of `to` whose id is the parent's `key`."""

    key: str
    to: AnyResource


@dataclass(frozen=True)
class HeldObject:
    """Declares an object that the parent's row holds."""

    attribute: str


@dataclass(frozen=True)
class RowById:
    """Declares one row by the argument `id`; `read` turns it into an integer, or refuses it."""

    of: AnyResource
    read: Callable[[str], int]
    convert: Convert


@dataclass(frozen=True)
class ConnectionOf:
    """Declares a connection over `of`; below a parent, over the rows whose `field` is its id.

    `asked` turns the names of the selected fields, and the arguments as a resolver takes them, into the services' read.
    """

    of: AnyResource
    asked: Callable[..., Awaitable[dict[str, Any]]]
    convert: Convert
    field: str | None = None


@dataclass(frozen=True)
class MutationWrite:
    """Declares a mutation: `write` takes the context, and the arguments as a resolver takes them."""

    write: Callable[..., Awaitable[Outcome]]
    convert: Convert


@dataclass(frozen=True)
class WrittenRow:
    """Declares the object of a mutation's payload: the row that was written, null if it was refused."""


@dataclass(frozen=True)
class MendableErrors:
    """Declares what a mutation's caller can mend; empty if it was done."""


Declaration = LinkByKey | HeldObject | RowById | ConnectionOf | MutationWrite | WrittenRow | MendableErrors
