"""Bolts a process together: one FastAPI application with the chassis' edge, errors, health and documentation."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from chassis import health, logging
from chassis.errors import MethodNotAllowed, NotFound, Refusal, problem
from chassis.middleware import Front
from chassis.settings import Settings

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build(
    name: str,
    description: str,
    settings: Settings,
    *,
    version: str = "1.0.0",
    lifespan: Lifespan,
    ready: health.Check | None = None,
    **more: Any,
) -> FastAPI:
    """An application called `name`; its routers and its documentation are the caller's to add."""
    logging.configure(name, settings.log_level)
    app = FastAPI(
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
    app.add_middleware(Front, max_body_bytes=settings.max_body_bytes, operation_timeout=settings.operation_timeout)
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
