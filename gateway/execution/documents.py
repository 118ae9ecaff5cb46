"""A cache of documents by their text: parsed, validated, and with the plans of their operations.

The cache is bounded by the memory that it takes, not by the number of documents, because fragments can make a large
plan from a short text. The sizes are estimates in bytes, from measurements with tracemalloc of small and large
documents. The document that was used least recently is dropped first.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode

from gateway.execution.cost import CostFunction
from gateway.execution.plan import Plan
from gateway.execution.variables import Variables

LONGEST_KEPT = 20_000
"""How many characters a document may have to be cached. No frontend sends longer ones."""
DOCUMENT_BYTES, CHARACTER_BYTES, PLAN_BYTES, SELECTION_BYTES = 10_000, 125, 5_000, 900
"""The estimated size of a document, of each of its characters, of a plan, and of each selection in a plan. A selection
in a fragment counts each time that the fragment is used."""
MAX_BYTES = 64_000_000
MAX_BYTES_OF_ONE = MAX_BYTES // 8


@dataclass(frozen=True, slots=True)
class CompiledOperation:
    """An operation's plan and its cost function, for one combination of outcomes of its directives."""

    plan: Plan
    cost: CostFunction
    deprecated: tuple[str, ...] = ()
    """What the operation uses although it is `@deprecated`, by coordinates such as `Pessoa.nomePessoa`."""


@dataclass(eq=False)
class Document:
    """A parsed and validated document. It can be executed if it has no errors."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    directive_variables: dict[str | None, tuple[str, ...]] = field(default_factory=dict[str | None, tuple[str, ...]])
    """By the operation's name: the variables that its `@include` and `@skip` depend on."""
    compiled: dict[tuple[Any, ...], CompiledOperation] = field(default_factory=dict[tuple[Any, ...], CompiledOperation])
    """By the operation's name, followed by the values of its directive variables."""
    variables: dict[str | None, Variables] = field(default_factory=dict[str | None, Variables])
    """By the operation's name."""
    introspection: bool = True
    """Whether the caller may see the schema. If not, error messages also suggest no names from it."""
    plan_bytes: int = 0
    """The estimated size of `compiled`."""
    kept: bool = False
    """Whether the document is in the cache."""

    @property
    def text(self) -> str:
        assert self.node
        assert self.node.loc
        return self.node.loc.source.body

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
"""The document's text, and whether its sender may see the schema."""


class DocumentCache:
    """Keeps documents up to an estimated size of `max_bytes`."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self.max_bytes = max_bytes
        self.weight = 0
        """The estimated size of all documents that are kept, in bytes."""
        self._kept = OrderedDict[DocumentKey, Document]()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: DocumentKey) -> Document | None:
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: DocumentKey, document: Document) -> None:
        """Caches the document, if it is not too long."""
        if len(key[0]) <= LONGEST_KEPT:
            self._kept[key] = document
            document.kept = True
            self._add_weight(_text_bytes(key) + document.plan_bytes)

    def add(self, document: Document, key: tuple[Any, ...], compiled: CompiledOperation, selections: int) -> None:
        """Adds a plan with `selections` selections to a document.

        If the document's plans become larger than `MAX_BYTES_OF_ONE`, its earlier plans are dropped.
        """
        weight = PLAN_BYTES + SELECTION_BYTES * selections
        lost = document.plan_bytes if document.plan_bytes + weight > MAX_BYTES_OF_ONE else 0
        if lost:
            document.compiled.clear()
        document.compiled[key] = compiled
        document.plan_bytes += weight - lost
        if document.kept:
            self._add_weight(weight - lost)

    def _add_weight(self, by: int) -> None:
        self.weight += by
        while self.weight > self.max_bytes and self._kept:
            key, dropped = self._kept.popitem(last=False)
            dropped.kept = False
            self.weight -= _text_bytes(key) + dropped.plan_bytes


def _text_bytes(key: DocumentKey) -> int:
    return DOCUMENT_BYTES + CHARACTER_BYTES * len(key[0])
