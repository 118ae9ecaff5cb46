"""A gateway on a real socket, and clients of its two transports of live queries."""

from __future__ import annotations

import asyncio
import json
import urllib.parse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.endpoint import GraphQLEndpoint
from tests.applications import Services
from tests.chassis.peers import Peer, ServedApplication, serving
from tests.deploy.processes import WAIT_SECONDS
from tests.gateway.live.clients import patient_gateway
from tests.websocket import WebSocketPeer

PESSOA = """subscription Mudancas($id: ID, $apos: String) {
  pessoaMudou(id: $id, apos: $apos) { cursor operacao id pessoa { nomePessoa } }
}"""


class ServedGateway:
    """A gateway behind our server."""

    def __init__(self, served: ServedApplication, endpoint: GraphQLEndpoint) -> None:
        self.served, self.endpoint, self.subscriptions = served, endpoint, endpoint.subscriptions

    async def dial(self, *headers: str, protocol: str = "graphql-transport-ws") -> WebSocketPeer:
        """An open WebSocket, on which nothing was said."""
        peer = await self.served.peer()
        socket = WebSocketPeer(peer.reader, peer.writer)
        named = [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
        status, _ = await socket.shake_hands("/graphql", *named, *headers)
        assert status == 101
        return socket

    async def socket(self, **payload: Any) -> WebSocketPeer:
        """A WebSocket that is ready for operations."""
        socket = await self.dial()
        socket.send_json(type="connection_init", payload=payload)
        assert await socket.json() == {"type": "connection_ack"}
        return socket

    async def subscribe(self, query: str = PESSOA, **variables: Any) -> WebSocketPeer:
        """A WebSocket with one open subscription, called `1`."""
        socket, before = await self.socket(), self.subscriptions.open_count
        if "apos" not in variables:  # what happens before the subscription is open is then told too
            variables["apos"] = await self.position(socket)
        socket.send_json(id="1", type="subscribe", payload={"query": query, "variables": variables})
        async with asyncio.timeout(WAIT_SECONDS):
            while self.subscriptions.open_count == before:  # noqa: ASYNC110 # the protocol has no message for it
                await asyncio.sleep(0.01)
        return socket

    async def position(self, socket: WebSocketPeer) -> str:
        """Where a subscription may begin."""
        socket.send_json(id="posicao", type="subscribe", payload={"query": "{ posicao }"})
        found: str = (await socket.json())["payload"]["data"]["posicao"]
        assert (await socket.json())["type"] == "complete"
        return found

    async def ask(
        self,
        body: Any = None,
        *headers: str,
        accept: str = "text/event-stream",
        method: str = "POST",
        peer: Peer | None = None,
    ) -> StreamPeer:
        """The answer to one request, on a connection of its own unless there is one. `body` is the request as JSON, or
        a GET's query parameters."""
        peer = peer or await self.served.peer()
        path, raw = "/graphql", b""
        if method == "POST":
            raw = json.dumps(body).encode()
        elif body:
            path += "?" + urllib.parse.urlencode(
                {name: one if isinstance(one, str) else json.dumps(one) for name, one in body.items()}
            )
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Accept: {accept}", *headers]
        if raw:
            lines += ["Content-Type: application/json", f"Content-Length: {len(raw)}"]
        peer.send("\r\n".join([*lines, "", ""]).encode() + raw)
        async with asyncio.timeout(WAIT_SECONDS):
            head = (await peer.reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        status, *fields = head.strip().split("\r\n")
        return StreamPeer(peer.reader, int(status.split(" ")[1]), dict(line.split(": ", 1) for line in fields))


@dataclass
class StreamPeer:
    """An answer, whose body is read as it comes."""

    reader: asyncio.StreamReader
    status: int
    headers: dict[str, str]
    _events: list[str] = field(default_factory=list[str])
    """What has come in one piece with the event before."""

    async def chunk(self) -> str:
        """The next piece of the body; empty at its end."""
        async with asyncio.timeout(WAIT_SECONDS):
            if length := self.headers.get("content-length"):
                return (await self.reader.readexactly(int(length))).decode()
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2)).decode().removesuffix("\r\n")

    async def json(self) -> Any:
        return json.loads(await self.chunk())

    async def event(self) -> dict[str, str]:
        """The fields of the next event that tells something."""
        while True:
            self._events = self._events or (await self.chunk()).removesuffix("\n\n").split("\n\n")
            fields = dict(line.split(": ", 1) for line in self._events.pop(0).split("\n"))
            if "event" in fields:
                return fields

    async def told(self) -> Any:
        """The root field of the next event."""
        fields = await self.event()
        [root] = json.loads(fields["data"])["data"].values()
        return root

    async def ends(self) -> bool:
        async with asyncio.timeout(WAIT_SECONDS):
            return await self.reader.read() == b""


@asynccontextmanager
async def serving_gateway(
    services: Services, server: dict[str, Any] | None = None, **settings: Any
) -> AsyncGenerator[ServedGateway]:
    """A gateway of its own over the services that all tests share, and with settings of its own."""
    app = patient_gateway(services, **settings)
    async with serving(app, **(server or {})) as served:
        yield ServedGateway(served, app.state.graphql)
