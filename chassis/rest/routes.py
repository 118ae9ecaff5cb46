"""Adds the FastAPI routes of a collection, with their OpenAPI description."""

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
    """A route whose endpoint takes the request and returns the response: FastAPI has no dependencies to solve."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return cast("Callable[[Request], Coroutine[Any, Any, Response]]", self.endpoint)


class MemberConvertor(Convertor[str]):
    """A path segment that names a member, by a valid id or not. Only the collection's own `query` is excluded."""

    regex = "(?!query/)[^/]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("member", MemberConvertor())


def add(app: FastAPI, collection: Collection) -> None:
    """Adds the collection's routes to `app`.

    They are added one by one: a router that is included as a whole would hide its methods from the `Allow` of a 405.
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
