"""Our gateway, with every operation run by the reference executor, graphql-core, instead of by a plan."""

from fastapi import FastAPI

from bench.gateway.python.reference.executor import ReferenceExecutor
from gateway import app as gateway_app


def create_app() -> FastAPI:
    app = gateway_app.create_app()
    app.state.graphql.operations.executor = ReferenceExecutor(
        app.state.graphql.operations.executor.schema, app.state.graphql.operations.executor.limits
    )
    return app
