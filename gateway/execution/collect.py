"""Which fields a selection asks for, after fragments, `@include` and `@skip`, with equal response keys merged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLIncludeDirective,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLSkipDirective,
    InlineFragmentNode,
    SelectionNode,
    SelectionSetNode,
    get_directive_values,
    is_abstract_type,
)

from gateway.errors import LimitExceededError

COLLECTED_EACH = 10
"""How often each selection may be collected. For a plan and its cost together it is at most four times without
interfaces and unions."""
SelectedFields = Mapping[str, Sequence[FieldNode]]


class Collector:
    """Collects fields in one document, for one combination of outcomes of its `@include` and `@skip`.

    A field below an interface or a union is collected once for each of its types, and each level of them multiplies
    that. So the number of fields is bounded too, by `COLLECTED_EACH` times `max_selections`.
    """

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Any, max_selections: int) -> None:
        self.document, self._max_selections = document, max_selections
        self.collected = 0
        """How many fields have been collected so far. The size in memory of a plan is estimated from it."""
        self._schema, self._variables = schema, variables
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }

    def collect(self, kind: GraphQLObjectType, selections: Sequence[SelectionSetNode]) -> SelectedFields:
        """The selected fields by response key, in the order of the document. Raises LimitExceededError."""
        fields: dict[str, list[FieldNode]] = {}
        for one in selections:
            for node in self._fields(kind, one):
                fields.setdefault(node.alias.value if node.alias else node.name.value, []).append(node)
        self.collected += len(fields)
        if self.collected > COLLECTED_EACH * self._max_selections:
            raise LimitExceededError("max_selections", self.collected, self._max_selections)
        return fields

    def _fields(self, kind: GraphQLObjectType, selections: SelectionSetNode) -> Iterator[FieldNode]:
        for node in selections.selections:
            if not is_included(node, self._variables):
                continue
            if isinstance(node, FieldNode):
                yield node
                continue
            if isinstance(node, FragmentSpreadNode):
                fragment: FragmentDefinitionNode | InlineFragmentNode = self._fragments[node.name.value]
            else:
                fragment = cast("InlineFragmentNode", node)
            if fragment.type_condition is None or self._is_met(fragment.type_condition.name.value, kind):
                yield from self._fields(kind, fragment.selection_set)

    def _is_met(self, condition: str, kind: GraphQLObjectType) -> bool:
        """Whether the objects of the type `kind` meet a fragment's type condition."""
        if condition == kind.name:
            return True
        named = self._schema.type_map[condition]
        return is_abstract_type(named) and self._schema.is_sub_type(named, kind)


def is_included(node: SelectionNode, variables: Any) -> bool:
    """Whether the node's `@skip` and `@include` let it be."""
    skip = get_directive_values(GraphQLSkipDirective, node, variables)
    include = get_directive_values(GraphQLIncludeDirective, node, variables)
    return not (skip and skip["if"]) and (include is None or include["if"])


def selection_sets(nodes: Sequence[FieldNode]) -> list[SelectionSetNode]:
    """The selection sets of the nodes that share one response key."""
    return [node.selection_set for node in nodes if node.selection_set]
