"""Adds routes to a service's application: those of its collections, and those that it has beside them.

The endpoints of all collections are the same methods. Here they get signatures with the types of one collection, which
FastAPI describes, and what FastAPI cannot know of their answers.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, FastAPI, Path, Query
from fastapi.routing import APIRoute
from pydantic import BaseModel, PlainValidator, WrapValidator
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from chassis.db.repository import Repository
from chassis.query.models import Int8
from chassis.rest.bodies import judged_later
from chassis.rest.collection import Collection, member_id
from chassis.rest.openapi import answer, example_of, links
from chassis.web.body import MERGE_PATCH
from chassis.web.reading import FastRoute


class MemberConvertor(StringConvertor):
    """A path segment that names a member, by a valid id or not. Only the collection's own `query` is excluded."""

    regex = "(?!query/)[^/]+"


register_url_convertor("member", MemberConvertor())


def repository(kind: type[Repository]) -> Callable[[Request], Awaitable[Repository]]:
    """Makes the dependency that gives a request its repository, over the process's one database:
    `Produtos = Annotated[ProdutoRepository, Depends(repository(ProdutoRepository))]`."""

    async def rows(request: Request) -> Repository:
        return kind(request.app.state.database)

    return rows


def add(app: FastAPI, collection: Collection) -> None:
    """Adds the collection's routes to `app`."""
    name, public = collection.name, collection.public
    example, written = example_of(public), example_of(collection.write)
    id = Path(description="The id of one row.", examples=[1])
    types: dict[str, Any] = {
        "id": Annotated[int, PlainValidator(member_id(collection.kind.label), json_schema_input_type=Int8), id],
        "rows": Annotated[Repository, Depends(repository(collection.kind))],
        "check": Annotated[Any, Depends(collection.check)],
        "parameters": Annotated[collection.parameters, Query()],  # pyright: ignore
        "query": Annotated[
            collection.query_model, Body(examples=[{"first": 10, "ordering": "-id", "count": True}])  # pyright: ignore
        ],
    }

    def body(model: type[BaseModel], **more: Any) -> Any:
        return Annotated[model, WrapValidator(judged_later), Body(examples=[written], **more)]  # pyright: ignore

    bodies = {
        "create": body(collection.write),
        "replace": body(collection.replace_model),
        "merge": body(collection.patch_model, media_type=MERGE_PATCH[0]),
    }
    next_requests = links(name, "get", "replace", "merge", "delete")
    headers = ("ETag", "Preference-Applied", "Read-After", "Idempotency-Replayed")
    created = answer(201, example, *headers, "Location", links=next_requests)
    changed = answer(200, example, *headers, links=next_requests) | answer(204, None, *headers)
    deleted = answer(204, None, *headers[1:]) | answer(200, example, *headers[1:], model=public)
    result = {"items": [example], "has_next": False, "has_previous": False, "count": 1}
    listed, rows = answer(200, [example], "Link", "X-Total-Count"), list[public]  # pyright: ignore
    get, view = (collection.get, public, answer(200, example, "ETag") | answer(304, None, "ETag")), collection.view
    if view:
        get = view.endpoint, view.model, answer(200, example_of(view.model))
    query = f"Read {name} by ids, by filter, or top-n per parent"
    merge = f"Change some members of a {name} (JSON merge patch, RFC 7396)"
    operations: list[tuple[Any, ...]] = [
        ("GET", "", "page", f"A page of {name}", collection.page, rows, listed),
        ("POST", "", "create", f"Create a {name}", collection.create, public, created),
        ("POST", "query/", "query", query, collection.query, collection.result_model, answer(200, result)),
        ("GET", "{id:member}/", "get", f"One {name}", *get),
        ("PUT", "{id:member}/", "replace", f"Replace a {name}", collection.replace, public, changed),
        ("PATCH", "{id:member}/", "merge", merge, collection.replace, public, changed),
        ("DELETE", "{id:member}/", "delete", f"Delete a {name}", collection.delete, None, deleted),
    ]
    for method, path, action, summary, endpoint, model, responses in operations:
        route: dict[str, Any] = {"summary": summary, "operation_id": action + name, "tags": [name]}
        route |= {"path": collection.path + path, "methods": [method], "route_class_override": FastRoute}
        route |= {"status_code": next(iter(responses)), "response_model": model, "responses": responses}
        _add(app, {**route, "endpoint": with_types(endpoint, types | {"body": bodies.get(action)})})


def add_all(app: FastAPI, router: APIRouter) -> None:
    """Adds the routes of an ordinary `router` to `app`. They are read as strictly as those of a collection."""
    for route in router.routes:
        assert isinstance(route, APIRoute), f"{route} is no endpoint of FastAPI's"
        names = inspect.signature(app.router.add_api_route).parameters
        arguments: dict[str, Any] = {name: getattr(route, name) for name in names if hasattr(route, name)}
        if route.path.startswith("/api"):  # the middleware adds the final slash to a request that lacks it
            arguments["path"] = route.path.rstrip("/") + "/"
        _add(app, arguments)


def _add(app: FastAPI, route: dict[str, Any]) -> None:
    """Adds a route, and HEAD for a GET. It is added by itself: a router that is included as a whole would hide its
    methods from the `Allow` of a 405."""
    app.router.add_api_route(**route)
    if "GET" in route["methods"]:
        route = {**route, "methods": ["HEAD"], "include_in_schema": False}
        app.router.add_api_route(**route)


def with_types(
    endpoint: Callable[..., Awaitable[Response]], types: Mapping[str, Any]
) -> Callable[..., Awaitable[Response]]:
    """`endpoint` with the types of one collection in its signature, by the names of the parameters."""
    signature = inspect.signature(endpoint, eval_str=True)

    @wraps(endpoint)
    async def typed(**arguments: Any) -> Response:
        return await endpoint(**arguments)

    parameters = [one.replace(annotation=types.get(name, one.annotation)) for name, one in signature.parameters.items()]
    typed.__dict__["__signature__"] = signature.replace(parameters=parameters)
    return typed
