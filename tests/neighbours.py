"""The neighbours of what is tested, on real sockets: our own server around an application or a script.

A test can change their answers, lose them, or let them come too late."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx2
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.neighbours.default_transport import DefaultTransport
from chassis.neighbours.dialect import DialectClient
from chassis.neighbours.remote import Remote
from chassis.settings import NeighbourSettings
from tests.chassis.peers import ServedApplication, serving

Disturbance = Callable[[httpx2.Request, httpx2.Response], httpx2.Response]
"""What happens to an answer on its way. It raises one of httpx2's transport errors when there is to be no answer."""
Script = Callable[[httpx2.Request], Any]
"""What a neighbour answers: a response, or an awaitable that gives it. It may raise like a disturbance."""


@dataclass
class Call:
    """One request that reached a service."""

    service: str
    method: str
    path: str
    query: str
    trace: str
    """The trace id that came with the request; empty if there was none."""
    authorization: str

    def __str__(self) -> str:
        return f"{self.service} {self.method} {self.path}"


class Neighbour:
    """What answers on the socket. `callers` are the clients that call it, whose time-outs it can bring about."""

    def __init__(self) -> None:
        self.callers: list[DialectClient] = []
        self.served: ServedApplication | None = None

    async def lose(self, failure: httpx2.TransportError, scope: Scope) -> NoReturn:
        """Ends an exchange without an answer: too late, by something that is no HTTP, or by hanging up."""
        assert self.served
        if isinstance(failure, httpx2.TimeoutException):
            self._time_out(scope["client"][1])
        else:
            [connection] = [one for one in self.served.connections if one.client == scope["client"]]
            if isinstance(failure, httpx2.RemoteProtocolError):
                connection.transport.write(b"this is no HTTP\r\n\r\n")
                connection.transport.close()
            else:
                connection.abort()
        await asyncio.Event().wait()  # until the end of the connection, which cancels this
        raise AssertionError

    def _time_out(self, port: int) -> None:
        """The caller behind `port` behaves as if its time were over. So nobody has to wait for it, and a busy machine
        times nothing out by itself."""
        for caller in self.callers:
            assert isinstance(caller.transport, DefaultTransport)
            for connection in list(caller.transport.pool.open):
                if connection.transport.get_extra_info("sockname")[1] == port:
                    connection.time_out()


class ServiceNetwork(Neighbour):
    """The network to one service: it counts the requests that arrive, and can be cut."""

    def __init__(self, name: str, app: ASGIApp, calls: list[Call]) -> None:
        super().__init__()
        self.name, self.calls, self.cut = name, calls, False
        self.disturb: Disturbance | None = None
        self.app: Any = app

    @property
    def url(self) -> str:
        assert self.served
        return f"http://127.0.0.1:{self.served.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.cut:
            await self.lose(httpx2.ConnectError("cut by a test"), scope)
        headers = dict(scope["headers"])
        trace = headers.get(b"traceparent", b"").decode()[3:35]
        token = headers.get(b"authorization", b"").decode()
        self.calls.append(Call(self.name, scope["method"], scope["path"], scope["query_string"].decode(), trace, token))
        if self.disturb is None:
            await self.app(scope, receive, send)
            return
        request = await _request(scope, receive, f"http://{self.name}.test", scope["raw_path"])
        answer = await httpx2.ASGITransport(app=self.app).handle_async_request(request)
        await answer.aread()
        try:
            answer = self.disturb(request, answer)
        except httpx2.TransportError as failure:
            await self.lose(failure, scope)
        await _send(answer, send)


class ScriptedNeighbours(Neighbour):
    """One server for all neighbours that follow a script: each has a URL with a path of its own."""

    def __init__(self) -> None:
        super().__init__()
        self._scripts: list[Script] = []

    def url(self, script: Script) -> str:
        """The base URL of a new neighbour that answers by `script`."""
        assert self.served
        self._scripts.append(script)
        return f"http://127.0.0.1:{self.served.port}/{len(self._scripts) - 1}"

    async def forget(self) -> None:
        """Closes the connections of all callers, and forgets them and their neighbours."""
        for caller in self.callers:
            await caller.transport.close()
        self.callers.clear()
        self._scripts.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        _, number, path = scope["raw_path"].split(b"/", 2)
        request = await _request(scope, receive, "http://scripted.test", b"/" + path)
        try:
            answer = self._scripts[int(number)](request)
            answer = await answer if inspect.isawaitable(answer) else answer
        except httpx2.TransportError as failure:
            await self.lose(failure, scope)
        await _send(answer, send)


SCRIPTED = ScriptedNeighbours()
"""The fixture `scripted` serves it."""


def remote(script: Script, name: str = "pessoas", **settings: Any) -> Remote:
    """A client of a new neighbour that answers by `script`. Its time-out is long, so that a busy machine breaks
    nothing."""
    settings.setdefault("neighbour_timeout", 30)
    made = Remote(name, SCRIPTED.url(script), NeighbourSettings(**settings))
    SCRIPTED.callers.append(made)
    return made


async def _request(scope: Scope, receive: Receive, base_url: str, path: bytes) -> httpx2.Request:
    """The request as an object of httpx2."""
    content = b""
    more = True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    url = base_url + (path + query).decode("latin-1")
    return httpx2.Request(scope["method"], url, headers=scope["headers"], content=content)


async def _send(answer: httpx2.Response, send: Send) -> None:
    headers = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() != b"content-length"]
    bodiless = answer.status_code in (204, 304)
    content = b"" if bodiless else answer.content
    if not bodiless:
        headers.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": content})


@asynccontextmanager
async def on_a_socket(neighbour: ServiceNetwork | ScriptedNeighbours) -> AsyncGenerator[None]:
    """Serves the neighbour, with the lifespan of its application."""
    async with serving(neighbour) as served:
        neighbour.served = served
        yield
