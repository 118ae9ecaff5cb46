"""GraphQL over a WebSocket, by the subprotocol graphql-transport-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Queries and mutations are answered too. Each is bounded
as it is over HTTP. Only an open subscription costs no task and no place at work.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, cast

import orjson
from starlette.requests import Request
from starlette.types import Scope
from websockets.frames import CloseCode

from chassis.errors import Busy, Malformed, Refusal, Unavailable
from chassis.neighbours.read_after import parse_positions
from chassis.observe.logs import access
from chassis.process.websocket import WebSocket, WebSocketResponse, head_of_frame
from chassis.request import context, deadline, trace_context
from chassis.web.body import parse
from chassis.web.problem import broken
from gateway import metrics, traces
from gateway.errors import formatted
from gateway.execution.operation import is_subscription
from gateway.live.events import EventBatch
from gateway.live.sse import code_of_end
from gateway.live.subscription import OpenSubscription
from gateway.live.subscriptions import Subscriptions
from gateway.loaders import NO_POSITIONS
from gateway.metrics import LONGEST_NAME
from gateway.requests import (
    CLIENT_NAMES,
    Account,
    GraphQLRequest,
    Operations,
    RequestError,
    client_name,
    refusal_error,
    require_unicode,
)

if TYPE_CHECKING:  # with AUTH_MODE=off the cryptography libraries are never loaded
    from chassis.identity.tokens import TokenVerifier
    from chassis.observe.traces import Tracer

log = logging.getLogger("graphql")

PROTOCOL, LEGACY_PROTOCOL = "graphql-transport-ws", "graphql-ws"
USE_OURS = f"use o subprotocolo {PROTOCOL}"
MAX_ID_LENGTH = 128
MAX_OPERATIONS = 100
"""How many operations one socket may have open."""
SPAN: Scope = {"scheme": "ws", "path": "/graphql"}
"""What the span of an operation says of the request that it belongs to."""
MAX_REASON_BYTES = 123
"""How long the reason of a close may be (RFC 6455, 5.5)."""


class GraphQLSockets:
    """Opens the sockets of one process."""

    def __init__(self, operations: Operations, subscriptions: Subscriptions) -> None:
        self.operations, self.subscriptions = operations, subscriptions
        self.limits = operations.executor.limits

    async def accept(self, request: Request, account: Account) -> WebSocketResponse:
        """Answers a handshake. Who calls is known when the client has sent its first message. Raises Malformed,
        RateLimited."""
        await account.charge_minimum()
        socket = GraphQLSocket(self, request)
        return WebSocketResponse(request, socket, (PROTOCOL, LEGACY_PROTOCOL))


class GraphQLSocket(WebSocket):
    """One client's socket, with its operations."""

    __slots__ = (
        *("_acknowledged", "_caller", "_client", "_initialised", "_operations", "_program", "_sockets", "_tokens"),
        "_tracer",
    )

    def __init__(self, sockets: GraphQLSockets, request: Request) -> None:
        super().__init__(sockets.limits.max_body_bytes)
        self._sockets = sockets
        self._caller = context.current().caller
        self._tokens: TokenVerifier | None = request.scope.get("tokens")
        self._client: tuple[str, int] | None = request.scope.get("client")
        self._tracer: Tracer | None = request.scope.get("tracer")
        self._program = _program(client_name(request.scope["fields"]))
        """What the client program calls itself."""
        self._initialised = self._acknowledged = False
        self._operations: dict[str, _Operation] = {}

    # -- the connection ----------------------------------------------------------------------------------------

    @property
    def at_drain(self) -> Callable[[], None]:
        return self._sockets.subscriptions.drain

    def opened(self) -> None:
        if self.subprotocol == LEGACY_PROTOCOL:  # this is how that protocol refuses
            self.tell("connection_error", payload={"message": USE_OURS})
        if self.subprotocol != PROTOCOL:
            self.close(4406, USE_OURS)
        self.beat_at = asyncio.get_running_loop().time() + self.state.peer_timeout

    def beat(self, now: float) -> None:
        if self._acknowledged:
            super().beat(now)
        else:
            self.close(4408, "Connection initialisation timeout")

    def drain(self) -> None:
        """Closes the socket if nothing is open on it. Otherwise the first end of a subscription does."""
        if not self._operations:
            super().drain()

    def closed(self) -> None:
        super().closed()
        operations, self._operations = self._operations, {}
        for operation in operations.values():
            operation.cancel()

    # -- messages ----------------------------------------------------------------------------------------------

    def received(self, text: str) -> None:
        try:
            message = parse(text.encode())
            if "\\u" in text:
                require_unicode(message)
            if not isinstance(message, dict):
                raise Malformed("a mensagem deve ser um objeto")
            self._receive(cast("dict[str, Any]", message))
        except Malformed as malformed:
            self.close(4400, _reason(malformed.detail))
        except Exception:  # a fault of ours
            log.exception("unhandled exception")
            self.close(4500, "Internal server error")

    def _receive(self, message: dict[str, Any]) -> None:
        """Handles one message. Raises Malformed."""
        kind, payload = message.get("type"), message.get("payload")
        if payload is not None and not isinstance(payload, dict):
            raise Malformed("payload deve ser um objeto")
        members = cast("dict[str, Any] | None", payload)
        if kind == "subscribe":
            self._subscribe(_id(message), members)
        elif kind == "complete":
            if operation := self._operations.pop(_id(message), None):
                operation.cancel()
        elif kind == "ping":
            self.tell("pong", **({} if members is None else {"payload": members}))
        elif kind == "connection_init":
            self._initialise(members or {})
        elif kind != "pong":
            raise Malformed("type não é uma mensagem de " + PROTOCOL)

    def tell(self, kind: str, **members: Any) -> None:
        """Sends a message of this type."""
        self.send(orjson.dumps({"type": kind, **members}))

    def _initialise(self, payload: dict[str, Any]) -> None:
        if self._initialised:
            self.close(4429, "Too many initialisation requests")
            return
        self._initialised = True
        if named := next((payload[name] for name in payload if name.lower() in CLIENT_NAMES), None):
            self._program = _program(str(named))
        given = next((value for name, value in payload.items() if name.lower() == "authorization"), None)
        if self._tokens is None or given is None:
            self._acknowledge()
        else:
            self._start(self._identify(self._tokens, str(given).encode(errors="replace")))

    async def _identify(self, tokens: TokenVerifier, authorization: bytes) -> None:
        deadline.begin(self._sockets.limits.operation_timeout)
        self._caller = await tokens.caller([authorization])
        self._acknowledge()

    def _acknowledge(self) -> None:
        refusal = self._caller.refusal
        if refusal is None:
            self._acknowledged = True
            self.tell("connection_ack")
        elif isinstance(refusal, Unavailable):
            self.close(CloseCode.TRY_AGAIN_LATER, _reason(refusal.detail))
        else:
            self.close(4403, _reason(refusal.detail))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.state.tasks.add(task)
        task.add_done_callback(self.state.tasks.discard)
        return task

    # -- operations --------------------------------------------------------------------------------------------

    def _subscribe(self, name: str, payload: dict[str, Any] | None) -> None:
        if not self._acknowledged:
            self.close(4401, "Unauthorized")
            return
        if name in self._operations:
            self.close(4409, _reason(f"Subscriber for {name} already exists"))
            return
        asked = GraphQLRequest.of(payload)
        operation = _Operation(self, name)
        if len(self._operations) >= MAX_OPERATIONS:
            extensions = {"code": "LIMIT_EXCEEDED", "limit": "MAX_OPERATIONS", "allowed": MAX_OPERATIONS}
            message = f"esta conexão já tem {MAX_OPERATIONS} operações abertas, que é o máximo"
            operation.refuse([{"message": message, "extensions": extensions}])
        elif not self.begin_work():
            operation.refuse([refusal_error(Busy("há trabalho demais agora; tente de novo em instantes"))])
        else:
            self._operations[name] = operation
            operation.task = self._start(self._run(operation, asked))
            # not in the task itself: one that is cancelled before its first step runs none of its code
            operation.task.add_done_callback(lambda _: self.end_work())

    async def _run(self, operation: _Operation, asked: GraphQLRequest) -> None:
        began, more, status = time.perf_counter(), dict[str, str](), 200
        ends_at = deadline.compute(self._sockets.limits.operation_timeout)
        trace, arrived = trace_context.read({}), time.monotonic()
        recording = self._tracer.begin(trace) if self._tracer else None
        context.enter(context.RequestContext(trace, ends_at, self._caller))
        account = Account(self._sockets.operations.rates, {"client": self._client})
        try:
            errors = await self._execute(operation, asked, account, began, more)
        except RequestError as failure:
            errors = [formatted(error) for error in failure.errors]
        except Refusal as refusal:
            refusal = await account.charge_refusal(refusal)
            errors, status = [refusal_error(refusal)], refusal.status
        except asyncio.CancelledError:  # the client has gone, or wants no answer any more
            status = 499
            raise
        except Exception:
            log.exception("unhandled exception", extra=more)
            errors, status = [refusal_error(broken())], 500
        finally:
            operation.task = None
            if self._tracer and recording:
                self._tracer.end(trace, recording, SPAN, status, str, began=arrived, answered=time.monotonic())
            access(
                "WEBSOCKET",
                "/graphql",
                status,
                time.perf_counter() - began,
                self._client[0] if self._client else "",
                more,
            )
        if errors:
            metrics.record_refusal(began)
            self._operations.pop(operation.name, None)
            operation.refuse(errors)

    async def _execute(
        self, operation: _Operation, asked: GraphQLRequest, account: Account, began: float, logged: dict[str, str]
    ) -> list[dict[str, Any]]:
        """Opens the subscription, or answers with the result. Returns the errors of a request of which nothing was
        executed. Raises RequestError, Refusal."""
        sockets = self._sockets
        document, node = await sockets.operations.find(asked, account)
        traces.name_span(node)
        logged["operation"] = metrics.name_of(node)
        if is_subscription(node):
            opened = sockets.subscriptions.open(
                document, node, asked.variables, operation, account=account, client=self._program
            )
            operation.subscription = await opened
            return []
        read_after = parse_positions(asked.read_after, sockets.operations.remotes) if asked.read_after else NO_POSITIONS
        answer = await sockets.operations.run(
            *(document, node, asked, account, began),
            client=self._program,
            shows_writes=True,
            read_after=read_after,
        )
        if not answer.executed:
            return orjson.loads(answer.content)["errors"]
        self._operations.pop(operation.name, None)
        operation.next(answer.content)
        operation.complete()
        return []

    def ended(self, operation: _Operation, errors: bytes | None, cursor: str) -> None:
        """A subscription is over. Ends that a new connection mends close the socket, since client libraries then
        connect again by themselves; the ping before that says how far each subscription was."""
        self._operations.pop(operation.name, None)
        code = None if errors is None else code_of_end(errors)
        if errors is None:
            operation.complete()
        elif self.state.draining or code == "UNAUTHENTICATED":
            cursors = {one.name: one.subscription.cursor for one in self._operations.values() if one.subscription}
            self.tell("ping", payload={"cursors": cursors | {operation.name: cursor}})
            if code == "UNAUTHENTICATED":
                self.close(4403, "o token expirou")
            else:
                super().drain()
        else:
            operation.refuse(orjson.Fragment(errors))


class _Operation:
    """One operation of a socket: the sink of its subscription, or the task that answers it."""

    __slots__ = ("_begin", "_socket", "name", "subscription", "task")

    def __init__(self, socket: GraphQLSocket, name: str) -> None:
        self._socket, self.name = socket, name
        # a copy, since orjson's own result keeps its buffer of 4 kB
        self._begin = b'{"id":%b,"type":"next","payload":' % orjson.dumps(name)
        self.task: asyncio.Task[None] | None = None
        self.subscription: OpenSubscription | None = None

    def next(self, result: bytes) -> None:
        self._socket.send(b"%b%b}" % (self._begin, result))

    def complete(self) -> None:
        self._socket.tell("complete", id=self.name)

    def refuse(self, errors: Any) -> None:
        self._socket.tell("error", id=self.name, payload=errors)

    def cancel(self) -> None:
        """Nobody waits for its results any more."""
        if self.task:
            self.task.cancel()
        if self.subscription:
            self.subscription.close()

    # -- the subscription's calls ------------------------------------------------------------------------------

    def send(self, batch: EventBatch) -> None:
        # Only the id differs from client to client, and most ids have the same length.
        between = batch.written.get(len(self._begin))
        if between is None:
            between = batch.written[len(self._begin)] = _frames(batch, len(self._begin))
        self._socket.send_frames(self._begin.join(between))

    def end(self, errors: bytes | None, cursor: str) -> None:
        self.subscription = None
        self._socket.ended(self, errors, cursor)

    def unsent(self) -> int:
        return self._socket.unread_bytes


def _frames(batch: EventBatch, begin: int) -> list[bytes]:
    """The frames of these events, taken apart where the beginning of each message belongs, which has `begin` bytes."""
    heads = [head_of_frame(begin + len(event.text) + 1) for event in batch.events]
    ends = [event.text + b"}" for event in batch.events]
    return [heads[0], *map(bytes.__add__, ends, heads[1:]), ends[-1]]


def _id(message: dict[str, Any]) -> str:
    """The id of an operation, which its client has chosen. Raises Malformed."""
    name = message.get("id")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_ID_LENGTH:
        raise Malformed(f"id deve ser um texto de 1 a {MAX_ID_LENGTH} caracteres")
    return name


def _program(name: str) -> str:
    """A name that is kept once for all sockets of the same program."""
    return sys.intern(name[:LONGEST_NAME])


def _reason(text: str) -> str:
    """`text`, as long as the reason of a close may be."""
    return text.encode()[:MAX_REASON_BYTES].decode(errors="ignore")
