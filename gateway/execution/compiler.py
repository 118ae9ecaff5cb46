"""Compiles a validated query into a plan, from the declarations that the schema's fields carry.

A field of the Strawberry schema says once what it is (`metadata["plan"]`: a link, a connection, one row by id); its
resolver for the reference executor and its part of a plan both come from that. Not compiled, and why:

- mutations: their fields run one after the other, and most of their time is the write;
- introspection (`__schema`, `__type`): it reads no service.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_argument_values,
    get_named_type,
)
from strawberry.types.field import StrawberryField

from gateway.execution import plan
from gateway.execution.collect import Collector, selections
from gateway.execution.plan import Asked, Run
from gateway.resources import AnyResource
from gateway.rows import Page


class NotCompiledError(Exception):
    """This operation is the reference executor's; the message is the reason."""


@dataclass(frozen=True)
class ByKey:
    """Declares a link: the row of `to` whose id is the parent's `key`."""

    key: str
    to: AnyResource


@dataclass(frozen=True)
class Held:
    """Declares an object that the parent's row holds."""

    attribute: str


@dataclass(frozen=True)
class ById:
    """Declares one row by the argument `id`; `read` turns it into an integer, or refuses it."""

    of: AnyResource
    read: Callable[[str], int]


@dataclass(frozen=True)
class Many:
    """Declares a connection over `of`; below a parent, over the rows whose `field` is its id.

    `asked` turns the arguments as coerced, and whether the count is selected, into the services' query.
    """

    of: AnyResource
    asked: Callable[[Any, dict[str, Any], bool, Any], Any]
    field: str | None = None


Declaration = ByKey | Held | ById | Many


def steering(document: DocumentNode) -> frozenset[str]:
    """The variables that `@include` and `@skip` depend on: a plan for each of their outcomes."""
    found: set[str] = set()

    def visit(selections: SelectionSetNode | None) -> None:
        for node in selections.selections if selections else ():
            for directive in node.directives or ():
                found.update(
                    one.value.name.value for one in directive.arguments or () if isinstance(one.value, VariableNode)
                )
            visit(getattr(node, "selection_set", None))

    for definition in document.definitions:
        visit(getattr(definition, "selection_set", None))
    return frozenset(found)


class Compiler:
    """Compiles one operation of one document, for one outcome of its `@include` and `@skip`."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Any) -> None:
        self._schema = schema
        self._collect = Collector(document, variables).collect

    def compile(self, operation: OperationDefinitionNode) -> plan.Plan:
        """The plan. Raises NotCompiledError."""
        if operation.operation is not OperationType.QUERY:
            raise NotCompiledError("only queries are compiled")
        query = cast("GraphQLObjectType", self._schema.query_type)
        return plan.Plan(
            {
                key: query.name if nodes[0].name.value == "__typename" else self._root(query, nodes)
                for key, nodes in self._collect(query, [operation.selection_set]).items()
            }
        )

    def _root(self, query: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.Root | plan.Single:
        declared, below = self._declared(query, nodes)
        match declared:
            case ById():
                return plan.Single(declared.of, self._id(query, declared, nodes), self._objects(below, nodes), nodes)
            case Many():
                connection, counted = self._connection(below, nodes)
                return plan.Root(declared.of, self._asked(query, declared, nodes, counted), connection, nodes)
            case _:
                raise NotCompiledError(f"{nodes[0].name.value} reads no service")

    def _objects(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> plan.Objects:
        fields = self._collect(kind, selections(parents))
        return plan.Objects({key: self._part(kind, nodes) for key, nodes in fields.items()})

    def _part(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.Part:
        name = nodes[0].name.value
        if name == "__typename":
            return plan.constant(kind.name)
        declared, below = self._declared(kind, nodes)
        match declared:
            case ByKey():
                return plan.Link(attrgetter(declared.key), declared.to, self._objects(below, nodes), nodes)
            case Held():
                return plan.Embedded(attrgetter(declared.attribute), self._objects(below, nodes))
            case Many(field=str(field)):
                connection, counted = self._connection(below, nodes)
                asked = self._asked(kind, declared, nodes, counted)
                return plan.Below(field, declared.of, asked, connection, nodes)
            case None:
                python_name = self._strawberry(kind, name).python_name
                is_id = str(kind.fields[name].type).rstrip("!") == "ID"
                return plan.identifier(python_name) if is_id else plan.attribute(python_name)
            case _:
                raise NotCompiledError(f"{kind.name}.{name} is of no kind that is compiled")

    def _connection(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> tuple[plan.Connection, bool]:
        """The layout, and whether the count is selected."""
        fields = self._collect(kind, selections(parents))
        counted = any(nodes[0].name.value == "totalCount" for nodes in fields.values())
        return plan.Connection({key: self._of_connection(kind, nodes) for key, nodes in fields.items()}), counted

    def _of_connection(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.ConnectionPart:
        name = nodes[0].name.value
        match name:
            case "__typename":
                return plan.OfPage(lambda _page, _by: kind.name)
            case "totalCount":
                return plan.OfPage(lambda page, _by: page.count)
            case "pageInfo":
                return plan.OfPage(self._page_info(_object(kind, name), nodes))
            case "nodes":
                return plan.Nodes(self._objects(_object(kind, name), nodes))
            case "edges":
                edge = _object(kind, name)
                fields = self._collect(edge, selections(nodes))
                return plan.Edges({key: self._of_edge(edge, of) for key, of in fields.items()})
            case _:
                raise NotCompiledError(f"{kind.name}.{name} is of no kind that is compiled")

    def _of_edge(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.Objects | str | None:
        match nodes[0].name.value:
            case "__typename":
                return kind.name
            case "cursor":
                return None
            case name:
                return self._objects(_object(kind, name), nodes)

    def _page_info(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Callable[[Page[Any], str], Any]:
        fields = self._collect(kind, selections(nodes))
        parts = {key: of[0].name.value for key, of in fields.items()}

        def page_info(page: Page[Any], ordered_by: str) -> dict[str, Any]:
            return {key: PAGE_INFO[name](page, ordered_by, kind.name) for key, name in parts.items()}

        return page_info

    def _asked(self, kind: GraphQLObjectType, declared: Many, nodes: Sequence[FieldNode], counted: bool) -> Asked:
        definition, strawberry_field = kind.fields[nodes[0].name.value], self._strawberry(kind, nodes[0].name.value)

        async def asked(run: Run) -> dict[str, Any]:
            given = get_argument_values(definition, nodes[0], run.variables)
            return await declared.asked(strawberry_field, given, counted, run.loaders)

        return asked

    def _id(self, kind: GraphQLObjectType, declared: ById, nodes: Sequence[FieldNode]) -> Callable[[Run], int]:
        definition = kind.fields[nodes[0].name.value]
        return lambda run: declared.read(get_argument_values(definition, nodes[0], run.variables)["id"])

    def _declared(
        self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]
    ) -> tuple[Declaration | None, GraphQLObjectType]:
        name = nodes[0].name.value
        if name not in kind.fields:
            raise NotCompiledError(f"{name} is introspection")
        found = cast("Declaration | None", self._strawberry(kind, name).metadata.get("plan"))
        return found, cast("GraphQLObjectType", get_named_type(kind.fields[name].type))

    def _strawberry(self, kind: GraphQLObjectType, name: str) -> StrawberryField:
        return kind.fields[name].extensions["strawberry-definition"]


def _end(page: Page[Any], ordered_by: str, at: int) -> str | None:
    if not page.items:
        return None
    row = page.items[at]
    return plan.cursor(ordered_by, getattr(row, ordered_by), row.id)


PAGE_INFO: dict[str, Callable[[Page[Any], str, str], Any]] = {
    "hasNextPage": lambda page, _by, _kind: page.has_next,
    "hasPreviousPage": lambda page, _by, _kind: page.has_previous,
    "startCursor": lambda page, by, _kind: _end(page, by, 0),
    "endCursor": lambda page, by, _kind: _end(page, by, -1),
    "__typename": lambda _page, _by, kind: kind,
}


def _object(kind: GraphQLObjectType, name: str) -> GraphQLObjectType:
    return cast("GraphQLObjectType", get_named_type(kind.fields[name].type))
