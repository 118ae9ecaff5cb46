"""Runs one operation: parse, validate, choose, execute; the first two are remembered by the document's text."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import isawaitable
from typing import Any

import graphql
import orjson
from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    located_error,
    parse,
    validate,
)
from graphql.execution.values import VariableValues, get_variable_values

from gateway import metrics
from gateway.context import Context
from gateway.execution.compiler import Compiler, NotCompiledError, steering
from gateway.execution.plan import Plan, Run

Execute = Callable[..., Awaitable[ExecutionResult] | ExecutionResult]
execute: Execute = getattr(graphql, "execute")  # noqa: B009  # graphql-core types it in part only

REMEMBERED = 500
"""Documents kept, the least recently used dropped first."""
REMEMBERED_LENGTH = 20_000
"""Characters of the longest document worth keeping: what is longer is no frontend's, and would fill the memory."""


OUTCOMES = 64
"""Plans kept for one document: its operations, times the outcomes of their `@include` and `@skip`."""


NO_VARIABLES = VariableValues({}, {})


@dataclass(frozen=True, slots=True)
class Executed:
    """What an operation came to: its data as JSON text, and its errors.

    Without data nothing was executed: a variable was none of its type. (Every root field is nullable.)
    """

    data: bytes | None
    errors: list[GraphQLError]


@dataclass(frozen=True)
class Document:
    """A document as parsed and validated; it can be run when it has no errors."""

    node: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    steering: tuple[str, ...] = ()
    plans: dict[tuple[Any, ...], Plan | None] = field(default_factory=dict[tuple[Any, ...], Plan | None])
    """Plans by operation and by the values of the steering variables; None where the reference executor runs."""

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
        metrics.DOCUMENTS.value += 1
        return self._remembered(text) if len(text) <= REMEMBERED_LENGTH else self._prepare(text)

    async def run(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: Context,
    ) -> Executed:
        """Executes by a plan where there is one."""
        coerced = self._coerced(operation, variables)
        if not isinstance(coerced, list) and (plan := self.plan(document, operation, coerced)):
            metrics.BY_PLAN.value += 1
            data, failures = await plan.run(Run(context.loaders, coerced))
            return Executed(data, [located_error(one.reason, one.nodes, list(one.path)) for one in failures])
        metrics.BY_REFERENCE.value += 1
        return await self.reference(document, operation, variables, context)

    def _coerced(
        self, operation: OperationDefinitionNode, variables: dict[str, Any] | None
    ) -> VariableValues | list[GraphQLError]:
        declared = operation.variable_definitions or ()
        return get_variable_values(self.schema, declared, variables or {}) if declared else NO_VARIABLES

    async def reference(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: Context,
    ) -> Executed:
        """Executes by graphql-core, field by field."""
        assert document.node
        result = execute(
            self.schema,
            document.node,
            context_value=context,
            variable_values=variables,
            operation_name=operation.name.value if operation.name else None,
        )
        if isawaitable(result):
            result = await result
        return Executed(None if result.data is None else orjson.dumps(result.data), result.errors or [])

    def plan(self, document: Document, operation: OperationDefinitionNode, variables: VariableValues) -> Plan | None:
        """The operation's plan for these values, made at the first time; None when it is not compiled."""
        assert document.node
        name = operation.name.value if operation.name else None
        key = (name, *(variables.coerced.get(one) for one in document.steering))
        if key in document.plans:
            metrics.PLAN_HIT.value += 1
        else:
            metrics.PLAN_MISS.value += 1
            if len(document.plans) >= OUTCOMES:
                document.plans.clear()
            try:
                document.plans[key] = Compiler(self.schema, document.node, variables).compile(operation)
            except NotCompiledError:
                document.plans[key] = None
        return document.plans[key]

    def _prepare(self, text: str) -> Document:
        metrics.DOCUMENT_MISSES.value += 1
        try:
            node = parse(text)
        except GraphQLSyntaxError as failure:
            return Document(None, (failure,))
        except RecursionError:
            return Document(None, (GraphQLError("o documento está aninhado demais"),))
        return Document(node, tuple(validate(self.schema, node)), steering(node))


def is_query(operation: OperationDefinitionNode) -> bool:
    return operation.operation is OperationType.QUERY
