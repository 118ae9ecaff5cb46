"""One HTTP/1.1 connection: uvicorn's on httptools, with limits on what a peer may do to this process.

A *cycle* is uvicorn's object for one request and its response. uvicorn waits for ever for a slow or silent peer, queues
pipelined requests without a limit, and lets a request run on after its client has hung up. Here

- a peer has ten seconds to send a request's head, to send its body, or to read its answer; after that it is cut off;
- heads, pipelines and connections are bounded, in total and for one address (an IPv6 /64 counts as one address). When
  connections, memory for arriving bodies or memory for unread answers run out, the peer who uses most loses some;
- a request for another host name is refused (`hosts.py`). This is done here, before any work, since only here the
  target is known exactly as it came; and so it is done once for all processes and paths, also health and metrics;
- a request that is refused before it reaches the application gets `application/problem+json` too, from bytes that were
  prepared (`refusals.py`);
- a request whose client hangs up is cancelled, and so are its calls to neighbours;
- what stays open, a WebSocket or a stream of events, is handed over to a smaller object (`long_connection.py`);
- when a limit of active requests is reached, in total or for one address, a further request is refused at once, since
  it would only make the others late. A request is active from the arrival of its last byte until its answer begins. So
  nobody can take a slot by sending only a head, nor by not reading an answer. Requests that are still arriving have
  limits of their own, in time and in bytes.

`ConnectionsState.sweep` runs once a second and looks for peers that are late: a timer for each request would cost more
than everything else here.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from math import inf
from typing import Any, NoReturn

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from chassis import write_batch
from chassis.errors import Unavailable
from chassis.observe.metrics import REFUSED, REFUSED_BY_OVERLOAD
from chassis.process.long_connection import LongConnection
from chassis.process.peers import ConnectionsState
from chassis.process.refusals import (
    ANSWERED,
    DRAINING,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_TARGET_BYTES,
    OVERLOAD,
    OVERLOAD_AND_CLOSE,
    OVERLOADED,
    REFUSALS,
    with_headers,
)
from chassis.process.response import ResponseWriter
from chassis.web.hosts import ABSOLUTE

log = logging.getLogger("http")

MAX_PIPELINED = 16
MAX_PARSED_BYTES = 16 * 1024
"""How much is parsed at once."""


class _ArrivingRequest:
    """A request whose body is still arriving. It is not active yet: the application may refuse it by its head, and
    otherwise waits."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self.cycle = cycle
        self.refused = False

    async def receive(self) -> Any:
        """The next message. Raises Unavailable when the request is complete but may not become active."""
        message = await self.cycle.receive()
        if self.refused:
            raise Unavailable(OVERLOADED)
        return message


class _StopParsing(Exception):
    """Raised in the parser's callbacks to stop parsing after a refusal."""


class HttpConnection(HttpToolsProtocol):
    """One connection. `state` is shared by all connections of the process."""

    parser: httptools.HttpRequestParser
    app: Any

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        assert isinstance(server_state, ConnectionsState)
        self.state = server_state
        self.receive_deadline = inf  # when the peer must have sent what we wait for
        self._read_deadline = inf  # when the peer must have read what we sent
        self.receiving = False  # part of a request has arrived, and it is not complete
        self._overhead_bytes = 0  # bytes of the arriving request that are not its body
        self._unwanted_bytes = 0  # bytes of a body that arrive after the answer
        self._ignores_input = False  # whatever still arrives is ignored
        self._task: asyncio.Task[None] | None = None
        self._running_cycle: RequestResponseCycle | None = (
            None  # the base class's `cycle` is the newest request, which is another one when requests are pipelined
        )
        # the head of the next request to run is complete; it starts when the current piece has been parsed
        self._start_pending = False
        self._is_active = False  # the running request is active
        self._arriving: _ArrivingRequest | None = None  # the running request, while its body still arrives
        self._handed_over = False  # the socket belongs to a `LongConnection`
        self.buffered_bytes = 0
        """Bytes of bodies whose requests are not active yet, including those that wait in the pipeline."""

    @property
    def _busy(self) -> bool:
        return self._running_cycle is not None and not self._running_cycle.response_complete

    @property
    def idle(self) -> bool:
        """Whether no request is arriving or running."""
        return not self._busy and not self.receiving

    @property
    def unread_bytes(self) -> int:
        """Bytes of answers that the peer has not read yet."""
        return self.transport.get_write_buffer_size()

    @property
    def evictable(self) -> bool:
        """Whether the connection can be closed without losing an answer."""
        return not self._busy and not self.unread_bytes and not self.transport.is_closing()

    # -- the transport's calls ---------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(transport)
        self.receive_deadline = self.loop.time() + self.state.peer_timeout
        self._address = self.client[0] if self.client else ""
        self.peer = self.state.connected(self._address)
        limit = self.state.settings.max_connections
        full = len(self.connections) > limit
        if self.peer.connections > limit // 2 or (full and not self.state.make_room_for(self.peer)):
            self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._subtract_buffered(self.buffered_bytes)
        self._cancel()
        self.state.disconnected(self.peer)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._read_deadline = self.loop.time() + self.state.peer_timeout

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_deadline = inf

    def data_received(self, data: bytes) -> None:
        if self._ignores_input:
            return
        # Long data is parsed in pieces. The piece in which a request begins may also hold the end of another one, so
        # none of it counts as overhead: `on_message_begin` sets the count to 0.
        for piece in (
            (data,)
            if len(data) <= MAX_PARSED_BYTES
            else (data[at : at + MAX_PARSED_BYTES] for at in range(0, len(data), MAX_PARSED_BYTES))
        ):
            self._overhead_bytes += len(piece)
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade:
                pass  # RFC 9110, 7.8: the application may ignore Upgrade, and answer the request in HTTP/1.1
            except httptools.HttpParserError:
                if not self._ignores_input:
                    self._refuse(400)
                return
            # A head, trailers or chunks that have no end.
            if self.receiving and self._overhead_bytes > MAX_HEAD_BYTES + min(len(self.url), MAX_TARGET_BYTES):
                self._refuse(414 if len(self.url) > MAX_TARGET_BYTES else 431)
                return
        if self._start_pending:
            self._start_pending = False
            self._start_arriving(self.cycle)
            self._add_buffered(len(self.cycle.body))

    def check_deadlines(self, now: float) -> None:
        """Cuts the peer off when it has missed a deadline."""
        if now > self._read_deadline:
            self.transport.abort()
        elif self.transport.is_closing():  # closing, once the peer has read the rest
            self._read_deadline = min(self._read_deadline, now + self.state.peer_timeout)
        elif self.flow.read_paused:  # we have stopped reading, so the peer cannot be late
            self.receive_deadline = max(self.receive_deadline, now + self.state.peer_timeout)
        elif now > self.receive_deadline:
            if self.receiving:
                self._refuse(408)
            else:
                write_batch.flush()
                self.transport.close()

    # -- the parser's calls ------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.receiving = True
        self._overhead_bytes = self._unwanted_bytes = 0
        self.receive_deadline = self.loop.time() + self.state.peer_timeout

    def on_headers_complete(self) -> None:
        self.receive_deadline = self.loop.time() + self.state.peer_timeout
        if len(self.url) > MAX_TARGET_BYTES:
            self._refuse_and_stop(414)
        head = sum([len(name) + len(value) + 4 for name, value in self.headers])
        if len(self.headers) > MAX_HEADERS or head > MAX_HEAD_BYTES:
            self._refuse_and_stop(431)
        self._require_allowed_host()
        if len(self.pipeline) >= MAX_PIPELINED:
            self._refuse_and_stop(503)
        if not self._busy:
            if self.state.draining and self.url.startswith(b"/health/ready"):
                self._refuse_request(DRAINING, DRAINING)
                return
            if self.state.overloaded(self.peer, self.url):
                self._refuse_request(OVERLOAD, OVERLOAD_AND_CLOSE)
                return
        self.scope["arrived"] = time.monotonic()  # type: ignore[typeddict-unknown-key]  # for `chassis.web.middleware`
        super().on_headers_complete()
        # trailers are added here later; they must not replace the headers that were checked (RFC 9110, 6.5.1)
        self.headers = []
        if self.state.draining:
            self.cycle.keep_alive = False

    def _require_allowed_host(self) -> None:
        """Refuses a request for a host that is not ours, or without a valid Host (RFC 9112, 3.2)."""
        hosts = [value for name, value in self.headers if name == b"host"]
        if len(hosts) != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            self._refuse_and_stop(400)
        if not self.url.startswith(b"/"):
            absolute = ABSOLUTE.match(self.url)
            if absolute is None:
                self._refuse_and_stop(400)
            # The host in an absolute target counts, and the `Host` header does not. From here on the request is like
            # one whose target has no host.
            hosts = [absolute[1]]
            self.headers[:] = [(b"host", absolute[1]), *(field for field in self.headers if field[0] != b"host")]
            path = self.url[absolute.end() :]
            self.url = path if path.startswith(b"/") else b"/" + path
        if hosts and (status := self.state.hosts.refusal_status(hosts[0])):
            self._refuse_and_stop(status, host=hosts[0][:255].decode("latin-1"))

    def on_body(self, body: bytes) -> None:
        # The body itself is no overhead, and as many bytes again are allowed for the sizes of its chunks. A body in
        # tiny chunks exceeds that, and is then refused like an endless head.
        self._overhead_bytes -= 2 * len(body)
        if self.cycle.response_complete:
            self._unwanted_bytes += len(body)
            if self._unwanted_bytes > self.state.settings.max_body_bytes:
                self._refuse_and_stop(413)
        super().on_body(body)
        if not self._start_pending and not self.cycle.response_complete:
            self._add_buffered(len(body))
            if self._ignores_input:
                raise _StopParsing

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.receiving = False
        if self._start_pending:  # the usual case: the whole request came at once
            self._start_pending = False
            self._start(self.cycle)
        elif self._arriving is not None:
            self._subtract_buffered(self.buffered_bytes)
            self._finish_arriving()
        # the peer need not send anything before it has its answer
        self.receive_deadline = self.loop.time() + self.state.idle_timeout if self.cycle.response_complete else inf

    def on_response_complete(self) -> None:
        """Replaces uvicorn's method, which starts a timer."""
        self.state.total_requests += 1
        if self._is_active:
            self._deactivate()
        if self._arriving is not None:  # it was answered before its body had arrived
            self._arriving = None
            self._subtract_buffered(self.buffered_bytes)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_next(self.pipeline.pop()[0])
        elif not self.receiving:
            self.receive_deadline = self.loop.time() + self.state.idle_timeout

    # -- work --------------------------------------------------------------------------------------------------

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Replaces uvicorn's method, which starts the application as soon as the head is complete."""
        self._start_pending = True

    def _start_next(self, cycle: RequestResponseCycle) -> None:
        """Starts the next request of the pipeline."""
        if cycle.more_body:
            self._start_arriving(cycle)
            return
        self._subtract_buffered(len(cycle.body))
        if self.state.overloaded(self.peer, cycle.scope["raw_path"]):
            self._start_arriving(cycle)
            self._finish_arriving()
        else:
            self._start(cycle)

    def _start(self, cycle: RequestResponseCycle) -> None:
        """Makes a complete request active, and runs it."""
        self._activate()
        self._run(cycle, cycle.receive)

    def _start_arriving(self, cycle: RequestResponseCycle) -> None:
        """Runs a request before its body is complete, so that it can be refused by its head. It is not active yet."""
        cycle.scope["arriving"] = True  # type: ignore[typeddict-unknown-key]  # for `chassis.web.application`
        self._arriving = _ArrivingRequest(cycle)
        self._run(cycle, self._arriving.receive)

    def _finish_arriving(self) -> None:
        """The body is complete: makes the request active, or lets its application refuse it."""
        arriving, self._arriving = self._arriving, None
        if arriving is None:
            return
        if self.state.overloaded(self.peer, arriving.cycle.scope["raw_path"]):
            arriving.refused = True
        else:
            self._activate()

    def _run(self, cycle: RequestResponseCycle, receive: Callable[[], Awaitable[Any]]) -> None:
        """Runs the application in a task. A cancellation of this task is not logged as an error."""

        async def run_app(scope: Any, _receive: Any, _send: Any) -> None:
            try:
                await self.app(scope, receive, ResponseWriter(cycle, self._deactivate, self._hand_over).send)
            except asyncio.CancelledError:  # the client has hung up
                return
            except BaseException:
                write_batch.flush()  # uvicorn closes the connection; earlier answers must leave before that
                raise

        cycle.scope["begin_waiting"] = self._begin_waiting  # type: ignore[typeddict-unknown-key]  # for `chassis.feed`
        self._running_cycle = cycle
        self._task = self.loop.create_task(cycle.run_asgi(run_app))
        self._task.add_done_callback(self._task_done)
        self.tasks.add(self._task)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if self._is_active and task is self._task:
            self._deactivate()
        if self._handed_over:
            # The parser, the cycle and this object refer to one another. Without this they would stay in memory until
            # the garbage collector's next full run, and those are rare in this process.
            self.__dict__.clear()

    def _hand_over(self, successor: LongConnection, head: bytes | None) -> None:
        """Writes the head of the running request's answer, and gives the socket to `successor`."""
        if head is None:
            raise RuntimeError("a header of the answer has a line break")
        cycle = self._running_cycle
        assert cycle
        if cycle.disconnected or self.transport.is_closing():
            return
        cycle.response_started = cycle.response_complete = self._handed_over = True
        self.state.total_requests += 1
        self._subtract_buffered(self.buffered_bytes)
        self.connections.discard(self)
        self.flow.resume_reading()
        write_batch.flush()
        self.transport.write(head + b"\r\n")
        successor.hand_over(self.transport, self.state, self.peer)

    def _activate(self) -> None:
        self._is_active = True
        self.state.active_requests += 1
        self.peer.active_requests += 1

    def _deactivate(self) -> None:
        """The running request is active no longer. How fast its answer is read does not matter for this limit."""
        if self._is_active:
            self._is_active = False
            self.state.active_requests -= 1
            self.peer.active_requests -= 1
            if not self.peer.connections:
                self.state.forget_if_gone(self.peer)

    def _begin_waiting(self, at_drain: Callable[[], None]) -> None:
        """The running request waits for something to happen, and nobody works on it: from now on it is active no
        longer. A drain calls `at_drain`, which must end its waiting."""
        self._deactivate()
        self.state.call_at_drain(at_drain)

    def _add_buffered(self, size: int) -> None:
        self.buffered_bytes += size
        self.state.arriving_bytes += size
        self.peer.arriving_bytes += size
        self.state.free_body_memory()

    def _subtract_buffered(self, size: int) -> None:
        self.buffered_bytes -= size
        self.state.arriving_bytes -= size
        self.peer.arriving_bytes -= size

    # -- refusing ----------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Makes the running answer the last one of this connection, unless its head has been sent already or further
        requests wait in the pipeline."""
        if self._running_cycle and self._busy and not self._running_cycle.response_started and not self.pipeline:
            self._running_cycle.keep_alive = False

    def refuse_arriving(self) -> None:
        """Refuses the arriving request, since there is no memory for its body."""
        self._subtract_buffered(self.buffered_bytes)
        if self._arriving is not None:
            self._refuse(503, OVERLOAD_AND_CLOSE)
        else:  # it waits in a pipeline, and may not be answered before the requests in front of it
            self._ignores_input = True
            self.transport.abort()

    def abort(self) -> None:
        """Closes the connection at once."""
        self.transport.abort()

    def evict(self) -> None:
        """Closes this evictable connection to make room for another peer's."""
        if self.receiving:
            self._refuse(503)
        else:
            write_batch.flush()
            self.transport.close()

    def _cancel(self) -> None:
        """Cancels the running request, since nobody waits for its answer."""
        if self._running_cycle and self._task and self._busy:
            self._running_cycle.disconnected = True
            self._task.cancel()

    def _refuse_request(self, answer: bytes, closing: bytes) -> None:
        """Refuses the request whose head has just arrived, without running the application, which would cost ten times
        as much. `answer` leaves the connection open if the request allows that, and `closing` does not."""
        REFUSED_BY_OVERLOAD.value += 1
        write_batch.flush()  # answers come in the order of their requests
        if self.flow.write_paused:  # the peer sends requests without reading answers
            self._ignores_input = True
            self.transport.abort()
            raise _StopParsing
        self.cycle = ANSWERED
        if answer is not closing and self.parser.should_keep_alive() and self.parser.get_method() != b"HEAD":
            self._write_refusal(answer)
            return
        self._ignores_input = True
        self._write_refusal(closing)
        self.transport.close()

    def _refuse_and_stop(self, status: int, **log_fields: str) -> NoReturn:
        self._refuse(status, b"", **log_fields)
        raise _StopParsing

    def _refuse(self, status: int, answer: bytes = b"", **log_fields: str) -> None:
        """Refuses the newest request and ends the connection. While requests in front of it are not answered yet, no
        refusal can be sent, since answers come in the order of their requests: the connection then ends after theirs,
        without an answer to this one."""
        self._ignores_input = True
        REFUSED.labels(str(status)).value += 1
        write_batch.flush()
        log.info("refused", extra={"status": status, "peer": self._address, **log_fields})
        if self._running_cycle and self._busy:
            if self.pipeline and self.pipeline[0][0].more_body:
                self.pipeline.popleft()  # the newest request, which will never be complete
            if self.receiving and self.cycle is self._running_cycle and self.cycle.more_body:
                # the newest request is the running one, and its body is still arriving
                if self._running_cycle.response_started:
                    self.transport.abort()
                    return
                self._cancel()
            else:  # others are in front of it, and the last of them ends the connection
                newest = self.pipeline[0][0] if self.pipeline else self._running_cycle
                newest.keep_alive = False
                return
        self._write_refusal(answer or REFUSALS[status])
        self.transport.close()

    def _write_refusal(self, answer: bytes) -> None:
        """Writes a prepared answer with the headers that all answers have: the date, which the server renews each
        second."""
        self.transport.write(with_headers(answer, self.server_state.default_headers))
