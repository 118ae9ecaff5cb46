"""Where a collection is found: its FastAPI routes, described to OpenAPI."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from chassis.rest.collection import Collection
from chassis.rest.openapi import OperationDocs


class BareRoute(APIRoute):
    """A route whose endpoint takes the request and gives the response: FastAPI has no dependency to solve for it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


class Member(Convertor[str]):
    """A path segment that names a member: anything but the collection's own `query`, good id or bad."""

    regex = "(?!query/)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("member", Member())


def add(app: FastAPI, collection: Collection) -> None:
    """Adds the collection's routes to `app`.

    One by one: a router included whole would hide its methods from the `Allow` of a 405.
    """
    documented = OperationDocs(collection)
    member = collection.path + "{id:member}/"
    for method, path, endpoint in (
        ("GET", collection.path, collection.page),
        ("POST", collection.path, collection.create),
        ("POST", collection.path + "query/", collection.query),
        ("GET", member, collection.get),
        ("PUT", member, collection.replace),
        ("PATCH", member, collection.merge),
        ("DELETE", member, collection.delete),
    ):
        route = partial(app.router.add_api_route, path, endpoint, route_class_override=BareRoute)
        route(methods=[method], **documented.operation(action=endpoint.__name__))
        if method == "GET":
            route(methods=["HEAD"], include_in_schema=False)
