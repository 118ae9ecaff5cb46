"""Compiles a validated operation into a plan, from the declarations of the schema's fields (`gateway.declarations`).

Every operation is compiled. A field with a resolver of its own becomes a part that calls the resolver
(`gateway.execution.resolved`), and so does a declared field if something was added to its type that no declaration
covers. Only `__schema` and `__type` are left to graphql-core, since they read no service: each of them becomes a small
operation of its own inside the plan.

An operation is refused if its `@include` or `@skip` depends on a variable that is null, which a variable with a default
value can be. graphql-core would find the null field by field, when a part of a mutation may already be done.
"""

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_abstract_type,
    print_ast,
)

from gateway import declarations
from gateway.declarations import (
    ChangedRow,
    ChangesOf,
    ConnectionOf,
    Declaration,
    EmbeddedObject,
    FeedPositions,
    LinkByKey,
    MutationWrite,
    PayloadErrors,
    PayloadRow,
    RowById,
    declaration_of,
    is_resolved,
    strawberry_field,
)
from gateway.execution import layout, parts, plan, resolved
from gateway.execution.arguments import FieldArguments
from gateway.execution.collect import Collector, selection_sets
from gateway.execution.own_types import row_types
from gateway.execution.parts import PlanRun


class _UndeclaredError(Exception):
    """A page or a payload has a field that its template does not know, so that resolvers must be called for it."""


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

    def __init__(self, schema: GraphQLSchema, collector: Collector, operation: OperationDefinitionNode) -> None:
        self._schema, self._document, self._operation = schema, collector.document, operation
        self._fragments = {
            one.name.value: one for one in collector.document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._collect = collector.collect
        self._row_types = row_types(schema)
        self._reads_by_id = Counter[str]()
        """How many parts read a resource by id, by the resource's path."""
        self._calls_resolvers = False

    def compile(self) -> plan.Plan:
        operation = self._operation
        parent_type = cast("GraphQLObjectType", self._schema.get_root_type(operation.operation))
        texts: dict[str, bytes] = {}
        root_fields: dict[str, plan.RootField] = {}
        for key, nodes in self._collect(parent_type, [operation.selection_set]).items():
            if nodes[0].name.value == "__typename":
                texts[key] = _quoted(parent_type.name)
            else:
                texts[key] = layout.GAP
                known = nodes[0].name.value in parent_type.fields
                root_fields[key] = self._root_field(parent_type, nodes) if known else self._introspection(nodes)
        # A resolver may ask for the same rows as the plan. Batched reads are remembered, so they are read once.
        batched_paths = frozenset(
            path for path, times in self._reads_by_id.items() if times > 1 or self._calls_resolvers
        )
        return plan.Plan(
            _object_text(texts),
            root_fields,
            batched_paths,
            serial=operation.operation is OperationType.MUTATION,
            shows_position=any(isinstance(field, plan.RootPosition) for field in root_fields.values()),
            calls_resolvers=self._calls_resolvers,
        )

    def _root_field(self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.RootField:
        try:
            return self._declared_root_field(parent_type, nodes)
        except _UndeclaredError:
            return plan.RootResolved(self._resolved_part(parent_type, nodes), nodes)

    def _declared_root_field(self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode]) -> plan.RootField:
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
            case FeedPositions():
                return plan.RootPosition(nodes)
            case ChangesOf():
                self._reads_by_id[declared.resource.path] += 1
                template = self._template(below, nodes)
                shows_rows = any(isinstance(gap.part, parts.ChangedRowPart) for gap in template.gaps)
                return plan.RootChanges(
                    declared,
                    self._arguments_reader(parent_type, declared, nodes),
                    template,
                    shows_rows,
                    self._position_variable(nodes),
                    nodes,
                )
            case _:
                raise _UndeclaredError

    def _introspection(self, nodes: Sequence[FieldNode]) -> plan.RootIntrospection:
        """`__schema` or `__type`, as an operation of its own.

        It declares only the `String` and `Boolean` variables: introspection has no arguments of other types.
        """
        declared = [
            one
            for one in self._operation.variable_definitions or ()
            if print_ast(one.type).rstrip("!") in ("String", "Boolean")
        ]
        alone = OperationDefinitionNode(
            operation=self._operation.operation,
            variable_definitions=tuple(declared),
            selection_set=SelectionSetNode(selections=tuple(nodes)),
        )
        names = [one.variable.name.value for one in declared]
        document = DocumentNode(definitions=(alone, *self._fragments.values()))
        return plan.RootIntrospection(self._schema, document, names, nodes)

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
            if declared is None:
                raise _UndeclaredError
            template = self._template(below, nodes)
            match declared:
                case PayloadRow():
                    done[key], refused[key] = _nullable(template), layout.NULL
                case PayloadErrors() if not template.needs_reads:
                    done[key], refused[key] = layout.EMPTY_LIST, parts.ErrorsPart(template)
                case _:
                    raise _UndeclaredError
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
        if nodes[0].name.value == "__typename":
            return _quoted(parent_type.name)
        try:
            return self._declared_member(parent_type, nodes, prefix)
        except _UndeclaredError:
            return self._resolved_part(parent_type, nodes, prefix)

    def _declared_member(self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode], prefix: str) -> Member:
        name = nodes[0].name.value
        declared, below = self._declaration(parent_type, nodes)
        match declared:
            case LinkByKey():
                self._reads_by_id[declared.resource.path] += 1
                return parts.LinkPart(prefix + declared.key, declared.resource, self._template(below, nodes), nodes)
            case EmbeddedObject():
                template = self._template(below, nodes, f"{prefix}{declared.attribute}.")
                return template if _is_required(parent_type, name) else _nullable(template)
            case ChangedRow():
                return parts.ChangedRowPart(self._template(below, nodes))
            case ConnectionOf(field=str(field)):
                template, selected = self._page_template(below, nodes)
                build_query = self._query_builder(parent_type, declared, nodes, selected)
                return parts.ChildConnectionPart(field, declared.resource, f"{prefix}id", build_query, template, nodes)
            case None if not is_resolved(parent_type.fields[name]):
                attribute = prefix + strawberry_field(parent_type.fields[name]).python_name
                return _row_value(attribute, cast("GraphQLNamedType", below))
            case _:
                raise _UndeclaredError

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
            case _:
                raise _UndeclaredError

    def _edge_template(self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode]) -> parts.ObjectTemplate:
        def member(nodes: Sequence[FieldNode]) -> Member:
            match nodes[0].name.value:
                case "__typename":
                    return _quoted(parent_type.name)
                case "cursor":
                    return layout.ROW_CURSOR
                case "node" as name:
                    return self._template(_object_type(parent_type, name), nodes)
                case _:
                    raise _UndeclaredError

        fields = self._collect(parent_type, selection_sets(parents))
        return _object_template({key: member(nodes) for key, nodes in fields.items()})

    def _page_info_template(self, parent_type: GraphQLObjectType, parents: Sequence[FieldNode]) -> parts.ObjectTemplate:
        known = {**PAGE_INFO, "__typename": _quoted(parent_type.name)}
        fields = self._collect(parent_type, selection_sets(parents))
        if any(nodes[0].name.value not in known for nodes in fields.values()):
            raise _UndeclaredError
        return _object_template({key: known[nodes[0].name.value] for key, nodes in fields.items()})

    def _query_builder(
        self,
        parent_type: GraphQLObjectType,
        declared: ConnectionOf,
        nodes: Sequence[FieldNode],
        selected: frozenset[str],
    ) -> parts.QueryBuilder:
        arguments = FieldArguments(parent_type.fields[nodes[0].name.value], nodes[0], declared.convert)

        async def build_query(run: PlanRun) -> dict[str, Any]:
            return await declared.build_query(run.context.loaders, selected, **arguments.values(run.variables))

        return build_query

    def _id_reader(
        self, parent_type: GraphQLObjectType, declared: RowById, nodes: Sequence[FieldNode]
    ) -> Callable[[PlanRun], int]:
        arguments = FieldArguments(parent_type.fields[nodes[0].name.value], nodes[0], declared.convert)
        return lambda run: declared.parse_id(arguments.values(run.variables)["id"])

    def _position_variable(self, nodes: Sequence[FieldNode]) -> str | None:
        """The name of the variable that is given as `apos`, if it is used nowhere else."""
        [name] = [
            one.value.name.value
            for one in nodes[0].arguments or ()
            if one.name.value == "apos" and isinstance(one.value, VariableNode)
        ] or [None]
        uses = 0
        for node in (self._operation, *self._fragments.values()):
            assert node.loc
            uses += len(re.findall(rf"\${name}\b", node.loc.source.body[node.loc.start : node.loc.end]))
        return name if uses == 2 else None  # where it is declared, and where it is used

    def _arguments_reader(
        self, parent_type: GraphQLObjectType, declared: ChangesOf, nodes: Sequence[FieldNode]
    ) -> Callable[[Any], Mapping[str, Any]]:
        arguments = FieldArguments(parent_type.fields[nodes[0].name.value], nodes[0], declared.convert)

        def read(variables: Any) -> Mapping[str, Any]:
            return {name: value for name, value in arguments.values(variables).items() if value is not None}

        return read

    def _writer(
        self, parent_type: GraphQLObjectType, declared: MutationWrite, nodes: Sequence[FieldNode]
    ) -> Callable[[PlanRun], Awaitable[declarations.MutationOutcome]]:
        arguments = FieldArguments(parent_type.fields[nodes[0].name.value], nodes[0], declared.convert)

        async def write(run: PlanRun) -> declarations.MutationOutcome:
            return await declared.write(run.context, **arguments.values(run.variables))

        return write

    def _declaration(
        self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode]
    ) -> tuple[Declaration | None, GraphQLObjectType]:
        """The declaration that the field is compiled from, if it is compiled from one, and its type."""
        definition = parent_type.fields[nodes[0].name.value]
        found = None if is_resolved(definition) else declaration_of(definition)
        return found, cast("GraphQLObjectType", get_named_type(definition.type))

    # -- fields whose resolver is called -------------------------------------------------------------------------------

    def _resolved_part(
        self, parent_type: GraphQLObjectType, nodes: Sequence[FieldNode], prefix: str = ""
    ) -> resolved.ResolvedPart:
        self._calls_resolvers = True
        field = resolved.ResolvedField(self._schema, self._operation, self._fragments, parent_type, nodes)
        return resolved.ResolvedPart(
            field, prefix.removesuffix("."), self._completion(field, cast("Any", field.definition).type)
        )

    def _completion(self, field: resolved.ResolvedField, kind: Any) -> resolved.Completion:
        """How values of the type `kind` are completed, which the field returns, or which are items of its list."""
        required = isinstance(kind, GraphQLNonNull)
        if required:
            kind = cast("Any", kind).of_type
        if isinstance(kind, GraphQLList):
            items = self._completion(field, cast("Any", kind).of_type)
            return resolved.Completion(field, resolved.ListWriter(field, items), required=required)
        if isinstance(kind, GraphQLObjectType):
            return resolved.Completion(field, self._object_writer(field, kind), required=required)
        if is_abstract_type(kind):
            return resolved.Completion(field, self._abstract_writer(field, kind), required=required)
        return resolved.Completion(field, resolved.LeafWriter(field, kind), required=required)

    def _object_writer(self, field: resolved.ResolvedField, kind: GraphQLObjectType) -> resolved.ObjectWriter:
        if kind.name in self._row_types:
            template = self._template(kind, field.nodes)
            return resolved.ObjectWriter(field, kind, self._row_types[kind.name].row, template)
        members: dict[str, Member] = {}
        for key, nodes in self._collect(kind, selection_sets(field.nodes)).items():
            is_typename = nodes[0].name.value == "__typename"
            members[key] = _quoted(kind.name) if is_typename else self._resolved_part(kind, nodes)
        return resolved.ObjectWriter(field, kind, None, _object_template(members))

    def _abstract_writer(self, field: resolved.ResolvedField, kind: GraphQLAbstractType) -> resolved.AbstractWriter:
        possible = self._schema.get_possible_types(kind)
        return resolved.AbstractWriter(field, kind, {one.name: self._object_writer(field, one) for one in possible})


def _nullable(template: parts.ObjectTemplate) -> parts.ObjectTemplate | parts.NullablePart:
    """The template for a place where the schema allows null."""
    return parts.NullablePart(template) if template.may_be_lost else template


def _is_required(parent_type: GraphQLObjectType, name: str) -> bool:
    return isinstance(parent_type.fields[name].type, GraphQLNonNull)


def _row_value(attribute: str, kind: GraphQLNamedType) -> layout.RowValue:
    """An attribute of the row, written as its type is."""
    if isinstance(kind, GraphQLEnumType):
        return layout.choice_value(attribute)
    writers = {"ID": layout.id_value, "Decimal": layout.decimal_value}
    return writers.get(kind.name, layout.attribute_value)(attribute)


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
