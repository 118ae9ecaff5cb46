"""What the connections of one process share, and how much of it each peer uses.

A peer is a network, as `chassis.request.addresses` defines it. When a resource runs out, the peer who uses most of it
loses some.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf
from typing import Any, Protocol, cast

from uvicorn.server import ServerState

from chassis.request.addresses import network
from chassis.settings import ServerSettings
from chassis.web.hosts import AllowedHosts
from chassis.web.middleware import MONITORING_PATHS

NEVER_REFUSED = tuple(path.encode() for path in MONITORING_PATHS)
"""Paths that are answered under overload too, so that monitoring can still see this process."""


class Peer:
    """What one peer uses of this process. It is kept as long as the peer has a connection or an active request."""

    __slots__ = ("active_requests", "arriving_bytes", "connections", "network")

    def __init__(self, network: str) -> None:
        self.network = network
        self.connections = 0
        self.active_requests = 0
        """Requests that the application is working on."""
        self.arriving_bytes = 0
        """Bytes of bodies whose requests are not active yet."""


class PeerConnection(Protocol):
    """What ConnectionsState needs of a connection."""

    peer: Peer
    receive_deadline: float
    """When its peer must have sent what we wait for, on the event loop's clock."""
    buffered_bytes: int
    """Bytes of bodies whose requests are not active yet."""

    @property
    def evictable(self) -> bool:
        """Whether the connection can be closed without losing an answer."""
        ...

    @property
    def unread_bytes(self) -> int:
        """Bytes of answers that the peer has not read yet."""
        ...

    def check_deadlines(self, now: float) -> None:
        """Cuts the peer off when it has missed a deadline."""

    def refuse_arriving(self) -> None:
        """Refuses the arriving request, since there is no memory for its body."""

    def evict(self) -> None:
        """Closes the connection to make room for another peer's."""

    def abort(self) -> None:
        """Closes the connection at once."""


class ConnectionsState(ServerState):
    """What all connections of one process have in common: limits, peers and totals."""

    connections: set[Any]

    def __init__(self, settings: ServerSettings, *, peer_timeout: float = 10.0, idle_timeout: float = 75.0) -> None:
        super().__init__()
        self.settings = settings
        self.hosts = AllowedHosts(settings.allowed_hosts)
        self.peer_timeout = peer_timeout
        """Seconds that a peer has to send what we wait for, or to read what we send."""
        self.idle_timeout = idle_timeout
        """Seconds that a connection may be idle between two requests."""
        self.draining = False
        self.at_drain = set[Callable[[], None]]()
        """What ends the requests that wait for something to happen."""
        self.peers: dict[str, Peer] = {}
        self.active_requests = 0
        """Requests that the application is working on."""
        self.arriving_bytes = 0
        """Bytes of bodies whose requests are not active yet."""
        self._max_active, self._max_active_of_peer = settings.max_concurrency, settings.max_concurrency_of_peer

    def connected(self, address: str) -> Peer:
        """Counts one more connection of the peer at `address`, and returns the peer."""
        name = network(address)
        peer = self.peers.get(name)
        if peer is None:
            peer = self.peers[name] = Peer(name)
        peer.connections += 1
        return peer

    def disconnected(self, peer: Peer) -> None:
        """Counts one connection less of `peer`."""
        peer.connections -= 1
        self.forget_if_gone(peer)

    def forget_if_gone(self, peer: Peer) -> None:
        """Forgets a peer who has neither connections nor active requests."""
        if not peer.connections and not peer.active_requests:
            self.peers.pop(peer.network, None)

    def call_at_drain(self, end_waiting: Callable[[], None]) -> None:
        """Calls `end_waiting` when this process drains, once however often it was passed; now if it drains already."""
        self.at_drain.add(end_waiting)
        if self.draining:
            end_waiting()

    def overloaded(self, peer: Peer, target: bytes) -> bool:
        """Whether one more request is too many: for this process, or for this peer, who would take too much from the
        others."""
        full = self.active_requests >= self._max_active or peer.active_requests >= self._max_active_of_peer
        return full and not target.startswith(NEVER_REFUSED)

    def free_body_memory(self) -> None:
        """Refuses arriving bodies until their memory is within its bound: each time the largest one of the peer who
        uses most."""
        while self.arriving_bytes > self.settings.max_arriving_bytes:
            largest = max(self.peers.values(), key=lambda one: one.arriving_bytes)
            max(self._connections_of(largest), key=lambda one: one.buffered_bytes).refuse_arriving()

    def make_room_for(self, newcomer: Peer) -> bool:
        """Evicts a connection of a peer who has more of them than the newcomer, and returns whether there was one that
        could be evicted. Of several it takes one of the peer who has most, and of his the one whose deadline comes
        first: it has been idle, or sending its request, for longest. What stays open, such as a stream of events, is
        evicted only where nothing else is. Peers whose connections are all at work do not protect those of others."""
        found, most = None, (False, 0, 0.0)
        for one in cast("set[PeerConnection]", self.connections):
            if one.peer.connections > newcomer.connections:
                rank = one.receive_deadline < inf, one.peer.connections, -one.receive_deadline
                if (found is None or rank > most) and one.evictable:
                    found, most = one, rank
        if found is None:
            return False
        found.evict()
        return True

    def sweep(self, now: float) -> None:
        """Cuts off every connection whose peer misses its deadline. When too many bytes wait to be read, also cuts off
        the connections of the peer who leaves most unread."""
        unread = Counter[str]()
        connections = cast("list[PeerConnection]", list(self.connections))
        for connection in connections:
            connection.check_deadlines(now)
            if waiting := connection.unread_bytes:
                unread[connection.peer.network] += waiting
        while unread.total() > self.settings.max_unread_bytes:
            [(largest, _)] = unread.most_common(1)
            longest = max((one for one in connections if one.peer.network == largest), key=lambda one: one.unread_bytes)
            unread[largest] -= longest.unread_bytes
            connections.remove(longest)
            longest.abort()

    def _connections_of(self, peer: Peer) -> list[PeerConnection]:
        return [one for one in cast("set[PeerConnection]", self.connections) if one.peer is peer]
