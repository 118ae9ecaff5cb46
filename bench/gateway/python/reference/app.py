"""Our gateway, with every operation run by the reference executor, graphql-core, instead of by a plan."""

from typing import Any

from fastapi import FastAPI
from graphql import OperationDefinitionNode
from typing_extensions import override  # so that a change of the executor's names cannot go unnoticed

from gateway import app as gateway_app
from gateway.context import Context
from gateway.execution.operation import Charge, Document, ExecutionOutcome, Executor


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
        return await self.reference(document, operation, variables, context)


def create_app() -> FastAPI:
    app = gateway_app.create_app()
    app.state.graphql.executor = ReferenceExecutor(app.state.graphql.executor.schema, app.state.graphql.executor.limits)
    return app
