"""Declarations: each says where the value of a field of the schema comes from.

A field of the Strawberry schema carries its declaration as `metadata["declaration"]`. Three things are made from it:
the field's resolver for the reference executor, its part of a plan, and its cost.

A field without a declaration is a column of its type's rows, or it has a resolver of its own, which a plan calls.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from graphql import GraphQLField
from strawberry.types.field import StrawberryField

from gateway.resources import AnyResource

FindResource = Callable[[], AnyResource]
"""Finds the resource that a field leads to. The field's type, which says it, may be defined after the field."""
ConvertArguments = Callable[[dict[str, Any], StrawberryField], dict[str, Any]]
"""Turns the arguments that graphql-core has coerced into the arguments that the field's resolver takes."""


@dataclass(slots=True)
class MutationOutcome:
    """The result of a mutation's write: the written row, or None and the errors that the caller can correct."""

    row: Any
    errors: Sequence[Any]


@dataclass(frozen=True)
class LinkByKey:
    """Declares a link: the value is the row of `resource` whose id is the parent's attribute `key`."""

    key: str
    find_resource: FindResource

    @cached_property
    def resource(self) -> AnyResource:
        return self.find_resource()


@dataclass(frozen=True)
class EmbeddedObject:
    """Declares an object that is part of the parent's row, as its `attribute`."""

    attribute: str


@dataclass(frozen=True)
class RowById:
    """Declares the row whose id is the argument `id`. `parse_id` makes it an integer, or raises Invalid."""

    resource: AnyResource
    parse_id: Callable[[str], int]
    convert: ConvertArguments


@dataclass(frozen=True)
class ConnectionOf:
    """Declares a connection over the rows of `resource`; below a parent, over those whose `field` is the parent's id.

    `build_query` makes the services' query from the request's loaders, the names of the selected fields, and the
    arguments as a resolver takes them.
    """

    find_resource: FindResource
    build_query: Callable[..., Awaitable[dict[str, Any]]]
    convert: ConvertArguments
    field: str | None = None

    @cached_property
    def resource(self) -> AnyResource:
        return self.find_resource()


@dataclass(frozen=True)
class MutationWrite:
    """Declares a mutation. `write` takes the context, and the arguments as a resolver takes them."""

    write: Callable[..., Awaitable[MutationOutcome]]
    convert: ConvertArguments


@dataclass(frozen=True)
class ChangesOf:
    """Declares a subscription: the changes of the rows of `resource`, which its service's feed calls `noun`.

    `parse_id` makes the argument `id` an integer, or raises Invalid. `build_filter` makes the services' filter of the
    argument `filter`.
    """

    resource: AnyResource
    noun: str
    parse_id: Callable[[str], int]
    build_filter: Callable[..., Awaitable[dict[str, Any]]]
    convert: ConvertArguments


@dataclass(frozen=True)
class ChangedRow:
    """Declares the object in a change: the row as it is now, or null."""


@dataclass(frozen=True)
class FeedPositions:
    """Declares how much of the services' changes was known before the operation read anything."""


@dataclass(frozen=True)
class PayloadRow:
    """Declares the object in a mutation's payload: the written row, or null if the write was refused."""


@dataclass(frozen=True)
class PayloadErrors:
    """Declares the list `errors` in a mutation's payload: what the caller can correct; empty after a success."""


Declaration = (
    LinkByKey
    | EmbeddedObject
    | RowById
    | ConnectionOf
    | MutationWrite
    | PayloadRow
    | PayloadErrors
    | ChangesOf
    | ChangedRow
    | FeedPositions
)


def strawberry_field(definition: GraphQLField) -> StrawberryField:
    """The Strawberry field that a field of the schema was made from."""
    return definition.extensions["strawberry-definition"]


def declaration_of(definition: GraphQLField) -> Declaration | None:
    """The field's declaration, if it has one."""
    return cast("Declaration | None", strawberry_field(definition).metadata.get("declaration"))


def is_resolved(definition: GraphQLField) -> bool:
    """Whether the field's resolver must be called to get its value.

    That is so for a resolver that somebody wrote for this field, and also wherever an extension or a permission stands
    before the value, since only the resolver runs them.
    """
    field = strawberry_field(definition)
    return bool(field.extensions) or (declaration_of(definition) is None and not field.is_basic_field)
