"""Which subfields a field selects, seen from its resolver, so that a count is read only if the client asks for it."""

from collections.abc import Iterator
from typing import Any

from graphql import FieldNode, FragmentSpreadNode, GraphQLResolveInfo, InlineFragmentNode, SelectionSetNode

from gateway.execution.collect import is_included


def selected_fields(info: GraphQLResolveInfo[Any]) -> frozenset[str]:
    """The names of the subfields that the field being resolved selects, after fragments, `@include` and `@skip`."""
    sets = (node.selection_set for node in info.field_nodes)
    return frozenset(node.name.value for one in sets if one for node in _fields(info, one))


def _fields(info: GraphQLResolveInfo[Any], selections: SelectionSetNode) -> Iterator[FieldNode]:
    for node in selections.selections:
        if not is_included(node, info.variable_values):
            continue
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _fields(info, info.fragments[node.name.value].selection_set)
        elif isinstance(node, InlineFragmentNode):
            yield from _fields(info, node.selection_set)
