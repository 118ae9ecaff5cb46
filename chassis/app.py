"""Bolts a process together: one FastAPI application with the chassis' edge, errors, health and documentation."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import health, logging
from chassis.errors import MethodNotAllowed, NotFound, Refusal, problem
from chassis.middleware import Front
from chassis.settings import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


Endpoint = Callable[[Request], Awaitable[Response]]


class Application(FastAPI):
    """FastAPI inside our own edge.

    `direct` are endpoints by path that GET and POST reach past FastAPI's layers and router, which cost more than a
    short answer; every other method finds its way, or its 405, through the routes.
    """

    edge: ASGIApp
    direct: Mapping[str, Endpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.edge(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the edge is around."""
        if scope["type"] == "http" and scope["method"] in ("GET", "POST"):
            endpoint = self.direct.get(scope["path"])
            if endpoint is not None:
                scope["app"] = self
                response = await endpoint(Request(scope, receive))
                await response(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def build(
    name: str,
    description: str,
    settings: Settings,
    *,
    version: str = "1.0.0",
    lifespan: Lifespan,
    ready: health.Check | None = None,
    direct: Mapping[str, Endpoint] | None = None,
    **more: Any,
) -> Application:
    """An application called `name`; its routers and its documentation are the caller's to add."""
    logging.configure(name, settings.log_level)
    app = Application(
        title=name,
        description=description,
        version=version,
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        **more,
    )
    health.add_to(app, ready)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.direct = direct or {}
    app.edge = Front(app.inside, settings.max_body_bytes, settings.operation_timeout)
    for path, endpoint in app.direct.items():
        app.add_route(path, endpoint, methods=["GET", "POST"])
    return app


async def _refused(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Refusal)
    return problem(request, failure)


async def _not_routed(request: Request, failure: Exception) -> Response:
    """404 and 405 as the router raises them; OPTIONS is answered here, since every path knows its methods."""
    assert isinstance(failure, HTTPException)
    if failure.status_code != 405:
        return problem(request, NotFound(f"não há nada em {request.url.path}"))
    allow = {"Allow": ", ".join(sorted(_methods(request) | {"OPTIONS"}))}
    if request.method == "OPTIONS":
        return Response(status_code=204, headers=allow)
    return problem(request, MethodNotAllowed(f"{request.method} não é aceito aqui", headers=allow))


def _methods(request: Request) -> set[str]:
    """Every method of every route of the path (the router names only those of the first)."""
    routes: list[BaseRoute] = request.app.routes
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in matching for method in getattr(route, "methods", None) or ()}
