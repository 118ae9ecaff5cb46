"""A domain service: its collections over its own PostgreSQL, built on the chassis."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from fastapi import APIRouter, FastAPI
from pydantic import create_model
from starlette.requests import Request
from starlette.responses import RedirectResponse

from chassis.db import folding, idempotency
from chassis.db.database import Database
from chassis.db.revisions import FIND_TABLE, MISSING_TABLES, READ_REVISION, Revisions, head
from chassis.errors import Unavailable
from chassis.feed import routes as feed_routes
from chassis.feed.feed import Feed
from chassis.identity import middleware
from chassis.query.models import StrictModel
from chassis.rest import openapi, operation_claims, routes
from chassis.rest.collection import Collection
from chassis.settings import DatabaseSettings
from chassis.web import application as chassis_app
from chassis.web import documentation, versions

PUBLIC_PATHS = ("/health/", "/metrics", "/openapi.json", "/docs")
"""Paths that need no scope, since they show nothing about any person. `/`, which redirects to `/docs`, and the index at
`/api/` and `/api/v1/` need none either."""


def required_scope(name: str) -> middleware.RequiredScope:
    """Makes the function that says which scope a request to the service called `name` requires."""

    def scope(method: str, path: str) -> str | None:
        # A claim is open to the write scope of any service, which `operation_claims` checks itself.
        if path in ("/", versions.SHORT, versions.LONG) or path.startswith((*PUBLIC_PATHS, operation_claims.PATH)):
            return None
        if path.startswith((feed_routes.PATH, versions.long_path(feed_routes.PATH))):
            return f"{name}:changes"
        reads = method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and path.endswith("/query/"))
        return f"{name}:read" if reads else f"{name}:write"

    return scope


def build(
    name: str,
    description: str,
    settings: DatabaseSettings,
    collections: tuple[Collection, ...],
    routers: tuple[APIRouter, ...] = (),
    neighbours: tuple[AbstractAsyncContextManager[object], ...] = (),
    deprecated_versions: Mapping[str, versions.Deprecation] | None = None,
) -> FastAPI:
    """The service's application. It starts without its database too, and is then live but not ready. The versions of
    its interface that will be taken away are `deprecated_versions`, such as `{"v1": Deprecation(…)}`."""
    database = Database(settings)
    feed = Feed(database, settings)
    deprecated = {one.path: one.deprecated for one in collections if one.deprecated}
    deprecations = versions.Deprecations(deprecated, deprecated_versions or {})
    revision_of_code = head(name)
    tables = [one.kind.rows.table.name for one in collections]
    folded = {one.kind.rows.table.name: one.kind.rows.folded for one in collections if one.kind.rows.folded}

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for neighbour in neighbours:
                await stack.enter_async_context(neighbour)
            await database.open()
            stack.push_async_callback(database.close)
            await stack.enter_async_context(idempotency.keep_forgetting(database))
            await stack.enter_async_context(feed.keep_looking())
            if folded:
                await stack.enter_async_context(folding.keep_folding(database, folded))
            yield

    async def ready() -> None:
        [(table,)] = await database.fetch(FIND_TABLE, ())
        rows = await database.fetch(READ_REVISION, ()) if table else []
        found = Revisions(revision_of_code, *rows[0]) if rows else Revisions(revision_of_code)
        if found.behind:
            raise Unavailable("o banco de dados ainda não foi migrado")
        if found.too_far_ahead:
            raise Unavailable(
                f"o banco de dados está na revisão {found.database}, nova demais para a deste serviço, {found.code}"
            )
        if missing := await database.fetch(MISSING_TABLES, (tables,)):
            raise Unavailable(f"o banco de dados não tem a tabela {missing[0][0]}: é o de outro serviço?")

    app = chassis_app.build(
        name,
        description,
        settings,
        lifespan=lifespan,
        ready=ready,
        required_scope=required_scope(name),
        rates=chassis_app.rate_limit(name, settings.api_rate_limit, settings.rate_limit_url),
        deprecations=deprecations,
        event_streams=(feed_routes.PATH, versions.long_path(feed_routes.PATH)),
    )
    app.state.database = database
    for router in routers:  # first, since a path below a collection would otherwise name a member
        routes.add_all(app, router)
    for collection in collections:
        routes.add(app, collection)
    operation_claims.add_to(app)
    feed_routes.add_to(app, feed, collections[0].kind.noun)

    versions.add_to(app)
    paths = {one.path.split("/")[2]: one.path for one in collections if versions.is_short(one.path)}
    _add_index(app, versions.SHORT, "", paths)
    _add_index(app, versions.LONG, "V1", {name: versions.long_path(path) for name, path in paths.items()})
    openapi.describe(app, collections, required_scope(name), deprecations)
    documentation.add_to(app)
    app.add_route("/", _to_docs, include_in_schema=False)
    return app


def _add_index(app: FastAPI, path: str, version: str, paths: Mapping[str, str]) -> None:
    """Adds the list of the collections of one version."""
    members: dict[str, Any] = {collection: (Literal[path], ...) for collection, path in paths.items()}  # pyright: ignore
    summary, model = "The collections and their URLs", create_model(f"Index{version}", __base__=StrictModel, **members)
    answers = openapi.answer(200, paths)

    @app.get(
        path, operation_id=f"index{version}", summary=summary, tags=["index"], response_model=model, responses=answers
    )
    @app.head(path, include_in_schema=False)
    async def index() -> Mapping[str, str]:
        return paths


async def _to_docs(_request: Request) -> RedirectResponse:
    return RedirectResponse("/docs")
