"""Runs one operation in five steps: parse, validate, choose the operation, compile, execute.

The results of all steps but the last are cached by the document's text (`gateway.execution.documents`). Before each
step, a limit protects it from requests that are too large (`gateway.limits`).
"""

import gc
from collections.abc import Awaitable, Callable
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    located_error,
    parse,
    validate,
)
from graphql.execution.values import VariableValues
from msgspec import Struct

from gateway import metrics
from gateway.context import Context
from gateway.execution.collect import Collector
from gateway.execution.compiler import Compiler, directive_variables
from gateway.execution.cost import cost_function
from gateway.execution.deprecated import deprecated_uses, has_deprecated
from gateway.execution.documents import CompiledOperation, Document, DocumentCache
from gateway.execution.plan import Plan
from gateway.execution.variables import MOST_ERRORS, Variables
from gateway.limits.bounds import refuse_over
from gateway.limits.rules import rules
from gateway.limits.shape import refuse_shape, refuse_values
from gateway.limits.text import scan
from gateway.settings import Limits

Charge = Callable[[int], Awaitable[None]]
"""Subtracts an operation's cost from its caller's quota. Raises RateLimited if too little is left."""

AcceptedOperation = tuple[CompiledOperation, VariableValues, int]
"""An operation's plan, the values of its variables, and its cost; of a subscription, the cost of each event."""

NO_VARIABLES = VariableValues({}, {})
SUBSCRIPTION = OperationType.SUBSCRIPTION
"""Looking a member up in its enum takes longer than comparing with it, and each request does."""


class ExecutionOutcome(Struct):
    """The result of an operation: its data as JSON text, and its errors.

    `data` is None only if nothing was executed, because a variable's value was invalid or a limit was exceeded. If a
    root field that must not be null fails, it is the text `null`.
    """

    data: bytes | None
    errors: list[GraphQLError]
    cost: int = 0
    """The cost that was estimated before the execution: requests to the services plus rows."""
    deprecated: tuple[str, ...] = ()
    """What the operation uses although it is `@deprecated`, by coordinates."""
    plan: Plan | None = None
    """How it was executed. None if nothing was."""


class Executor:
    """Runs operations on one schema."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, documents: DocumentCache | None = None) -> None:
        self.schema, self.limits = schema, limits
        self.documents = DocumentCache() if documents is None else documents
        self._has_deprecated = has_deprecated(schema)
        self._rules = {introspection: rules(limits, introspection) for introspection in (True, False)}

    def prepare(self, text: str, introspection: bool = True) -> Document:
        """The parsed and validated document, from the cache if it is there.

        Raises LimitExceededError; such a document is not cached.
        """
        metrics.DOCUMENTS.value += 1
        document = self.documents.get((text, introspection))
        if document is None:
            document = self._prepare(text, introspection)
            self.documents.keep((text, introspection), document)
        return document

    async def run(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: Context,
        charge: Charge | None = None,
    ) -> ExecutionOutcome:
        """Executes the operation by its plan, if the limits allow it.

        Raises what `charge` raises: RateLimited.
        """
        accepted = self.accepted(document, operation, variables, charge is not None)
        if isinstance(accepted, list):
            return ExecutionOutcome(None, accepted)
        compiled, coerced, cost = accepted
        if charge:
            await charge(max(1, cost))
        context.loaders.requests_left = cost
        data, failures = await compiled.plan.run(context, coerced)
        errors = [located_error(one.reason, one.nodes, list(one.path)) for one in failures]
        return ExecutionOutcome(data, errors, cost, compiled.deprecated, compiled.plan)

    def accepted(
        self, document: Document, operation: OperationDefinitionNode, variables: dict[str, Any] | None, charged: bool
    ) -> AcceptedOperation | list[GraphQLError]:
        """The operation, ready to be executed, if the limits allow it; else the errors. `charged`: its caller has a
        quota."""
        try:
            refuse_values(variables, self.limits)
            coerced = self._coerced(document, operation, variables or {})
            if isinstance(coerced, list):
                return coerced
            compiled = self.compiled(document, operation, coerced)
            cost = compiled.cost(coerced.coerced)
            refuse_over(self.limits, max_cost=cost)
            if charged:
                refuse_over(self.limits, rate_limit=cost)  # more than the quota of a whole minute: no retry can help
        except GraphQLError as refused:
            return [refused]
        return compiled, coerced, cost

    def compiled(
        self, document: Document, operation: OperationDefinitionNode, variables: VariableValues
    ) -> CompiledOperation:
        """The operation's plan and cost function for these variables, compiled at the first call.

        Raises GraphQLError if a variable that `@include` or `@skip` depends on is null, and LimitExceededError.
        """
        assert document.node
        name = operation.name and operation.name.value
        names = document.directive_variables.get(name)
        if names is None:
            names = document.directive_variables[name] = directive_variables(document.node, operation)
        key = (name, *map(variables.coerced.get, names))
        if key in document.compiled:
            metrics.PLAN_HIT.value += 1
        else:
            metrics.PLAN_MISS.value += 1
            if missing := [f"${one}" for one in names if variables.coerced.get(one) is None]:
                raise GraphQLError(f"{missing[0]} decide um @include ou @skip e não pode ser null")
            collector = Collector(self.schema, document.node, variables, self.limits.max_selections)
            plan = Compiler(self.schema, collector, operation).compile()
            uses = deprecated_uses(self.schema, document.node, name) if self._has_deprecated else ()
            compiled = CompiledOperation(plan, cost_function(self.schema, collector, operation), uses)
            self.documents.add(document, key, compiled, collector.collected)
        return document.compiled[key]

    def _coerced(
        self, document: Document, operation: OperationDefinitionNode, given: dict[str, Any]
    ) -> VariableValues | list[GraphQLError]:
        if not operation.variable_definitions:
            return NO_VARIABLES
        name = operation.name and operation.name.value
        variables = document.variables.get(name)
        if variables is None:
            hidden = not document.introspection
            variables = document.variables[name] = Variables(self.schema, operation, hide_suggestions=hidden)
        return variables.coerced(given)

    def _prepare(self, text: str, introspection: bool) -> Document:
        metrics.DOCUMENT_MISSES.value += 1
        scan(text, self.limits)
        try:
            node = parse(text)
        except GraphQLSyntaxError as failure:
            return Document(None, (failure,))
        _unlink_tokens(node)
        refuse_shape(node, self.limits)
        chosen, hidden = self._rules[introspection], not introspection
        errors = validate(self.schema, node, chosen, MOST_ERRORS, hide_suggestions=hidden)
        # graphql-core's visitors leave reference cycles behind, 1,300 objects for each document. It is cheaper to
        # collect them while they are in the youngest generation: a document that is not in the cache takes 1.4 ms with
        # this line and 1.65 ms without it, and the process needs the same memory.
        gc.collect(0)
        return Document(node, tuple(errors), introspection=introspection)


def _unlink_tokens(document: DocumentNode) -> None:
    """Removes the links between the lexer's tokens, which are reference cycles.

    Without this, a document that is dropped from the cache would stay in memory until the garbage collector's next full
    run, and those are rare in this process: 60,000 documents that were sent once took 300 MB.
    """
    token = document.loc.start_token if document.loc else None
    while token is not None:
        following, token.prev, token.next = token.next, None, None
        token = following


def is_subscription(operation: OperationDefinitionNode) -> bool:
    return operation.operation is SUBSCRIPTION


def is_query(operation: OperationDefinitionNode) -> bool:
    return operation.operation is OperationType.QUERY
