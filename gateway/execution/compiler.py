"""Compiles a validated operation into a plan, from the declarations that the schema's fields carry.

A field of the Strawberry schema says once what it is (`metadata["plan"]`: a link, a connection, one row by id); its
resolver for the reference executor and its part of a plan both come from that.

Nothing is left to the reference but introspection (`__schema`, `__type`), which reads no service: each such field is an
operation of its own in the plan. Not executed at all is an operation whose `@include` or `@skip` depends on a null, as
a variable with a default may be: graphql-core would come upon it field by field, when a part of a mutation is done.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    print_ast,
)
from strawberry.types.field import StrawberryField

from gateway import declarations
from gateway.declarations import (
    ConnectionOf,
    Declaration,
    HeldObject,
    LinkByKey,
    MendableErrors,
    MutationWrite,
    RowById,
    WrittenRow,
)
from gateway.execution import layout, parts, plan
from gateway.execution.arguments import Arguments
from gateway.execution.collect import Collector, selections
from gateway.execution.parts import Run


class NotCompiledError(Exception):
    """This operation is the reference executor's; the message is the reason."""


MemberPart = layout.Value | parts.PlanPart | parts.ObjectShape | bytes
"""What a member of an object is made of: what fills a gap; or a shape, or a text, that needs none."""


def steering(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The operation's variables that its `@include` and `@skip` depend on: a plan for each of their outcomes."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found, waiting = set[str](), [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            for directive in node.directives or ():
                found.update(
                    one.value.name.value for one in directive.arguments or () if isinstance(one.value, VariableNode)
                )
            below: SelectionSetNode | None = getattr(node, "selection_set", None)
            if isinstance(node, FragmentSpreadNode) and (fragment := fragments.pop(node.name.value, None)):  # once
                below = fragment.selection_set
            if below:
                waiting.append(below)
    return tuple(sorted(found))


class Compiler:
    """Compiles one operation of one document, for one outcome of its `@include` and `@skip`."""

    def __init__(self, schema: GraphQLSchema, collector: Collector) -> None:
        self._schema, self._document = schema, collector.document
        self._collect = collector.collect
        self._by_id = Counter[str]()
        """Parts that read a resource by id, by its path."""

    def compile(self, operation: OperationDefinitionNode) -> plan.Plan:
        """The plan. Raises NotCompiledError."""
        kind = cast("GraphQLObjectType", self._schema.get_root_type(operation.operation))
        texts: dict[str, bytes] = {}
        roots: dict[str, plan.AnyRoot] = {}
        for key, nodes in self._collect(kind, [operation.selection_set]).items():
            if nodes[0].name.value == "__typename":
                texts[key] = _quoted(kind.name)
            else:
                texts[key] = layout.GAP
                known = nodes[0].name.value in kind.fields
                roots[key] = self._root(kind, nodes) if known else self._of_schema(operation, nodes)
        often = frozenset(path for path, times in self._by_id.items() if times > 1)
        in_turn = operation.operation is OperationType.MUTATION
        return plan.Plan(_object_text(texts), roots, often, in_turn)

    def _root(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.AnyRoot:
        declared, below = self._declared(kind, nodes)
        match declared:
            case RowById():
                self._by_id[declared.of.path] += 1
                return plan.Single(declared.of, self._id(kind, declared, nodes), self._shape(below, nodes), nodes)
            case ConnectionOf():
                shape, selected = self._connection(below, nodes)
                return plan.Root(declared.of, self._asked(kind, declared, nodes, selected), shape, nodes)
            case MutationWrite():
                done, refused = self._payload(below, nodes)
                return plan.Write(self._write(kind, declared, nodes), done, refused, nodes)
            case _:
                raise NotCompiledError(f"{nodes[0].name.value} reads no service")

    def _of_schema(self, operation: OperationDefinitionNode, nodes: Sequence[FieldNode]) -> plan.OfSchema:
        """`__schema` or `__type`, as an operation of its own. Its variables can be texts and truth values only."""
        declared = [
            one
            for one in operation.variable_definitions or ()
            if print_ast(one.type).rstrip("!") in ("String", "Boolean")
        ]
        alone = OperationDefinitionNode(
            operation=operation.operation,
            variable_definitions=tuple(declared),
            selection_set=SelectionSetNode(selections=tuple(nodes)),
        )
        fragments = [one for one in self._document.definitions if isinstance(one, FragmentDefinitionNode)]
        names = [one.variable.name.value for one in declared]
        return plan.OfSchema(self._schema, DocumentNode(definitions=(alone, *fragments)), names, nodes)

    def _payload(
        self, kind: GraphQLObjectType, parents: Sequence[FieldNode]
    ) -> tuple[parts.ObjectShape, parts.ObjectShape]:
        """A mutation's payload when it was done, over the row; and when it was refused, over the outcome."""
        done: dict[str, MemberPart] = {}
        refused: dict[str, MemberPart] = {}
        for key, nodes in self._collect(kind, selections(parents)).items():
            if nodes[0].name.value == "__typename":
                done[key] = refused[key] = _quoted(kind.name)
                continue
            declared, below = self._declared(kind, nodes)
            shape = self._shape(below, nodes)
            match declared:
                case WrittenRow():
                    done[key], refused[key] = shape, layout.NULL
                case MendableErrors():
                    done[key], refused[key] = layout.EMPTY, parts.Errors(shape)
                case _:
                    raise NotCompiledError(f"{kind.name}.{nodes[0].name.value} is of no kind that is compiled")
        return _assembled(done), _assembled(refused)

    def _shape(self, kind: GraphQLObjectType, parents: Sequence[FieldNode], row: str = "") -> parts.ObjectShape:
        """What `parents` select of `kind`. `row` is where it stands in the row: `categoria.` in a row of a produto."""
        fields = self._collect(kind, selections(parents))
        return _assembled({key: self._part(kind, nodes, row) for key, nodes in fields.items()})

    def _part(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode], row: str) -> MemberPart:
        name = nodes[0].name.value
        if name == "__typename":
            return _quoted(kind.name)
        declared, below = self._declared(kind, nodes)
        match declared:
            case LinkByKey():
                self._by_id[declared.to.path] += 1
                return parts.Link(row + declared.key, declared.to, self._shape(below, nodes), nodes)
            case HeldObject():
                return self._shape(below, nodes, f"{row}{declared.attribute}.")
            case ConnectionOf(field=str(field)):
                shape, selected = self._connection(below, nodes)
                asked = self._asked(kind, declared, nodes, selected)
                return parts.ChildConnection(field, declared.of, f"{row}id", asked, shape, nodes)
            case None:
                attribute = row + self._strawberry(kind, name).python_name
                is_id = str(kind.fields[name].type).rstrip("!") == "ID"
                return layout.identifier(attribute) if is_id else layout.attribute(attribute)
            case _:
                raise NotCompiledError(f"{kind.name}.{name} is of no kind that is compiled")

    def _connection(
        self, kind: GraphQLObjectType, parents: Sequence[FieldNode]
    ) -> tuple[parts.ObjectShape, frozenset[str]]:
        """The shape of a page, and the names of its selected fields."""
        fields = self._collect(kind, selections(parents))
        shape = _assembled({key: self._of_connection(kind, nodes) for key, nodes in fields.items()})
        return shape, frozenset(nodes[0].name.value for nodes in fields.values())

    def _of_connection(self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]) -> MemberPart:
        match nodes[0].name.value:
            case "__typename":
                return _quoted(kind.name)
            case "totalCount":
                return layout.attribute("page.count")
            case "pageInfo" as name:
                return self._page_info(_object(kind, name), nodes)
            case "nodes" as name:
                return parts.Items(self._shape(_object(kind, name), nodes))
            case "edges" as name:
                return parts.Items(self._edge(_object(kind, name), nodes))
            case name:
                raise NotCompiledError(f"{kind.name}.{name} is of no kind that is compiled")

    def _edge(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> parts.ObjectShape:
        def part(nodes: Sequence[FieldNode]) -> MemberPart:
            match nodes[0].name.value:
                case "__typename":
                    return _quoted(kind.name)
                case "cursor":
                    return layout.PLACE
                case name:
                    return self._shape(_object(kind, name), nodes)

        return _assembled({key: part(nodes) for key, nodes in self._collect(kind, selections(parents)).items()})

    def _page_info(self, kind: GraphQLObjectType, parents: Sequence[FieldNode]) -> parts.ObjectShape:
        fields = self._collect(kind, selections(parents))
        typename = _quoted(kind.name)
        return _assembled({key: PAGE_INFO.get(nodes[0].name.value, typename) for key, nodes in fields.items()})

    def _asked(
        self, kind: GraphQLObjectType, declared: ConnectionOf, nodes: Sequence[FieldNode], selected: frozenset[str]
    ) -> parts.Arguments:
        name = nodes[0].name.value
        arguments = Arguments(kind.fields[name], nodes[0], self._strawberry(kind, name), declared.convert)

        async def asked(run: Run) -> dict[str, Any]:
            return await declared.asked(run.context.loaders, selected, **arguments.of(run.variables))

        return asked

    def _id(self, kind: GraphQLObjectType, declared: RowById, nodes: Sequence[FieldNode]) -> Callable[[Run], int]:
        name = nodes[0].name.value
        arguments = Arguments(kind.fields[name], nodes[0], self._strawberry(kind, name), declared.convert)
        return lambda run: declared.read(arguments.of(run.variables)["id"])

    def _write(
        self, kind: GraphQLObjectType, declared: MutationWrite, nodes: Sequence[FieldNode]
    ) -> Callable[[Run], Awaitable[declarations.Outcome]]:
        name = nodes[0].name.value
        arguments = Arguments(kind.fields[name], nodes[0], self._strawberry(kind, name), declared.convert)

        async def write(run: Run) -> declarations.Outcome:
            return await declared.write(run.context, **arguments.of(run.variables))

        return write

    def _declared(
        self, kind: GraphQLObjectType, nodes: Sequence[FieldNode]
    ) -> tuple[Declaration | None, GraphQLObjectType]:
        name = nodes[0].name.value
        found = cast("Declaration | None", self._strawberry(kind, name).metadata.get("plan"))
        return found, cast("GraphQLObjectType", get_named_type(kind.fields[name].type))

    def _strawberry(self, kind: GraphQLObjectType, name: str) -> StrawberryField:
        return kind.fields[name].extensions["strawberry-definition"]


def _object_text(texts: Mapping[str, bytes]) -> bytes:
    """An object whose members have these texts; names need no escapes."""
    return b"{%b}" % b",".join(b'"%b":%b' % (key.encode(), text) for key, text in texts.items())


def _quoted(name: str) -> bytes:
    return b'"%b"' % name.encode()


def _assembled(members: Mapping[str, MemberPart]) -> parts.ObjectShape:
    """An object of these members; a shape that is always there is part of the text around it."""
    texts: dict[str, bytes] = {}
    gaps: list[parts.Gap] = []
    for key, part in members.items():
        match part:
            case bytes():
                texts[key] = part
            case parts.ObjectShape():
                texts[key] = part.text
                gaps += [parts.Gap(gap.part, (key, *gap.path)) for gap in part.gaps]
            case _:
                texts[key] = part.gap if isinstance(part, layout.Value) else layout.GAP
                gaps.append(parts.Gap(part, (key,)))
    return parts.ObjectShape(_object_text(texts), tuple(gaps))


PAGE_INFO: dict[str, layout.Value] = {
    "hasNextPage": layout.attribute("page.has_next"),
    "hasPreviousPage": layout.attribute("page.has_previous"),
    "startCursor": layout.FIRST,
    "endCursor": layout.LAST,
}


def _object(kind: GraphQLObjectType, name: str) -> GraphQLObjectType:
    return cast("GraphQLObjectType", get_named_type(kind.fields[name].type))
