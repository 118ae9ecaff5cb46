"""What must be known of a whole schema before its operations are compiled: which of its types are rows of ours.

`adapt` also makes ordinary Strawberry resolvers work on these types, for plans and for graphql-core alike. Rows are
structs that hold what a service has answered. A resolver gets its `self` as the Strawberry type that it is written on.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

import graphql
from graphql import (
    GraphQLField,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
)

from gateway.declarations import (
    ChangesOf,
    ConnectionOf,
    EmbeddedObject,
    LinkByKey,
    MutationWrite,
    RowById,
    declaration_of,
    is_resolved,
    strawberry_field,
)
from gateway.resources import AnyResource

default_type_resolver: Callable[..., Any] = getattr(graphql, "default_type_resolver")  # noqa: B009  # typed in part only
FromRow = Callable[[Any], Any]
"""Makes an object of a Strawberry type from a row. Anything that is no row stays as it is."""


class SchemaError(Exception):
    """The schema has something that the gateway cannot execute. The message names it."""


def row_types(schema: GraphQLSchema) -> Mapping[str, AnyResource]:
    """The object types whose objects are rows of a resource, by name."""
    if (known := schema.extensions.get("row_types")) is not None:
        return known
    found: dict[str, AnyResource] = {}
    for kind in _object_types(schema):
        for definition in kind.fields.values():
            declared, below = declaration_of(definition), _named_type(definition)
            if isinstance(declared, LinkByKey | RowById):
                found[below.name] = declared.resource
            elif isinstance(declared, ConnectionOf):
                found[_named_type(below.fields["nodes"]).name] = declared.resource
    return found


def adapt(schema: GraphQLSchema) -> GraphQLSchema:
    """The same schema, with what its resolvers need. Raises SchemaError for what cannot be executed."""
    rows = row_types(schema)
    schema.extensions["row_types"] = rows
    names = {resource.row: name for name, resource in rows.items()}
    for kind in schema.type_map.values():
        if is_abstract_type(kind):
            kind.resolve_type = _resolve_type(cast("Any", kind).resolve_type or default_type_resolver, names)
    for kind in _object_types(schema):
        for name, definition in kind.fields.items():
            _refuse(kind, name, definition, schema, rows.get(kind.name))
            if kind.name in rows and is_resolved(definition):
                definition.resolve = _with_self(definition.resolve, _from_row(kind, rows))
        if kind.name in rows:
            kind.is_type_of = None  # Strawberry's own would take only its dataclass, and rows are structs
    return schema


def _refuse(
    kind: GraphQLObjectType, name: str, definition: GraphQLField, schema: GraphQLSchema, resource: AnyResource | None
) -> None:
    """Raises SchemaError for a field that cannot be executed."""
    declared = declaration_of(definition)
    if kind is schema.mutation_type and not isinstance(declared, MutationWrite):
        raise SchemaError(
            f"{kind.name}.{name} has a resolver of its own, so a retry under the same Idempotency-Key would run it "
            "again. Declare it with creates, updates or deletes (gateway/schema/mutations.py), or with a MutationWrite."
        )
    if kind is schema.subscription_type and not isinstance(declared, ChangesOf):
        raise SchemaError(f"{kind.name}.{name} must be declared with a ChangesOf (gateway/schema/subscriptions.py).")
    column = strawberry_field(definition).python_name
    if resource and not declared and strawberry_field(definition).is_basic_field and not hasattr(resource.row, column):
        raise SchemaError(f"{kind.name}.{name} has no resolver, and the rows of {resource.path} have no {column}.")


def _with_self(resolve: Callable[..., Any], from_row: FromRow) -> Callable[..., Any]:
    def resolve_with_self(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return resolve(from_row(source), info, **arguments)

    return resolve_with_self


def _resolve_type(resolve: Callable[..., Any], names: Mapping[type, str]) -> Callable[..., Any]:
    def resolve_type(value: Any, info: GraphQLResolveInfo[Any], kind: Any) -> Any:
        return names.get(cast("type[Any]", type(value))) or resolve(value, info, kind)

    return resolve_type


def _from_row(kind: GraphQLObjectType, rows: Mapping[str, AnyResource]) -> FromRow:
    """How a row becomes the Strawberry type that `kind` was made from: its columns as the type declares them."""
    make, row = cast("type[Any]", kind.extensions["strawberry-definition"].origin), rows[kind.name].row
    columns: list[tuple[str, FromRow | None]] = []
    for definition in kind.fields.values():
        name, below = strawberry_field(definition).python_name, _named_type(definition)
        if isinstance(declaration_of(definition), EmbeddedObject) and below.name in rows:
            columns.append((name, _from_row(below, rows)))
        elif strawberry_field(definition).init:
            columns.append((name, _text if below.name == "ID" else None))

    def from_row(value: Any) -> Any:
        if not isinstance(value, row):
            return value
        return make(
            **{name: convert(getattr(value, name)) if convert else getattr(value, name) for name, convert in columns}
        )

    return from_row


def _text(id: int | None) -> str | None:
    return None if id is None else str(id)


def _object_types(schema: GraphQLSchema) -> list[GraphQLObjectType]:
    """The object types of the schema, without those of introspection."""
    return [
        kind
        for kind in schema.type_map.values()
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__")
    ]


def _named_type(definition: GraphQLField) -> Any:
    return cast("Callable[[Any], Any]", get_named_type)(cast("Any", definition).type)
