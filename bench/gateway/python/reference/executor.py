"""The reference executor: graphql-core, which runs an operation field by field, on the gateway's own schema.

The benchmarks measure plans against it, and tests compare their answers with those of plans.
"""

from inspect import isawaitable
from typing import Any

import orjson
from graphql import OperationDefinitionNode
from typing_extensions import override  # so that a change of the executor's names cannot go unnoticed

from gateway.context import Context
from gateway.execution.operation import Charge, Document, ExecutionOutcome, Executor
from gateway.execution.plan import execute


class ReferenceExecutor(Executor):
    @override
    async def run(
        self,
        document: Document,
        operation: OperationDefinitionNode,
        variables: dict[str, Any] | None,
        context: Context,
        charge: Charge | None = None,
    ) -> ExecutionOutcome:
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
        errors = result.errors or []
        executed = result.data is not None or any(error.path for error in errors)
        return ExecutionOutcome(orjson.dumps(result.data) if executed else None, errors)
