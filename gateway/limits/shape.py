"""Counts what a parsed document and its variables ask for, before fields are compared or values are coerced.

Each definition is visited once, and a fragment's totals are remembered. So a document in which each of n fragments uses
the next one twice, which asks for 2**n fields, is refused after n steps.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from gateway.errors import LimitExceededError
from gateway.limits.bounds import refuse_over
from gateway.settings import Limits


@dataclass(frozen=True, slots=True)
class Totals:
    """What a selection set asks for, fragments included. A fragment's selections count at each of its uses."""

    selections: int = 0
    root_fields: int = 0
    depth: int = 0


@dataclass(slots=True)
class DefinitionCounts:
    """What one operation or fragment asks for, without the fragments that it spreads."""

    own: Totals
    spreads: list[tuple[str, int]]
    """The name of each spread fragment, and the depth at which it is spread."""


@dataclass
class DocumentCounts:
    """The counts over a whole document."""

    aliases: int = 0
    directives: int = 0
    fragments: int = 0
    variables: int = 0
    overlaps: int = 0
    """How many comparisons validation makes between fields of one name in the same selection set. Those between
    different fragments come on top, and are not counted here."""
    operation_counts: list[DefinitionCounts] = field(default_factory=list[DefinitionCounts])
    fragment_counts: dict[str, DefinitionCounts] = field(default_factory=dict[str, DefinitionCounts])
    _totals: dict[str, Totals] = field(default_factory=dict[str, Totals])

    @classmethod
    def of(cls, document: DocumentNode) -> "DocumentCounts":
        shape = cls()
        for node in document.definitions:
            if isinstance(node, OperationDefinitionNode):
                declared = node.variable_definitions or ()
                shape.variables += len(declared)
                shape.directives += sum(len(one.directives or ()) for one in (node, *declared))
                shape.operation_counts.append(shape._counted(node.selection_set))
            elif isinstance(node, FragmentDefinitionNode):
                shape.fragments += 1
                shape.directives += len(node.directives or ())
                shape.fragment_counts[node.name.value] = shape._counted(node.selection_set)
        return shape

    def totals(self, counted: DefinitionCounts) -> Totals:
        """What a definition asks for, with its fragments.

        A spread that closes a cycle counts as nothing; validation refuses such a document.
        """
        selected, root_fields, depth = counted.own.selections, counted.own.root_fields, counted.own.depth
        for name, at in counted.spreads:
            if name not in self._totals:
                self._totals[name] = Totals()
                if name in self.fragment_counts:
                    self._totals[name] = self.totals(self.fragment_counts[name])
            below = self._totals[name]
            selected += below.selections
            root_fields += below.root_fields if at == 0 else 0
            depth = max(depth, at + below.depth)
        return Totals(selected, root_fields, depth)

    def _counted(self, selections: SelectionSetNode) -> DefinitionCounts:
        selected = root_fields = deepest = 0
        spreads: list[tuple[str, int]] = []
        waiting = [(selections, 0)]
        while waiting:
            selections, depth = waiting.pop()
            self.overlaps += _pairs(selections)
            for node in selections.selections:
                selected += 1
                self.directives += len(node.directives or ())
                if isinstance(node, FragmentSpreadNode):
                    self.fragments += 1
                    spreads.append((node.name.value, depth))
                    continue
                below = depth
                if isinstance(node, FieldNode):
                    root_fields += depth == 0
                    self.aliases += node.alias is not None
                    below = depth + 1
                    deepest = max(deepest, below)
                else:
                    self.fragments += 1
                nested = cast("SelectionSetNode | None", getattr(node, "selection_set", None))
                if nested:
                    waiting.append((nested, below))
        return DefinitionCounts(Totals(selected, root_fields, deepest), spreads)


def _pairs(selections: SelectionSetNode) -> int:
    """How many pairs of fields have the same response name."""
    fields = [node for node in selections.selections if isinstance(node, FieldNode)]
    names = Counter((node.alias or node.name).value for node in fields)
    return sum(n * (n - 1) // 2 for n in names.values()) if len(names) < len(fields) else 0


def refuse_shape(document: DocumentNode, limits: Limits) -> None:
    """Raises LimitExceededError for a document that would take validation too long."""
    shape = DocumentCounts.of(document)
    refuse_over(
        limits,
        max_variables=shape.variables,
        max_directives=shape.directives,
        max_fragments=shape.fragments,
        max_aliases=shape.aliases,
        max_overlaps=shape.overlaps,
    )
    # An operation counts as at least one root field: validation walks through its fragments even if it has no fields.
    totals = [shape.totals(one) for one in (*shape.operation_counts, *shape.fragment_counts.values())]
    operations = totals[: len(shape.operation_counts)]
    refuse_over(
        limits,
        max_root_fields=sum(max(1, one.root_fields) for one in operations),
        max_depth=max((one.depth for one in totals), default=0),
        max_selections=sum(one.selections for one in operations),
    )


def refuse_values(variables: Any, limits: Limits) -> None:
    """Raises LimitExceededError for variables that hold too many values, or nest too deeply, to be coerced."""
    count, depth = 0, 0
    level: Iterable[Any] = (variables,)
    while True:
        below: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                below.extend(cast("dict[str, Any]", one).values())
            elif isinstance(one, list):
                below.extend(cast("list[Any]", one))
            else:
                continue
            if count + len(below) > limits.max_values:
                raise LimitExceededError("max_values", count + len(below), limits.max_values)
        if not below:
            return
        count, depth, level = count + len(below), depth + 1, below
        refuse_over(limits, max_depth=depth)
