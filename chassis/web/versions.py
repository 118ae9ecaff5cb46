"""The versions of the REST interface in its paths, and what is said of a version or a resource that will end.

`/api/…` and `/api/v1/…` are the same version, which never gets another meaning. A later version has paths of its own,
`/api/v2/…`. While something is deprecated, each of its answers says so, in the headers of RFC 9745 and RFC 8594.
"""

import re
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis.observe.meters import BoundedLabel, Counter
from chassis.request.headers import combined

NAMED = re.compile("/api/(v[0-9]+)/")
"""The beginning of a path with a version in it."""
SHORT, LONG = "/api/", "/api/v1/"
"""The two beginnings of the paths of the first version."""

REQUESTS = Counter(
    "http_deprecated_requests_total", "Requests to what will be taken away, by who asks.", ("resource", "client")
)


def version_of(path: str) -> str:
    """The version that `path` belongs to: `v1` if it names none."""
    named = NAMED.match(path)
    return named[1] if named else "v1"


def is_short(path: str) -> bool:
    """Whether `path` is one of the first version, without its version in it."""
    return path.startswith(SHORT) and not NAMED.match(path)


def long_path(path: str) -> str:
    """The path of the first version with its version in it."""
    return LONG + path.removeprefix(SHORT)


def add_to(app: FastAPI) -> None:
    """Adds each route of the first version at its long path too. FastAPI's document leaves these out."""
    for route in [*app.router.routes]:
        if isinstance(route, APIRoute) and is_short(route.path):
            twin = copy(route)
            twin.path, twin.include_in_schema = long_path(route.path), False
            twin.path_regex, twin.path_format, twin.param_convertors = compile_path(twin.path)
            app.router.routes.append(twin)


@dataclass(frozen=True)
class Deprecation:
    """Since when something is deprecated, when it may be taken away, and the URL of what takes its place."""

    since: datetime
    sunset: datetime | None = None
    successor: str | None = None

    def __post_init__(self) -> None:
        assert self.since.tzinfo is not None, "an instant has a time zone"
        assert self.sunset is None or self.sunset >= self.since, "nothing ends before it is deprecated (RFC 9745, 4)"

    def headers(self, path: str) -> list[tuple[bytes, bytes]]:
        """The headers of an answer to a request for `path`. The successor's URL keeps the prefix of `path`."""
        lines = [(b"deprecation", b"@%d" % self.since.timestamp())]
        if self.sunset:
            lines.append((b"sunset", format_datetime(self.sunset.astimezone(UTC), usegmt=True).encode()))
        if successor := self.successor:
            if path.startswith(LONG) and is_short(successor):
                successor = long_path(successor)
            lines.append((b"link", f'<{successor}>; rel="successor-version"'.encode()))
        return lines


class Deprecations:
    """What of an application is deprecated: resources, by the paths of their collections, and versions, by name. What
    is said of a resource goes before what is said of its version."""

    def __init__(self, resources: Mapping[str, Deprecation], versions: Mapping[str, Deprecation]) -> None:
        self._resources, self._versions = resources, versions

    def __bool__(self) -> bool:
        return bool(self._resources or self._versions)

    def find(self, path: str) -> tuple[str, Deprecation] | None:
        """What is deprecated at `path`, and how: the path of a collection, or the name of a version."""
        if not path.startswith("/api"):
            return None
        path = path.rstrip("/") + "/"
        if path.startswith(LONG):
            path = SHORT + path.removeprefix(LONG)
        for collection, deprecation in self._resources.items():
            if path.startswith(collection):
                return collection, deprecation
        version = version_of(path)
        return (version, self._versions[version]) if version in self._versions else None


class DeprecationMiddleware:
    """Adds the headers to each answer about something that is deprecated, refusals included, and counts who asks."""

    def __init__(self, app: ASGIApp, deprecations: Deprecations) -> None:
        self.app, self._deprecations = app, deprecations
        self._client = BoundedLabel(100)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._deprecations.find(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        resource, deprecation = found
        REQUESTS.labels(resource, self._client(_program(scope))).value += 1
        lines = deprecation.headers(scope["path"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *lines]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _program(scope: Scope) -> str:
    """The name of the program that asks: the first product of its `User-Agent` (RFC 9110, 10.1.5), without version."""
    agent = combined(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
    return re.split(r"[/\s(]", agent.strip(), maxsplit=1)[0]
