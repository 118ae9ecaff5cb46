"""Compiles a validated query into a plan, from the declarations that the schema's fields carry.

A field of the Strawberry schema says once what it is (`metadata["plan"]`: a link, a connection, one row by id); its
resolver for the reference executor and its part of a plan both come from that. Not compiled, and why:

- mutations: their fields run one after the other, and most of their time is the write;
- introspection (`__schema`, `__type`): it reads no service.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
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
    get_named_type,
)
from strawberry.types.field import StrawberryField

from gateway.execution import layout, plan
from gateway.execution.arguments import Arguments, Convert
from gateway.execution.collect import Collector, selections
from gateway.execution.plan import Run
from gateway.resources import AnyResource


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
    convert: Convert


@dataclass(frozen=True)
class Many:
    """Declares a connection over `of`; below a parent, over the rows whose `field` is its id.

    `asked` turns the names of the selected fields, and the arguments as a resolver takes them, into the services' read.
    """

    of: AnyResource
    asked: Callable[..., Awaitable[dict[str, Any]]]
    convert: Convert
    field: str | None = None


Declaration = ByKey | Held | ById | Many


Placed = layout.Value | plan.Part | plan.Shape | bytes
"""What a member of an object is made of: what fills a gap; or a shape, or a text, that needs none."""


def steering(document: DocumentNode) -> tuple[str, ...]:
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
    return tuple(sorted(found))


class Compiler:
    """Compiles one operation of one document, for one outcome of its `@include` and `@skip`."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Any) -> None:
        self._schema = schema
        self._collect = Collector(document, variables).collect
        self._by_id = Counter[str]()
        """Parts that read a resource by id, by its path."""

    def compile(self, operation: OperationDefinitionNode) -> plan.Plan:
        """The plan. Raises NotCompiledError."""
        if operation.operation is not OperationType.QUERY:
            raise NotCompiledError("only queries are compiled")
        query = cast("GraphQLObjectType", self._schema.query_type)
        texts: dict[str, bytes] = {}
        roots: dict[str, plan.Root | plan.Single] = {}
        for key, nodes in self._collect(query, [operation.selection_set]).items():
            if nodes[0].name.value == "__typename":
                texts[key] = _quoted(query.name)
            else:
                texts[key] = layout.GAP
                roots[key] = self._root(query, nodes)
        often = frozenset(path for path, parts in self._by_id.items() if parts > 1)
        return plan.Plan(_object_text(texts), roots, often)

    def _root(self, query: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.Root | plan.Single:
        declared, below = self._declared(query, nodes)
        match declared:
            case ById():
                self._by_id[declared.of.path] += 1
                return plan.Single(declared.of, self._id(query, declared, nodes), self._shape(below, nodes), nodes)
            case Many():
                shape, selected = self._connection(below, nodes)
                return plan.Root(declared.of, self._asked(query, declared, nodes, selected), shape, nodes)
            case _:
                raise NotCompiledError(f"{nodes[0].name.value} reads no service")

    def _shape(self, kind: GraphQLObjectType, parents: Sequence[FieldNode], row: str = "") -> plan.Shape:
        """What `parents` select of `kind`. `row` is where it stands in the row: `categoria.` in a row of a produto."""
        fields = self._collect(kind, selections(parents))
        return _assembled({key: self._part(kind, nodes, row) for key, nodes in fields.items()})

    def _part(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode], row: str) -> Placed:
        name = nodes[0].name.value
        if name == "__typename":
            return _quoted(kind.name)
        declared, below = self._declared(kind, nodes)
        match declared:
            case ByKey():
                self._by_id[declared.to.path] += 1
                return plan.Link(row + declared.key, declared.to, self._shape(below, nodes), nodes)
            case Held():
                return self._shape(below, nodes, f"{row}{declared.attribute}.")
            case Many(field=str(field)):
                shape, selected = self._connection(below, nodes)
                asked = self._asked(kind, declared, nodes, selected)
                return plan.Below(field, declared.of, f"{row}id", asked, shape, nodes)
            case None:
                attribute = row + self._strawberry(kind, name).python_name
                is_id = str(kind.fields[name].type).rstrip("!") == "ID"
                return layout.identifier(attribute) if is_id else layout.attribute(attribute)
            case _:
                raise NotCompiledError(f"{kind.name}.{name} is of no kind that is compiled")

    def _connection(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> tuple[plan.Shape, frozenset[str]]:
        """The shape of a page, and the names of its selected fields."""
        fields = self._collect(kind, selections(parents))
        shape = _assembled({key: self._of_connection(kind, nodes) for key, nodes in fields.items()})
        return shape, frozenset(nodes[0].name.value for nodes in fields.values())

    def _of_connection(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Placed:
        match nodes[0].name.value:
            case "__typename":
                return _quoted(kind.name)
            case "totalCount":
                return layout.attribute("page.count")
            case "pageInfo" as name:
                return self._page_info(_object(kind, name), nodes)
            case "nodes" as name:
                return plan.Items(self._shape(_object(kind, name), nodes))
            case "edges" as name:
                return plan.Items(self._edge(_object(kind, name), nodes))
            case name:
                raise NotCompiledError(f"{kind.name}.{name} is of no kind that is compiled")

    def _edge(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> plan.Shape:
        def part(nodes: Sequence[FieldNode]) -> Placed:
            match nodes[0].name.value:
                case "__typename":
                    return _quoted(kind.name)
                case "cursor":
                    return layout.PLACE
                case name:
                    return self._shape(_object(kind, name), nodes)

        return _assembled({key: part(nodes) for key, nodes in self._collect(kind, selections(parents)).items()})

    def _page_info(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> plan.Shape:
        fields = self._collect(kind, selections(parents))
        typename = _quoted(kind.name)
        return _assembled({key: PAGE_INFO.get(nodes[0].name.value, typename) for key, nodes in fields.items()})

    def _asked(
        self, kind: GraphQLObjectType, declared: Many, nodes: Sequence[FieldNode], selected: frozenset[str]
    ) -> plan.Arguments:
        name = nodes[0].name.value
        arguments = Arguments(kind.fields[name], nodes[0], self._strawberry(kind, name), declared.convert)

        async def asked(run: Run) -> dict[str, Any]:
            return await declared.asked(run.loaders, selected, **arguments.of(run.variables))

        return asked

    def _id(self, kind: GraphQLObjectType, declared: ById, nodes: Sequence[FieldNode]) -> Callable[[Run], int]:
        name = nodes[0].name.value
        arguments = Arguments(kind.fields[name], nodes[0], self._strawberry(kind, name), declared.convert)
        return lambda run: declared.read(arguments.of(run.variables)["id"])

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


def _object_text(texts: Mapping[str, bytes]) -> bytes:
    """An object whose members have these texts; names need no escapes."""
    return b"{%b}" % b",".join(b'"%b":%b' % (key.encode(), text) for key, text in texts.items())


def _quoted(name: str) -> bytes:
    return b'"%b"' % name.encode()


def _assembled(members: Mapping[str, Placed]) -> plan.Shape:
    """An object of these members; a shape that is always there is part of the text around it."""
    texts: dict[str, bytes] = {}
    gaps: list[plan.Gap] = []
    for key, part in members.items():
        match part:
            case bytes():
                texts[key] = part
            case plan.Shape():
                texts[key] = part.text
                gaps += [plan.Gap(gap.part, (key, *gap.path)) for gap in part.gaps]
            case _:
                texts[key] = part.gap if isinstance(part, layout.Value) else layout.GAP
                gaps.append(plan.Gap(part, (key,)))
    return plan.Shape(_object_text(texts), tuple(gaps))


PAGE_INFO: dict[str, layout.Value] = {
    "hasNextPage": layout.attribute("page.has_next"),
    "hasPreviousPage": layout.attribute("page.has_previous"),
    "startCursor": layout.FIRST,
    "endCursor": layout.LAST,
}


def _object(kind: GraphQLObjectType, name: str) -> GraphQLObjectType:
    return cast("GraphQLObjectType", get_named_type(kind.fields[name].type))
