"""`OPTIONS` for every path that has a route (RFC 9110, 9.3.7): its methods, and the media types of its PATCH."""

from collections.abc import Sequence

from starlette.responses import Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from chassis.web.body import MERGE_PATCH


class OptionsRoute(BaseRoute):
    """Answers OPTIONS for every path that one of `routes` serves."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        self._routes = routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and methods(self._routes, scope):
            return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Allow": allow_header(self._routes, scope)}
        if "PATCH" in methods(self._routes, scope):
            headers["Accept-Patch"] = ", ".join(MERGE_PATCH)
        await Response(status_code=204, headers=headers)(scope, receive, send)


def allow_header(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The value of `Allow` for the path."""
    return ", ".join(sorted(methods(routes, scope) | {"OPTIONS"}))


def methods(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """All methods of all routes of the path (Starlette's router names only those of the first)."""
    matching = (
        route for route in routes if not isinstance(route, OptionsRoute) and route.matches(scope)[0] is not Match.NONE
    )
    return {method for route in matching for method in getattr(route, "methods", None) or ()}
