"""What a resource's Strawberry type says of itself, from which the rest of its schema follows.

A resource is an ordinary Strawberry type. Its `collection` names the service that owns its rows. A field without a
resolver is a member of the row that the service sends; one that is made by `field` also says what clients may do by it.
Plain functions make the rest from the type:

    row_of ................................... the row that the gateway decodes
    resource_of .............................. the collection of the service that its rows are read from
    filters.filter_of ........................ `PessoaFilter`
    connection.order_of ...................... `PessoaOrder`
    connection.queries ....................... the fields of `Query`
    mutations.mutations ...................... the fields of `Mutation`, with their inputs and payloads
    subscriptions.subscriptions .............. the field of `Subscription`

They are called when the schema is built, when all types exist.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Annotated, Any, cast, get_args

import msgspec
import strawberry
from strawberry.types import get_object_definition
from strawberry.types.base import StrawberryOptional
from strawberry.types.field import StrawberryField
from strawberry.types.lazy_type import LazyType

from chassis.neighbours.row_cache import Shows
from gateway.declarations import EmbeddedObject
from gateway.names import snake
from gateway.resources import AnyResource, Resource
from gateway.rows import Row, RowId
from gateway.schema.words import sentence

GRAPHQL_INT = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**31)]
"""An `Int` of GraphQL has 32 bits."""
IN_ROWS: Mapping[Any, Any] = {strawberry.ID: RowId, int: GRAPHQL_INT}
"""The types of the schema whose values are of another type in a row."""


@dataclass(frozen=True)
class ServiceCollection:
    """The collection that a type's rows are in: its service, its path there, and what it is called in Portuguese.

    `one` and `many` have their articles: `a pessoa`, `as pessoas`.
    """

    service: str
    path: str
    one: str
    many: str


@dataclass(frozen=True)
class RowField:
    """What clients may do by a member of the row (see `field`)."""

    noun: str
    filter: type | None
    order: bool
    written: bool
    has_default: bool
    rule: str


def field(
    noun: str,
    *,
    description: str = "",
    filter: type | None = None,
    order: bool = False,
    written: bool = True,
    has_default: bool = False,
    rule: str = "",
    **options: Any,
) -> Any:
    """A member of the row.

    `noun` names it with its article (`o nome`); descriptions are made from that. `filter` is the input type of its
    conditions. Clients may order by it if `order` is true, and write it if `written` is. With `has_default` a new row
    may be written without it, as if it could be null. `rule` is what the inputs say after the noun, with its
    punctuation: `: de 1 a 100 caracteres`. `options` are those of `strawberry.field`, such as `permission_classes`.
    """
    declared = RowField(noun, filter, order, written, has_default, rule)
    return strawberry.field(description=description or sentence(noun), metadata={"row": declared}, **options)


def collection_of(kind: type) -> ServiceCollection:
    """The collection that a resource's type declares."""
    return vars(kind)["collection"]


def fields_of(kind: type) -> list[StrawberryField]:
    """The Strawberry fields of a type, in their order."""
    return get_object_definition(kind, strict=True).fields


def value_type(field: StrawberryField) -> tuple[Any, bool]:
    """The Python type of a field's values, and whether they may be null."""
    assert field.type_annotation, f"{field.python_name} has no annotation"
    annotation = field.type_annotation.evaluate()
    options = get_args(annotation)
    if NoneType not in options:
        return annotation, False
    [option] = [one for one in options if one is not NoneType]
    return option, True


def target_of(field: StrawberryField) -> type:
    """The object type that a field leads to; of a connection, the type of its rows."""
    return _object_type(field.type)


def _object_type(found: Any) -> type:
    if isinstance(found, StrawberryOptional):
        return _object_type(found.of_type)
    if isinstance(found, LazyType):
        return _object_type(cast("Any", found).resolve_type())
    rows = get_object_definition(found, strict=True).type_var_map.get("N")
    return _object_type(rows) if rows else found


@cache
def row_of(kind: type) -> type[Row]:
    """The row of a resource. A member that may be null may also be missing, as older processes do not know new ones.

    An object inside the row, such as `categoria`, also gives the row its id, as `categoria_id`.
    """
    members: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    ids: dict[str, Any] = {}
    for one in fields_of(kind):
        name = one.python_name
        if isinstance(one.metadata.get("declaration"), EmbeddedObject):
            members.append((name, row_of(target_of(one))))
            ids[f"{name}_id"] = property(attrgetter(f"{name}.id"))
        elif name != "id" and not one.base_resolver:  # pyright: ignore[reportUnknownMemberType]  # typed in part only
            found, nullable = value_type(one)
            found = IN_ROWS.get(found, found)
            assert not (nullable and found is RowId), f"{kind.__name__}.{name}: an id in a row must not be null"
            members.append((name, found | None, None) if nullable else (name, found))
    made = msgspec.defstruct(kind.__name__, members, bases=(Row,), namespace=ids, kw_only=True, frozen=True, gc=False)
    return cast("type[Row]", made)


@cache
def resource_of(kind: type) -> AnyResource:
    """The collection of a resource, as the loaders read it."""
    declared = collection_of(kind)
    shows: Shows = {
        snake(target_of(one).__name__): attrgetter(f"{one.python_name}.id")
        for one in fields_of(kind)
        if isinstance(one.metadata.get("declaration"), EmbeddedObject)
    }
    return Resource(declared.service, declared.path, row_of(kind), snake(kind.__name__), shows)


def made_type(name: str, members: Mapping[str, tuple[Any, Any]], base: type = object) -> type:
    """The class that a class statement with these members would make: each has an annotation and a Strawberry field."""
    annotations = {member: annotation for member, (annotation, _) in members.items()}
    fields = {member: field for member, (_, field) in members.items()}
    return type(name, (base,), {"__annotations__": annotations, **fields})
