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
from pydantic import PlainValidator, WrapValidator
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from chassis.db.repository import Repository
from chassis.query.models import Int8
from chassis.rest.bodies import judged_later
from chassis.rest.collection import Collection, member_id
from chassis.rest.openapi import answer, example_of, links
from chassis.web.body import MERGE_PATCH
from chassis.web.reading import FastRoute


class MemberConvertor(Convertor[str]):
    """A path segment that names a member, by a valid id or not. Only the collection's own `query` is excluded."""

    regex = "(?!query/)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


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

    def body(model: Any, **more: Any) -> dict[str, Any]:
        described = Body(examples=[written], **more)
        return types | {"body": Annotated[model, WrapValidator(judged_later), described]}  # pyright: ignore

    next_requests = links(name, "get", "replace", "merge", "delete")
    headers = ("ETag", "Preference-Applied", "Idempotency-Replayed")
    created = answer(201, example, *headers, "Location", links=next_requests)
    changed = answer(200, example, *headers, links=next_requests) | answer(204, None, *headers)
    deleted = answer(204, None, *headers[1:]) | answer(200, example, *headers[1:], model=public)
    result = {"items": [example], "has_next": False, "has_previous": False, "count": 1}
    view = collection.view
    one = answer(200, example_of(view.model)) if view else answer(200, example, "ETag") | answer(304, None, "ETag")

    def route(
        method: str,
        path: str,
        action: str,
        summary: str,
        endpoint: Callable[..., Awaitable[Response]],
        model: Any,
        responses: Mapping[int | str, Any],
        types: Mapping[str, Any] = types,
    ) -> None:
        # One by one: a router that is included as a whole would hide its methods from the `Allow` of a 405.
        documented: dict[str, Any] = {"summary": summary, "operation_id": action + name, "tags": [name]}
        documented |= {"status_code": min(map(int, responses)) if action != "delete" else 204}
        endpoint = with_types(endpoint, types)
        add_route = app.router.add_api_route
        add_route(
            collection.path + path,
            endpoint,
            methods=[method],
            response_model=model,
            responses=dict(responses),
            route_class_override=FastRoute,
            **documented,
        )
        if method == "GET":
            add_route(
                collection.path + path,
                endpoint,
                methods=["HEAD"],
                response_model=None,
                include_in_schema=False,
                route_class_override=FastRoute,
            )

    listed = answer(200, [example], "Link", "X-Total-Count")
    replace, merge = body(collection.replace_model), body(collection.patch_model, media_type=MERGE_PATCH[0])
    member = "{id:member}/"
    route("GET", "", "page", f"A page of {name}", collection.page, list[public], listed)  # pyright: ignore
    route("POST", "", "create", f"Create a {name}", collection.create, public, created, body(collection.write))
    summary = f"Read {name} by ids, by filter, or top-n per parent"
    route("POST", "query/", "query", summary, collection.query, collection.result_model, answer(200, result))
    shown = (view.endpoint, view.model) if view else (collection.get, public)
    route("GET", member, "get", f"One {name}", *shown, one)
    route("PUT", member, "replace", f"Replace a {name}", collection.replace, public, changed, replace)
    summary = f"Change some members of a {name} (JSON merge patch, RFC 7396)"
    route("PATCH", member, "merge", summary, collection.replace, public, changed, merge)
    route("DELETE", member, "delete", f"Delete a {name}", collection.delete, None, deleted)


def add_all(app: FastAPI, router: APIRouter) -> None:
    """Adds the routes of an ordinary `router`, which then are read as strictly as a collection's."""
    arguments = inspect.signature(APIRoute).parameters
    for route in router.routes:
        assert isinstance(route, APIRoute), "only endpoints of FastAPI's are read strictly"
        given: dict[str, Any] = {name: getattr(route, name) for name in arguments}
        if route.path.startswith("/api"):  # the middleware adds the final slash to a request that lacks it
            given["path"] = route.path.rstrip("/") + "/"
        app.router.add_api_route(**given)
        if route.methods == {"GET"}:
            given |= {"methods": ["HEAD"], "include_in_schema": False}
            app.router.add_api_route(**given)


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
