"""Builds the gateway's application: GraphQL over four services."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from chassis.neighbours.follower import followers
from chassis.neighbours.remote import neighbours
from chassis.neighbours.row_cache import Caches
from chassis.request.context import current
from chassis.settings import read
from chassis.web import application as chassis_app
from gateway import playground, schema
from gateway.endpoint import GraphQLEndpoint
from gateway.execution.operation import Executor
from gateway.live.subscriptions import Subscriptions
from gateway.requests import Operations
from gateway.settings import Settings

CLIENT_HEADERS = (
    *("graphql-client-name", "graphql-client-version"),
    *("apollographql-client-name", "apollographql-client-version"),
)
"""How a client program says who it is; Apollo's clients send theirs with every request."""
NO_SINGLE_CONNECTION = (
    "o modo de uma só conexão do graphql-sse (singleConnection, que começa por PUT) não existe: "
    "abra uma conexão para cada operação, por POST com Accept: text/event-stream, "
    "ou use WebSocket com o subprotocolo graphql-transport-ws"
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application, with its settings from the environment if none are given."""
    settings = settings or read(Settings)
    remotes = neighbours(settings.urls, settings)
    followed = followers(remotes, settings)
    caches = Caches(schema.kinds_of_rows(), remotes, followed, settings) if settings.keeps_rows else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for remote in remotes.values():
                await stack.enter_async_context(remote)
            for follower in followed.values():
                await stack.enter_async_context(follower)
            if caches:
                await stack.enter_async_context(caches)
            stack.push_async_callback(subscriptions.close)
            yield

    rates = chassis_app.rate_limit("gateway", settings.rate_limit, settings.rate_limit_url)
    executor = Executor(schema.core(schema.build()), settings)
    subscriptions = Subscriptions(executor, remotes, followed, settings)
    operations = Operations(
        executor,
        remotes,
        rates,
        followed,
        filter_max_ids=settings.filter_max_ids,
        introspection=settings.introspection == "on",
        caches=caches,
    )
    graphql = GraphQLEndpoint(operations, subscriptions)
    app = chassis_app.build(
        "gateway",
        "GraphQL sobre os quatro serviços, em /graphql; o painel, em /painel.",
        settings,
        lifespan=lifespan,
        direct={"/graphql": graphql.respond},
        direct_hint=NO_SINGLE_CONNECTION,
        required_scope=_no_scope,
        rates=rates,
        openapi_url=None,
        page_headers=CLIENT_HEADERS,
    )
    app.state.graphql = graphql
    app.mount("/playground", playground.files())
    app.add_route("/", _to_graphiql, methods=["GET"])

    async def painel(_request: Request) -> Response:
        return playground.painel(settings.auth_scope_claims, asks_for_token=current().caller.anonymous)

    for path in ("/painel", "/painel/{view:path}"):  # the page itself finds its view by the path
        app.add_route(path, painel, methods=["GET"])
    return app


async def _to_graphiql(_request: Request) -> RedirectResponse:
    return RedirectResponse("/graphql")


def _no_scope(_method: str, _path: str) -> None:
    """No path requires a scope here. The pages are public, and `/graphql` checks the token itself, so that a
    refusal is a GraphQL response."""
