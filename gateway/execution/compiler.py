"""Compiles a validated operation into a plan, from the declarations of the schema's fields (`gateway.declarations`).

Every operation on this schema is compiled. Only `__schema` and `__type` are left to graphql-core, since they read no
service: each of them becomes a small operation of its own inside the plan.

An operation is refused if its `@include` or `@skip` depends on a variable that is null, which a variable with a default
value can be. graphql-core would find the null field by field, when a part of a mutation may already be done.
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
    EmbeddedObject,
    LinkByKey,
    MutationWrite,
    PayloadErrors,
    PayloadRow,
    RowById,
)
from gateway.execution import layout, parts, plan
from gateway.execution.arguments import FieldArguments
from gateway.execution.collect import Collector, selection_sets
from gateway.execution.parts import PlanRun


class NotCompiledError(Exception):
    """There is no plan for this operation, so the reference executor must run it. The message is the reason.

    This happens only if a field of the schema was added without a declaration that the compiler knows.
    """


Member = layout.RowValue | parts.PlanPart | parts.ObjectTemplate | bytes
"""A member of an object in its compiled form: a gap, a template that becomes part of the text around it, or a text."""


def directive_variables(document: DocumentNode, operation: OperationDefinitionNode) -> tuple[str, ...]:
    """The variables that the operation's `@include` and `@skip` depend on. Each combination of values has a plan."""
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    found, waiting = set[str](), [operation.selection_set]
    while waiting:
        for node in waiting.pop().selections:
            for directive in node.directives or ():
                found.update(
                    one.value.name.value for one in directive.arguments or () if isinstance(one.value, VariableNode)
                )
            below: SelectionSetNode | None = getattr(node, "selection_set", None)
            # `pop`: each fragment is visited once.
            if isinstance(node, FragmentSpreadNode) and (fragment := fragments.pop(node.name.value, None)):
                below = fragment.selection_set
            if below:
                waiting.append(below)
    return tuple(sorted(found))


class Compiler:
    """Compiles one operation of one document, for one combination of outcomes of its `@include` and `@skip`."""

    def __init__(self, schema: GraphQLSchema, collector: Collector) -> None:
        self._schema, self._document = schema, collector.document
        self._collect = collector.collect
        self._reads_by_id = Counter[str]()
        """How many parts read a resource by id, by the resource's path."""

    def compile(self, operation: OperationDefinitionNode) -> plan.Plan:
        """The plan. Raises NotCompiledError."""
        parent_type = cast("GraphQLObjectType", self._schema.get_root_type(operation.operation))
        texts: dict[str, bytes] = {}
        root_fields: dict[str, plan.RootField] = {}
        for key, nodes in self._collect(parent_type, [operation.selection_set]).items():
            if nodes[0].name.value == "__typename":
                texts[key] = _quoted(parent_type.name)
            else:
                texts[key] = layout.GAP
                known = nodes[0].name.value in parent_type.fields
                root_fields[key] = (
                    self._root_field(parent_type, nodes) if known else self._introspection(operation, nodes)
                )
        batched_paths = frozenset(path for path, times in self._reads_by_id.items() if times > 1)
        serial = operation.operation is OperationType.MUTATION
        return plan.Plan(_object_text(texts), root_fields, batched_paths, serial)

    def _root_field(self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.RootField:
        declared, below = self._declaration(parent_type, nodes)
        match declared:
            case RowById():
                self._reads_by_id[declared.resource.path] += 1
                return plan.RootRow(
                    declared.resource,
                    self._id_reader(parent_type, declared, nodes),
                    self._template(below, nodes),
                    nodes,
                )
            case ConnectionOf():
                template, selected = self._page_template(below, nodes)
                return plan.RootConnection(
                    declared.resource, self._query_builder(parent_type, declared, nodes, selected), template, nodes
                )
            case MutationWrite():
                done, refused = self._payload(below, nodes)
                return plan.RootMutation(self._writer(parent_type, declared, nodes), done, refused, nodes)
            case _:
                raise NotCompiledError(f"{nodes[0].name.value} reads no service")

    def _introspection(self, operation: OperationDefinitionNode, nodes: Sequence[FieldNode]) -> plan.RootIntrospection:
        """`__schema` or `__type`, as an operation of its own.

        It declares only the `String` and `Boolean` variables: introspection has no arguments of other types.
        """
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
        return plan.RootIntrospection(self._schema, DocumentNode(definitions=(alone, *fragments)), names, nodes)

    def _payload(
        self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode]
    ) -> tuple[parts.ObjectTemplate, parts.ObjectTemplate]:
        """The templates of a mutation's payload: for a write that succeeded, and for one that was refused."""
        done: dict[str, Member] = {}
        refused: dict[str, Member] = {}
        for key, nodes in self._collect(parent_type, selection_sets(parents)).items():
            if nodes[0].name.value == "__typename":
                done[key] = refused[key] = _quoted(parent_type.name)
                continue
            declared, below = self._declaration(parent_type, nodes)
            template = self._template(below, nodes)
            match declared:
                case PayloadRow():
                    done[key], refused[key] = template, layout.NULL
                case PayloadErrors():
                    done[key], refused[key] = layout.EMPTY_LIST, parts.ErrorsPart(template)
                case _:
                    raise NotCompiledError(f"{parent_type.name}.{nodes[0].name.value} is of no kind that is compiled")
        return _object_template(done), _object_template(refused)

    def _template(
        self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode], prefix: str = ""
    ) -> parts.ObjectTemplate:
        """What the nodes `parents` select of `parent_type`.

        `prefix` stands before the object's attributes in the row: `categoria.` for the categoria inside a produto.
        """
        fields = self._collect(parent_type, selection_sets(parents))
        return _object_template({key: self._member(parent_type, nodes, prefix) for key, nodes in fields.items()})

    def _member(self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode], prefix: str) -> Member:
        name = nodes[0].name.value
        if name == "__typename":
            return _quoted(parent_type.name)
        declared, below = self._declaration(parent_type, nodes)
        match declared:
            case LinkByKey():
                self._reads_by_id[declared.resource.path] += 1
                return parts.LinkPart(prefix + declared.key, declared.resource, self._template(below, nodes), nodes)
            case EmbeddedObject():
                return self._template(below, nodes, f"{prefix}{declared.attribute}.")
            case ConnectionOf(field=str(field)):
                template, selected = self._page_template(below, nodes)
                build_query = self._query_builder(parent_type, declared, nodes, selected)
                return parts.ChildConnectionPart(field, declared.resource, f"{prefix}id", build_query, template, nodes)
            case None:
                attribute = prefix + self._strawberry_field(parent_type, name).python_name
                is_id = str(parent_type.fields[name].type).rstrip("!") == "ID"
                return layout.id_value(attribute) if is_id else layout.attribute_value(attribute)
            case _:
                raise NotCompiledError(f"{parent_type.name}.{name} is of no kind that is compiled")

    def _page_template(
        self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode]
    ) -> tuple[parts.ObjectTemplate, frozenset[str]]:
        """The template of a page, and the names of its selected fields."""
        fields = self._collect(parent_type, selection_sets(parents))
        template = _object_template({key: self._page_member(parent_type, nodes) for key, nodes in fields.items()})
        return template, frozenset(nodes[0].name.value for nodes in fields.values())

    def _page_member(self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode]) -> Member:
        match nodes[0].name.value:
            case "__typename":
                return _quoted(parent_type.name)
            case "totalCount":
                return layout.attribute_value("page.count")
            case "pageInfo" as name:
                return self._page_info_template(_object_type(parent_type, name), nodes)
            case "nodes" as name:
                return parts.ItemsPart(self._template(_object_type(parent_type, name), nodes))
            case "edges" as name:
                return parts.ItemsPart(self._edge_template(_object_type(parent_type, name), nodes))
            case name:
                raise NotCompiledError(f"{parent_type.name}.{name} is of no kind that is compiled")

    def _edge_template(self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode]) -> parts.ObjectTemplate:
        def member(nodes: Sequence[FieldNode]) -> Member:
            match nodes[0].name.value:
                case "__typename":
                    return _quoted(parent_type.name)
                case "cursor":
                    return layout.ROW_CURSOR
                case name:
                    return self._template(_object_type(parent_type, name), nodes)

        fields = self._collect(parent_type, selection_sets(parents))
        return _object_template({key: member(nodes) for key, nodes in fields.items()})

    def _page_info_template(self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode]) -> parts.ObjectTemplate:
        fields = self._collect(parent_type, selection_sets(parents))
        typename = _quoted(parent_type.name)
        return _object_template({key: PAGE_INFO.get(nodes[0].name.value, typename) for key, nodes in fields.items()})

    def _query_builder(
        self,
        parent_type: GraphQLObjectType,
        declared: ConnectionOf,
        nodes: Sequence[FieldNode],
        selected: frozenset[str],
    ) -> parts.QueryBuilder:
        name = nodes[0].name.value
        arguments = FieldArguments(
            parent_type.fields[name], nodes[0], self._strawberry_field(parent_type, name), declared.convert
        )

        async def build_query(run: PlanRun) -> dict[str, Any]:
            return await declared.build_query(run.context.loaders, selected, **arguments.values(run.variables))

        return build_query

    def _id_reader(
        self, parent_type: GraphQLObjectType, declared: RowById, nodes: Sequence[FieldNode]
    ) -> Callable[[PlanRun], int]:
        name = nodes[0].name.value
        arguments = FieldArguments(
            parent_type.fields[name], nodes[0], self._strawberry_field(parent_type, name), declared.convert
        )
        return lambda run: declared.parse_id(arguments.values(run.variables)["id"])

    def _writer(
        self, parent_type: GraphQLObjectType, declared: MutationWrite, nodes: Sequence[FieldNode]
    ) -> Callable[[PlanRun], Awaitable[declarations.MutationOutcome]]:
        name = nodes[0].name.value
        arguments = FieldArguments(
            parent_type.fields[name], nodes[0], self._strawberry_field(parent_type, name), declared.convert
        )

        async def write(run: PlanRun) -> declarations.MutationOutcome:
            return await declared.write(run.context, **arguments.values(run.variables))

        return write

    def _declaration(
        self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode]
    ) -> tuple[Declaration | None, GraphQLObjectType]:
        name = nodes[0].name.value
        found = cast("Declaration | None", self._strawberry_field(parent_type, name).metadata.get("declaration"))
        return found, cast("GraphQLObjectType", get_named_type(parent_type.fields[name].type))

    def _strawberry_field(self, parent_type: GraphQLObjectType, name: str) -> StrawberryField:
        return parent_type.fields[name].extensions["strawberry-definition"]


def _object_text(texts: Mapping[str, bytes]) -> bytes:
    """The JSON object whose members have these texts. A name in GraphQL needs no escapes in JSON."""
    return b"{%b}" % b",".join(b'"%b":%b' % (key.encode(), text) for key, text in texts.items())


def _quoted(name: str) -> bytes:
    return b'"%b"' % name.encode()


def _object_template(members: Mapping[str, Member]) -> parts.ObjectTemplate:
    """The template of an object with these members. A member's own template becomes part of the object's text."""
    texts: dict[str, bytes] = {}
    gaps: list[parts.Gap] = []
    for key, part in members.items():
        match part:
            case bytes():
                texts[key] = part
            case parts.ObjectTemplate():
                texts[key] = part.text
                gaps += [parts.Gap(gap.part, (key, *gap.path)) for gap in part.gaps]
            case _:
                texts[key] = part.gap if isinstance(part, layout.RowValue) else layout.GAP
                gaps.append(parts.Gap(part, (key,)))
    return parts.ObjectTemplate(_object_text(texts), tuple(gaps))


PAGE_INFO: dict[str, layout.RowValue] = {
    "hasNextPage": layout.attribute_value("page.has_next"),
    "hasPreviousPage": layout.attribute_value("page.has_previous"),
    "startCursor": layout.START_CURSOR,
    "endCursor": layout.END_CURSOR,
}


def _object_type(parent_type: GraphQLObjectType, name: str) -> GraphQLObjectType:
    return cast("GraphQLObjectType", get_named_type(parent_type.fields[name].type))
