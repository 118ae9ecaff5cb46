"""Bolts a process together: one FastAPI application with the chassis' edge, errors, health and documentation."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from logging import getLogger
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis import cors, health, identity, logging, metrics, scrape
from chassis.body import MERGE_PATCH, received
from chassis.errors import MethodNotAllowed, NotFound, Refusal, broken, problem
from chassis.middleware import Front
from chassis.settings import Settings

if TYPE_CHECKING:
    from chassis.jwks import Keys
    from chassis.rates import Rates

log = getLogger("start")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


Endpoint = Callable[[Request], Awaitable[Response]]
READING = ("POST", "PUT", "PATCH")
"""The methods whose endpoints read the body before they do anything else."""


class Application(FastAPI):
    """FastAPI inside our own edge.

    `direct` are endpoints by path, with a final slash and without, that GET and POST reach past FastAPI's layers and
    router, which cost more than a short answer; every other method finds its way, or its 405, through the routes.
    """

    edge: ASGIApp
    direct: Mapping[str, Endpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.edge(scope, receive, send)

    async def inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the edge is around."""
        if "arriving" in scope and scope["method"] not in READING:
            await received(Request(scope, receive))  # nobody asks for it, but there is no place at work before its end
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
    needs: identity.Needs,
    rate_limit: int = 0,
    **more: Any,
) -> Application:
    """An application called `name`; its routers and its documentation are the caller's to add. `needs` says who may
    enter where, as far as a path can say; `rate_limit` is what one caller may ask for in a minute."""
    logging.configure(name, settings.log_level, settings.log_format)
    metrics.built(name, version)
    keys = _keys(settings)

    @asynccontextmanager
    async def measured(app: FastAPI) -> AsyncGenerator[None]:
        async with scrape.kept(settings.metrics_dir), keys.kept() if keys else nullcontext(), lifespan(app):
            yield
        if app.state.rates:
            await app.state.rates.close()

    app = Application(
        title=name,
        description=description,
        version=version,
        lifespan=measured,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        **more,
    )
    health.add_to(app, *([keys.ready] if keys else []), *([ready] if ready else []))
    scrape.add_to(app, settings.metrics_dir)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(Exception, _broken)
    app.direct = {spelled: endpoint for path, endpoint in (direct or {}).items() for spelled in (path + "/", path)}
    for path, endpoint in app.direct.items():  # the one without the slash last, since that names the metrics
        app.add_route(path, endpoint, methods=["GET", "POST"])
    inside: ASGIApp = app.inside
    app.state.rates = None
    if rate_limit:
        from chassis.rates import Limited, Rates  # libraries that are of no use without a limit

        app.state.rates = Rates(name, rate_limit, settings.rate_limit_url)
        inside = Limited(inside, app.state.rates)
    app.edge = Front(
        _identified(inside, settings, keys, needs, app.state.rates),
        settings.max_body_bytes,
        settings.operation_timeout,
        metrics.Requests(app.router.routes),
        settings.cors_origins,
    )
    if settings.cors_origins:  # outermost: a page must be able to read a refusal too, whoever refuses
        app.edge = cors.Shared(app.edge, settings.cors_origins)
    return app


def _keys(settings: Settings) -> "Keys | None":
    """The keys by which tokens are judged; None where nobody is asked for one."""
    if settings.auth_mode == "off":
        log.warning("authentication is off: everybody may read and write; AUTH_MODE=jwt asks for tokens")
        return None
    from chassis.jwks import Keys  # its cryptography is 10 MB that AUTH_MODE=off does not need

    return Keys(settings.auth_jwks, settings.auth_algorithms)


def _identified(
    app: ASGIApp, settings: Settings, keys: "Keys | None", needs: identity.Needs, rates: "Rates | None"
) -> ASGIApp:
    if keys is None:
        return app
    from chassis.tokens import Tokens

    return identity.Identified(app, tokens=Tokens(settings, keys), needs=needs, rates=rates)


async def _refused(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Refusal)
    return problem(request, failure)


async def _broken(request: Request, _failure: Exception) -> Response:
    """What Starlette answers before it lets the exception through to the edge, which logs it."""
    return problem(request, broken())


async def _not_routed(request: Request, failure: Exception) -> Response:
    """404 and 405 as the router raises them; OPTIONS is answered here, since every path knows its methods."""
    assert isinstance(failure, HTTPException)
    if failure.status_code != 405:
        return problem(request, NotFound(f"não há nada em {request.url.path}"))
    methods = _methods(request) | {"OPTIONS"}
    allow = {"Allow": ", ".join(sorted(methods))}
    if request.method == "OPTIONS":
        patch = {"Accept-Patch": ", ".join(MERGE_PATCH)} if "PATCH" in methods else {}
        return Response(status_code=204, headers=allow | patch)
    return problem(request, MethodNotAllowed(f"{request.method} não é aceito aqui", headers=allow))


def _methods(request: Request) -> set[str]:
    """Every method of every route of the path (the router names only those of the first)."""
    routes: list[BaseRoute] = request.app.routes
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in matching for method in getattr(route, "methods", None) or ()}
