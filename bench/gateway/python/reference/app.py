"""Our gateway, with every operation run by the reference executor, so that it differs from ours only by the plans."""

from dataclasses import replace

from fastapi import FastAPI
from graphql import OperationDefinitionNode
from graphql.execution.values import VariableValues
from typing_extensions import override  # so that a change of the executor's names cannot go unnoticed

from gateway import app as gateway_app
from gateway.execution.operation import CompiledOperation, Document, Executor


class ReferenceExecutor(Executor):
    @override
    def compiled(
        self, document: Document, operation: OperationDefinitionNode, variables: VariableValues
    ) -> CompiledOperation:
        return replace(super().compiled(document, operation, variables), plan=None)


def create_app() -> FastAPI:
    app = gateway_app.create_app()
    app.state.graphql.executor = ReferenceExecutor(app.state.graphql.executor.schema, app.state.graphql.executor.limits)
    return app
