"""Documents that were met: parsed, validated, and with the plans of their operations. They are kept by their text, the
least recently used dropped first.

What is kept is bounded by what it weighs, not by how many there are: fragments make large plans of short texts. Weights
are estimates, in bytes, from measurements (with tracemalloc) of documents small and large.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode

from gateway.execution.cost import Price
from gateway.execution.plan import Plan
from gateway.execution.variables import Variables

LONGEST = 20_000
"""Characters of the longest document worth keeping: what is longer is no frontend's."""
DOCUMENT, LETTER, PLAN, SELECTION = 10_000, 125, 5_000, 900
"""What they weigh; a selection in a plan, each time that a fragment with it is used."""
MOST = 64_000_000
MOST_OF_ONE = MOST // 8


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """An operation for one outcome of its `@include` and `@skip`: its plan, if it has one, and its price."""

    plan: Plan | None
    price: Price


@dataclass(eq=False)
class Document:
    """A document as parsed and validated; it can be run when it has no errors."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    steering: dict[str | None, tuple[str, ...]] = field(default_factory=dict[str | None, tuple[str, ...]])
    """By operation: the variables that its `@include` and `@skip` depend on."""
    compiled: dict[tuple[Any, ...], CompiledOperation] = field(default_factory=dict[tuple[Any, ...], CompiledOperation])
    """By operation, and by the values of its steering variables."""
    variables: dict[str | None, Variables] = field(default_factory=dict[str | None, Variables])
    """By operation."""
    introspection: bool = True
    """Whether the caller may learn the schema: not from suggestions either, if not."""
    plans: int = 0
    """What `compiled` weighs."""
    kept: bool = False

    def operation(self, name: str | None) -> OperationDefinitionNode:
        """The operation called `name`, or the only one. Raises GraphQLError, as the specification asks."""
        assert self.node
        found = [node for node in self.node.definitions if isinstance(node, OperationDefinitionNode)]
        if name is not None:
            found = [node for node in found if node.name and node.name.value == name]
            if not found:
                raise GraphQLError(f"não há operação chamada {name!r} no documento")
        if len(found) != 1:
            raise GraphQLError("o documento deve ter uma operação, ou operationName deve dizer qual")
        return found[0]


DocumentKey = tuple[str, bool]
"""A text, and whether its sender may learn the schema."""


class DocumentCache:
    """Those that are kept: at most so many bytes of them, by estimate."""

    def __init__(self, most: int = MOST) -> None:
        self.most, self.weight = most, 0
        self._kept = OrderedDict[DocumentKey, Document]()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: DocumentKey) -> Document | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: DocumentKey, document: Document) -> None:
        """Keeps it, if it is short enough."""
        if len(key[0]) <= LONGEST:
            self._kept[key] = document
            document.kept = True
            self._grow(_of_text(key) + document.plans)

    def add(self, document: Document, key: tuple[Any, ...], compiled: CompiledOperation, selections: int) -> None:
        """A plan of so many selections to one of the documents. One that weighs too much by now loses its others."""
        weight = PLAN + SELECTION * selections
        lost = document.plans if document.plans + weight > MOST_OF_ONE else 0
        if lost:
            document.compiled.clear()
        document.compiled[key] = compiled
        document.plans += weight - lost
        if document.kept:
            self._grow(weight - lost)

    def _grow(self, by: int) -> None:
        self.weight += by
        while self.weight > self.most and self._kept:
            key, dropped = self._kept.popitem(last=False)
            dropped.kept = False
            self.weight -= _of_text(key) + dropped.plans


def _of_text(key: DocumentKey) -> int:
    return DOCUMENT + LETTER * len(key[0])
