"""Builds the application of a process: FastAPI inside of our middleware, with errors, health and metrics."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from logging import getLogger
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import BY_STATUS, Broken, MethodNotAllowed, NotFound, Refusal
from chassis.identity import middleware
from chassis.observe import logs, metrics, scrape
from chassis.settings import NeighbourSettings, ProcessSettings
from chassis.version import VERSION
from chassis.web import cors, health
from chassis.web.body import read_body
from chassis.web.middleware import RequestMiddleware
from chassis.web.options import OptionsRoute, allow_header
from chassis.web.problem import broken, problem
from chassis.web.reading import StrictRoute
from chassis.web.versions import DeprecationMiddleware, Deprecations

if TYPE_CHECKING:
    from chassis.identity.keys import KeySet
    from chassis.identity.rates import RateLimit
    from chassis.observe.traces import Tracer

log = getLogger("start")
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


Endpoint = Callable[[Request], Awaitable[ASGIApp]]
BODY_METHODS = ("POST", "PUT", "PATCH")
"""The methods whose endpoints begin by reading the body."""


class Application(FastAPI):
    """FastAPI inside of our own middleware.

    `direct` maps paths, with and without a final slash, to endpoints. GET and POST call them without FastAPI's layers
    and router, which cost more than a short answer. Every other method goes through the routes, to its endpoint or its
    405.
    """

    edge: ASGIApp
    """The outermost middleware."""
    direct: Mapping[str, Endpoint]
    direct_hint: str
    """What the 405 of these paths says besides."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.edge(scope, receive, send)

    async def route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What the middleware calls: finds the endpoint and runs it."""
        if "arriving" in scope and scope["method"] not in BODY_METHODS:
            # no endpoint reads the body of such a request, which becomes active only when its body is complete
            await read_body(Request(scope, receive))
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
    settings: ProcessSettings,
    *,
    lifespan: Lifespan,
    ready: health.Check | None = None,
    direct: Mapping[str, Endpoint] | None = None,
    direct_hint: str = "",
    required_scope: middleware.RequiredScope,
    rates: "RateLimit | None" = None,
    deprecations: Deprecations | None = None,
    event_streams: Collection[str] = (),
    page_headers: tuple[str, ...] = (),
    **more: Any,
) -> Application:
    """An application called `name`; the caller adds its routers and its documentation. `required_scope` says which
    scope a path needs, `rates` limits what one caller may ask for, `deprecations` are what will be taken away,
    and `page_headers` what web pages may send beside what they may send to every process."""
    logs.configure(name, settings.log_level, settings.log_format)
    metrics.set_build_info(name, VERSION)
    if isinstance(settings, NeighbourSettings) and settings.cache == "on" and not settings.keeps_rows:
        log.warning("no rows are kept in memory: FOLLOWER_TOKEN_FILE is not set")
    keys, tracer = _keys(settings), _tracer(name, settings)

    @asynccontextmanager
    async def whole_lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with (
            tracer.sending() if tracer else nullcontext(),
            scrape.keep_measuring(settings.metrics_dir),
            keys.fetched_in_background() if keys else nullcontext(),
            lifespan(app),
        ):
            yield
        if rates:
            await rates.close()

    app = Application(
        title=name,
        description=description,
        version=VERSION,
        lifespan=whole_lifespan,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
        **more,
    )
    app.router.route_class = StrictRoute
    app.router.routes.insert(0, OptionsRoute(app.router.routes))
    health.add_to(app, *([keys.ready] if keys else []), *([ready] if ready else []))
    scrape.add_to(app, settings.metrics_dir)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(Exception, _broken)
    app.direct = {spelled: endpoint for path, endpoint in (direct or {}).items() for spelled in (path + "/", path)}
    app.direct_hint = direct_hint
    for path, endpoint in app.direct.items():  # the path without a slash comes last, since the metrics use that one
        app.add_route(
            path, cast("Any", endpoint), methods=["GET", "POST"]
        )  # Starlette's type is narrower than its code
    inner: ASGIApp = app.route
    if rates:
        from chassis.identity.rates import RateLimitMiddleware

        inner = RateLimitMiddleware(inner, rates)
    app.edge = RequestMiddleware(
        _with_identity(inner, settings, keys, required_scope, rates),
        settings.max_body_bytes,
        settings.operation_timeout,
        metrics.Requests(app.router.routes),
        settings.cors_origins,
        event_streams,
        tracer,
    )
    if deprecations:
        app.edge = DeprecationMiddleware(app.edge, deprecations)
    if settings.cors_origins:  # outermost, since a page must be able to read every refusal
        app.edge = cors.CrossOriginMiddleware(app.edge, settings.cors_origins, page_headers)
    return app


def rate_limit(name: str, limit: int, url: str) -> "RateLimit | None":
    """The rate limit of each caller, in requests a minute, for the application called `name`. It is counted in the
    store at `url` if there is one. None for a `limit` of 0, and then the libraries that count are not loaded."""
    if not limit:
        return None
    from chassis.identity.rates import RateLimit

    return RateLimit(name, limit, url)


def _tracer(name: str, settings: ProcessSettings) -> "Tracer | None":
    """What makes traces; None while no receiver of them is named."""
    if not settings.traces_endpoint:
        return None
    from chassis.observe.traces import Tracer  # the SDK takes memory, which is not needed without traces

    return Tracer(name, settings)


def _keys(settings: ProcessSettings) -> "KeySet | None":
    """The keys that verify tokens; None when no token is required."""
    if settings.auth_mode == "off":
        log.warning("authentication is off: everybody may read and write; AUTH_MODE=jwt asks for tokens")
        return None
    from chassis.identity.keys import KeySet  # its cryptography takes 10 MB, which AUTH_MODE=off does not need

    return KeySet(settings.auth_jwks, settings.auth_algorithms)


def _with_identity(
    app: ASGIApp,
    settings: ProcessSettings,
    keys: "KeySet | None",
    required_scope: middleware.RequiredScope,
    rates: "RateLimit | None",
) -> ASGIApp:
    if keys is None:
        return app
    from chassis.identity.tokens import TokenVerifier

    return middleware.IdentityMiddleware(
        app, tokens=TokenVerifier(settings, keys), required_scope=required_scope, rates=rates
    )


async def _refused(request: Request, failure: Exception) -> Response:
    assert isinstance(failure, Refusal)
    return problem(request, failure)


async def _broken(request: Request, _failure: Exception) -> Response:
    """Answers an unexpected exception. Starlette then raises it again, and the middleware logs it."""
    return problem(request, broken())


async def _not_routed(request: Request, failure: Exception) -> Response:
    """Answers the router's 404 and 405, and an endpoint that raises FastAPI's exception instead of a refusal."""
    assert isinstance(failure, HTTPException)
    if failure.status_code != 405:
        kind = BY_STATUS.get(failure.status_code, Broken)
        routed = kind is NotFound and failure.detail == "Not Found"
        said = f"não há nada em {request.url.path}" if routed else str(failure.detail)
        return problem(request, kind(said, headers=failure.headers))
    allow = {"Allow": allow_header(request.app.routes, request.scope)}
    app: Application = request.app
    hint = f"; {app.direct_hint}" if app.direct_hint and request.url.path in app.direct else ""
    return problem(request, MethodNotAllowed(f"{request.method} não é aceito aqui{hint}", headers=allow))
