"""Runs one operation: parse, validate, choose, execute; the first two are remembered by the document's text."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache
from inspect import isawaitable
from typing import Any

import graphql
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)

Execute = Callable[..., Awaitable[ExecutionResult] | ExecutionResult]
execute: Execute = graphql.execute  # pyright: ignore[reportUnknownMemberType]  # its own types are partial

REMEMBERED = 500
"""Documents kept, the least recently used dropped first."""
REMEMBERED_LENGTH = 20_000
"""Characters of the longest document worth keeping: what is longer is no frontend's, and would fill the memory."""


@dataclass(frozen=True)
class Document:
    """A document as parsed and validated; it can be run when it has no errors."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()

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


class Executor:
    """Runs operations on one schema."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._remembered = lru_cache(REMEMBERED)(self._prepare)

    def prepare(self, text: str) -> Document:
        """The document, from memory where it was met before."""
        return self._remembered(text) if len(text) <= REMEMBERED_LENGTH else self._prepare(text)

    async def run(
        self, document: Document, operation: OperationDefinitionNode, variables: dict[str, Any] | None, context: Any
    ) -> ExecutionResult:
        """Executes by the reference executor. Without data nothing was executed: a variable was none of its type."""
        assert document.node
        result = execute(
            self.schema,
            document.node,
            context_value=context,
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
        )
        return await result if isawaitable(result) else result

    def _prepare(self, text: str) -> Document:
        try:
            node = parse(text)
        except GraphQLSyntaxError as failure:
            return Document(None, (failure,))
        except RecursionError:
            return Document(None, (GraphQLError("o documento está aninhado demais"),))
        return Document(node, tuple(validate(self.schema, node)))


def is_query(operation: OperationDefinitionNode) -> bool:
    return operation.operation is OperationType.QUERY
