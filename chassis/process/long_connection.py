"""What a connection becomes when its request opens something that stays open: a WebSocket, or a stream of events.

The connection of `chassis.process.connection` and the task of its request would take 20 kB for as long as the client
listens. So the application hands the socket over to a `LongConnection`, which has neither a task, nor a queue, nor a
timer: data that is ready is written to the socket at once, and `sweep` calls `check_deadlines` once a second. What one
peer may take of this process is counted as before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING

from chassis import write_batch

if TYPE_CHECKING:
    from chassis.process.peers import ConnectionsState, Peer

BEAT_SECONDS = 15.0
"""Seconds after which something is sent, so that proxies keep the connection and each side notices when it is dead."""


class LongConnection(asyncio.Protocol):
    """The base of what a request may hand its socket over to.

    The answer to the request is the ASGI message `http.response.start` with the member `successor`. The server writes
    the head of that answer, and calls `opened`.
    """

    __slots__ = ("_read_deadline", "beat_at", "peer", "state", "transport")
    transport: asyncio.Transport
    state: ConnectionsState
    peer: Peer
    receive_deadline = inf
    """Others are evicted before this one."""
    idle = False
    """A drain leaves it to `drain` to close this connection."""

    @property
    def buffered_bytes(self) -> int:
        """Bytes of a message that is still arriving."""
        return 0

    @property
    def at_drain(self) -> Callable[[], None] | None:
        """What a drain calls, once for all connections that give the same."""
        return None

    def hand_over(self, transport: asyncio.Transport, state: ConnectionsState, peer: Peer) -> None:
        """The server calls this when the head of the answer has been written."""
        self.transport, self.state, self.peer = transport, state, peer
        self._read_deadline = inf
        self.beat_at = asyncio.get_running_loop().time() + BEAT_SECONDS
        if at_drain := self.at_drain:
            state.call_at_drain(at_drain)
        state.connections.add(self)
        transport.set_protocol(self)
        self.opened()
        if state.draining:
            self.drain()

    def begin_work(self) -> bool:
        """Counts one more request of this connection that is worked on. False if there are too many; otherwise
        `end_work` must be called."""
        if self.state.overloaded(self.peer, b""):
            return False
        self.state.active_requests += 1
        self.peer.active_requests += 1
        return True

    def end_work(self) -> None:
        """What `begin_work` has counted is done."""
        self.state.active_requests -= 1
        self.peer.active_requests -= 1
        self.state.forget_if_gone(self.peer)

    def opened(self) -> None:
        """The socket is ours now."""

    def beat(self, now: float) -> None:
        """Nothing has been sent for `BEAT_SECONDS`."""
        raise NotImplementedError

    def drain(self) -> None:
        """This process ends: closes the connection, if nothing that is still open on it will."""
        raise NotImplementedError

    def closed(self) -> None:
        """The connection has ended."""
        raise NotImplementedError

    # -- what the server's other parts need --------------------------------------------------------------------

    @property
    def unread_bytes(self) -> int:
        """Bytes that the peer has not read yet."""
        return self.transport.get_write_buffer_size()

    @property
    def evictable(self) -> bool:
        """Whether it may be closed for another peer's connection: its client can go on where it was."""
        return not self.transport.is_closing()

    def check_deadlines(self, now: float) -> None:
        """Cuts the peer off when it has not read for too long."""
        if now > self._read_deadline:
            self.transport.abort()
        elif self.transport.is_closing():
            self._read_deadline = min(self._read_deadline, now + self.state.peer_timeout)
        elif now > self.beat_at:
            self.beat_at = now + BEAT_SECONDS
            self.beat(now)

    def refuse_arriving(self) -> None:
        """There is no memory for the message that is arriving."""
        raise NotImplementedError

    def evict(self) -> None:
        """Closes the connection to make room for another peer's."""
        self.finish()

    def abort(self) -> None:
        """Closes the connection at once."""
        self.transport.abort()

    def write(self, data: bytes) -> None:
        """Sends `data`, if the connection is still open."""
        if not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Closes the connection when the peer has read the rest."""
        write_batch.flush()
        self.transport.close()

    # -- the transport's calls ---------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        self.state.connections.discard(self)
        self.state.disconnected(self.peer)
        self.closed()

    def pause_writing(self) -> None:
        self._read_deadline = asyncio.get_running_loop().time() + self.state.peer_timeout

    def resume_writing(self) -> None:
        self._read_deadline = inf
