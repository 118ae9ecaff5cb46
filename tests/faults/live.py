"""Clients of live queries over both transports, who go on from their own cursor after every failure, and are judged in
the end by the table `change`.

A page is a client without a cursor: whenever its connection has ended it queries again, and subscribes from there.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import CloseCode
from websockets.typing import Subprotocol

from deploy.postgres import HOST
from tests.faults.followers import PATIENCE, PAUSE, Change, Follower, changes_after, differences

OPERATIONS = {"CRIADA": "created", "ATUALIZADA": "updated", "EXCLUIDA": "deleted"}
TEMPORARY = {"UNAVAILABLE", "TIMEOUT"}
"""Errors of a subscription, or of a field of an event, while a part is away."""
SMALL_BUFFER = 64 * 1024
"""Bytes that the system keeps for a client which may stop to read, so that the gateway soon has to keep them itself."""
GOING_AWAY = {CloseCode.GOING_AWAY, CloseCode.TRY_AGAIN_LATER, CloseCode.ABNORMAL_CLOSURE}
"""Closes that another connection mends."""
DROPPED = (httpx2.TransportError, OSError, EOFError, ConnectionClosed, InvalidMessage)


class Ended(Exception):
    """The connection has ended, or is of no more use; the client connects again."""


@dataclass
class LiveControl:
    """What a scenario does to the clients, and what it hears of them."""

    reading: asyncio.Event = field(default_factory=asyncio.Event)
    """Not set while slow clients read nothing."""
    opened: int = 0
    """How often a client has subscribed."""
    told_to_go_on: Counter[str] = field(default_factory=Counter[str])
    """The codes of subscriptions that were ended with a cursor."""

    def __post_init__(self) -> None:
        self.reading.set()


@dataclass(frozen=True)
class Subscription:
    """What a client asks for: the changes of the rows `noun`, with the selection below the row."""

    service: str
    noun: str
    selection: str
    arguments: str = ""
    admits: str = ""
    """The condition in SQL for the rows that the filter lets pass; empty without a filter."""
    slow: bool = False
    """The client stops to read when it is told to."""

    @property
    def document(self) -> str:
        given = ", ".join(filter(None, ("apos: $apos", self.arguments)))
        return f"""subscription Mudancas($apos: String) {{
          mudou: {self.noun}Mudou({given}) {{ cursor operacao id row: {self.noun} {{ {self.selection} }} }} }}"""


LARGE = " ".join(f"n{n}: nomePessoa" for n in range(90))
SUBSCRIPTIONS = (
    Subscription("pessoas", "pessoa", "nomePessoa"),
    Subscription("servicos", "servico", "nomeServico"),
    Subscription("catalogo", "produto", "nomeProduto categoria { nomeCategoria }"),
    Subscription("solicitacoes", "solicitacao", "pessoa { nomePessoa } produto { nomeProduto }"),
    Subscription(
        *("solicitacoes", "solicitacao", "produtoId"),
        arguments=f"filter: {{produtoId: {{in: {json.dumps(list(range(2, 201, 2)))}}}}}",
        admits="produto_id % 2 = 0",
    ),
    Subscription("pessoas", "pessoa", LARGE, slow=True),
)

SLOW_CLIENTS = 2 * sum(one.slow for one in SUBSCRIPTIONS)
"""How many clients may stop to read, by both transports."""
CUT_CLIENTS = 2 * sum(not one.slow for one in SUBSCRIPTIONS) + 1
"""How many others there are, with the page."""


class LiveClient(Follower):
    """Follows one subscription by a WebSocket, with the usual client library for Python."""

    name = "WebSocket"
    away: Collection[int] = (503, 504)
    """What it may be answered when it opens a socket while a process is away."""

    def __init__(self, asked: Subscription, port: int, control: LiveControl) -> None:
        super().__init__(asked.service, port)
        self.asked, self.control = asked, control
        self.cursor = ""
        self.shown: dict[int, bool] = {}
        """By number: whether the event showed the row."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._port}/graphql"

    async def begin(self, client: httpx2.AsyncClient) -> None:
        answer = (await client.post(self.url, json={"query": "{ posicao }"})).raise_for_status().json()
        self.resume_at(answer["data"]["posicao"])

    def resume_at(self, posicao: str) -> None:
        [self.cursor] = [one for one in posicao.split(",") if one.startswith(f"{self.service}:")]
        self.began = seq_of(self.cursor)

    async def follow(self, client: httpx2.AsyncClient) -> None:
        while True:
            try:
                await self._once(client)
            except (*DROPPED, Ended):
                await asyncio.sleep(PAUSE)

    @property
    def _payload(self) -> dict[str, Any]:
        return {"query": self.asked.document, "variables": {"apos": self.cursor}}

    async def _once(self, client: httpx2.AsyncClient) -> None:
        async with self._socket() as connection:
            while True:
                self.control.opened += 1
                await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": self._payload}))
                await self._read(connection)

    async def _read(self, connection: ClientConnection) -> None:
        """Takes events until the subscription ends and one may subscribe again on the same connection."""
        while True:
            message = await self._message(connection)
            match message["type"]:
                case "next":
                    self.take_event(message["payload"])
                case "ping" if "cursors" in message.get("payload", {}):
                    self.cursor = message["payload"]["cursors"]["1"]
                case "error":
                    self.take_end(message["payload"])
                    await asyncio.sleep(PAUSE)
                    return
                case _:
                    self.refused.append(f"{self.who}: {message}")

    async def _message(self, connection: ClientConnection) -> dict[str, Any]:
        if self.asked.slow:
            await self.control.reading.wait()
        return json.loads(await connection.recv())

    @asynccontextmanager
    async def _socket(self) -> AsyncGenerator[ClientConnection]:
        """An open socket. Raises Ended when it closes for a reason that is good."""
        try:
            async with self._connect() as connection:
                await connection.send('{"type":"connection_init"}')
                acknowledged = json.loads(await connection.recv())
                assert acknowledged == {"type": "connection_ack"}, acknowledged
                yield connection
        except ConnectionClosed as closed:
            if closed.rcvd and closed.rcvd.code not in GOING_AWAY:
                self.refused.append(f"{self.who}: {closed}")
            raise Ended from None
        except InvalidStatus as refusal:
            if refusal.response.status_code not in self.away:
                self.refused.append(f"{self.who}: {refusal.response.status_code} {refusal.response.body!r}")
            raise Ended from None
        except InvalidHandshake as broken:  # it was cut off within its head
            raise Ended from broken

    def _connect(self) -> connect:
        return connect(
            self.url.replace("http", "ws"),
            subprotocols=[Subprotocol("graphql-transport-ws")],
            sock=_dial(self._port, small=self.asked.slow),
            compression=None,
            proxy=None,
            max_size=None,
            ping_interval=None,
            open_timeout=PATIENCE,
            close_timeout=0.1,
        )

    # -- what it is told ---------------------------------------------------------------------------------------

    @property
    def who(self) -> str:
        return f"{self.asked.noun}Mudou by {self.name}"

    def take_event(self, result: dict[str, Any]) -> None:
        """Notes an event, an ExecutionResult."""
        change = result["data"]["mudou"]
        seq = seq_of(change["cursor"])
        row, operation = change["row"], OPERATIONS[change["operacao"]]
        codes = {error.get("extensions", {}).get("code") for error in result.get("errors", ())}
        if not codes <= TEMPORARY:
            self.refused.append(f"{self.who}: {json.dumps(result, ensure_ascii=False)[:300]}")
        self.cursor = change["cursor"]
        self.shown[seq] = row is not None
        self._keep([{"seq": seq, "kind": self.asked.noun, "id": int(change["id"]), "op": operation}])

    def take_end(self, errors: list[dict[str, Any]]) -> None:
        """The server has ended the subscription: it must say from where to go on."""
        [error] = errors
        extensions = error.get("extensions", {})
        code = extensions.get("code")
        if cursor := extensions.get("cursor"):
            self.cursor = cursor
            self.control.told_to_go_on[code] += 1
        elif code not in TEMPORARY:  # as at the opening, while a service is away
            self.refused.append(f"{self.who}: {json.dumps(error, ensure_ascii=False)}")

    # -- the judgement -----------------------------------------------------------------------------------------

    def judge(self, connection: psycopg.Connection) -> list[str]:
        kept = [one for one in changes_after(connection, self.began) if one[1] == self.asked.noun]
        return [*self.refused, *differences(self.who, self.told, self._admitted(kept, connection))]

    def _admitted(self, kept: list[Change], connection: psycopg.Connection) -> list[Change]:
        """What the filter lets pass of these changes. The rows of the load never change from one side of the filter to
        the other. A row that is gone cannot be asked any more: whether its creation was told is taken from the client,
        who must then have been shown the row."""
        if not self.asked.admits:
            return kept
        table = f"SELECT id, {self.asked.admits} FROM {self.asked.noun}"
        there: dict[int, bool] = dict(connection.execute(table.encode()).fetchall())
        return [one for one in kept if one[3] != "created" or there.get(one[2], self.shown.get(one[0], False))]


class LiveStream(LiveClient):
    """The same by server-sent events."""

    name = "event stream"

    async def follow(self, client: httpx2.AsyncClient) -> None:
        options = [(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)] if self.asked.slow else []
        transport = httpx2.AsyncHTTPTransport(socket_options=options)
        async with httpx2.AsyncClient(transport=transport, trust_env=False, timeout=2 * PATIENCE) as own:
            await super().follow(own)

    async def _once(self, client: httpx2.AsyncClient) -> None:
        headers = {"Accept": "text/event-stream"}
        async with client.stream("POST", self.url, headers=headers, json=self._payload) as answer:
            if await self._refused(answer):
                return
            self.control.opened += 1
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if self.asked.slow:
                    await self.control.reading.wait()
                name, _, value = line.partition(":")
                if line:
                    event[name] = value.strip()
                    continue
                self._take(event)  # a connection that breaks within an event has not told it
                event = {}
        await asyncio.sleep(PAUSE)

    def _take(self, event: dict[str, str]) -> None:
        if event.get("event") == "next":
            result = json.loads(event["data"])
            if "data" in result:
                self.take_event(result)
            else:
                self.take_end(result["errors"])
        elif "id" in event:
            self.cursor = event["id"]


@dataclass
class Visit:
    """What a page was told after one query."""

    began: int
    told: list[Change] = field(default_factory=list[Change])


class Page(LiveClient):
    """Shows the pessoas that were added last: it queries them with `posicao`, subscribes from there, and begins anew
    whenever its connection ends."""

    name = "a page"
    QUERY = "{ posicao pessoas(first: 1000, orderBy: ID_DESC) { nodes { id nomePessoa } } }"

    def __init__(self, port: int, control: LiveControl) -> None:
        super().__init__(SUBSCRIPTIONS[0], port, control)
        self.visits: list[Visit] = []
        self.rows: dict[int, str] = {}

    async def begin(self, client: httpx2.AsyncClient) -> None:
        """It begins with its first query."""

    async def _once(self, client: httpx2.AsyncClient) -> None:
        async with self._socket() as connection:
            await connection.send(json.dumps({"id": "0", "type": "subscribe", "payload": {"query": self.QUERY}}))
            answer = await self._message(connection)
            found = answer["payload"].get("data") if answer["type"] == "next" else None
            if not (found and found["pessoas"] and "pessoas:" in found["posicao"]):
                raise Ended
            assert await self._message(connection) == {"id": "0", "type": "complete"}
            nodes = found["pessoas"]["nodes"]
            self.begin_at(found["posicao"], {int(node["id"]): node["nomePessoa"] for node in nodes})
            self.control.opened += 1
            await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": self._payload}))
            await self._read(connection)

    def begin_at(self, posicao: str, rows: dict[int, str]) -> None:
        """A query has shown these rows."""
        self.resume_at(posicao)
        self.rows = rows
        self.visits.append(Visit(self.began))

    def take_event(self, result: dict[str, Any]) -> None:
        super().take_event(result)
        change = result["data"]["mudou"]
        self.visits[-1].told.append(self.told[-1])
        if change["row"]:
            self.rows[int(change["id"])] = change["row"]["nomePessoa"]
        else:  # it is deleted, or soon will be
            self.rows.pop(int(change["id"]), None)

    def judge(self, connection: psycopg.Connection) -> list[str]:
        """Each visit was told all that came after its query, and the page shows now what is in the table."""
        wrong = list(self.refused)
        for visit in self.visits:
            kept = [one for one in changes_after(connection, visit.began) if one[1] == self.asked.noun]
            until = kept if visit is self.visits[-1] else kept[: len(visit.told)]
            wrong += differences(self.who, visit.told, until)
        newest = "SELECT id, nome_pessoa FROM pessoa WHERE id >= %s"
        there = dict(connection.execute(newest, [min(self.rows, default=0)]).fetchall())
        return wrong + (
            [] if there == self.rows else [f"{self.who} shows {set(self.rows.items()) ^ set(there.items())}"]
        )


def live_clients(port: int, direct: int, control: LiveControl) -> list[Follower]:
    """One of each kind for every subscription, and a page. Slow ones are connected to the gateway itself, at `direct`,
    since what lies between would read for them."""
    kinds = (LiveClient, LiveStream)
    found = [kind(asked, direct if asked.slow else port, control) for asked in SUBSCRIPTIONS for kind in kinds]
    return [*found, Page(port, control)]


def seq_of(cursor: str) -> int:
    """The number of the change in a cursor."""
    return int(cursor.rsplit(":", 1)[1])


def _dial(port: int, *, small: bool) -> socket.socket:
    """A connection to the gateway; `small` if the system shall keep little for it."""
    made = socket.socket()
    if small:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
    try:
        made.connect((HOST, port))
    except OSError:
        made.close()
        raise
    made.setblocking(False)
    return made
