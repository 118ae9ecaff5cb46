"""What the connections of one process share, and who of their peers has how much of it.

A peer is a network, as `chassis.request.addresses` counts. Where there is no room, whoever has most gives way.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Protocol, cast

from uvicorn.server import ServerState

from chassis.request.addresses import network
from chassis.settings import ServerSettings
from chassis.web.hosts import AllowedHosts
from chassis.web.middleware import MONITORING_PATHS

NEVER_REFUSED = tuple(path.encode() for path in MONITORING_PATHS)
"""Paths that are answered under overload too: whoever watches this process must see it."""


class Peer:
    """What one peer has of this process; known for as long as it has a connection or a request at work."""

    __slots__ = ("active_requests", "arriving_bytes", "connections", "network")

    def __init__(self, network: str) -> None:
        self.network = network
        self.connections = 0
        self.active_requests = 0
        """Requests at work."""
        self.arriving_bytes = 0
        """What is held of bodies whose requests are not at work yet."""


class PeerConnection(Protocol):
    """A connection, as far as what is shared must know it."""

    peer: Peer
    receive_deadline: float
    """When its peer must have sent what we wait for, on the event loop's clock."""
    buffered_bytes: int
    """Bytes of bodies whose requests are not at work yet."""

    @property
    def evictable(self) -> bool:
        """Whether it can be ended without taking an answer from its peer."""
        ...

    @property
    def unread_bytes(self) -> int:
        """Bytes that the peer has yet to read."""
        ...

    def check_deadlines(self, now: float) -> None:
        """Cuts the peer off when it is late."""

    def refuse_arriving(self) -> None:
        """Refuses what is arriving: there is no room for it."""

    def evict(self) -> None:
        """Ends the connection, for another peer's."""

    def abort(self) -> None:
        """Cuts it off at once."""


class ConnectionsState(ServerState):
    """What the connections of one process share."""

    connections: set[Any]

    def __init__(self, settings: ServerSettings, *, peer_timeout: float = 10.0, idle_timeout: float = 75.0) -> None:
        super().__init__()
        self.settings = settings
        self.hosts = AllowedHosts(settings.allowed_hosts)
        self.peer_timeout = peer_timeout
        """Seconds for whatever a peer owes us."""
        self.idle_timeout = idle_timeout
        """Seconds that a connection may rest between two requests."""
        self.draining = False
        self.peers: dict[str, Peer] = {}
        self.active_requests = 0
        """Requests at work."""
        self.arriving_bytes = 0
        """What is held of bodies whose requests are not at work yet."""
        self.refused: Counter[int] = Counter()
        """Requests and connections refused here, by status."""
        self._max_active, self._max_active_of_peer = settings.max_concurrency, settings.max_concurrency_of_peer

    def connected(self, address: str) -> Peer:
        """The peer at `address`, which has one connection more."""
        name = network(address)
        peer = self.peers.get(name)
        if peer is None:
            peer = self.peers[name] = Peer(name)
        peer.connections += 1
        return peer

    def disconnected(self, peer: Peer) -> None:
        """It has one connection less."""
        peer.connections -= 1
        self.forget_if_gone(peer)

    def forget_if_gone(self, peer: Peer) -> None:
        """Forgets a peer who has nothing here any more."""
        if not peer.connections and not peer.active_requests:
            self.peers.pop(peer.network, None)

    def overloaded(self, peer: Peer, target: bytes) -> bool:
        """Whether one more request is too many: for this process, or of this peer, who would starve the others."""
        full = self.active_requests >= self._max_active or peer.active_requests >= self._max_active_of_peer
        return full and not target.startswith(NEVER_REFUSED)

    def free_body_memory(self) -> None:
        """Turns bodies away that are arriving until the others have room: the longest of the peer who sends most."""
        while self.arriving_bytes > self.settings.max_arriving_bytes:
            largest = max(self.peers.values(), key=lambda one: one.arriving_bytes)
            max(self._of(largest), key=lambda one: one.buffered_bytes).refuse_arriving()

    def make_room_for(self, newcomer: Peer) -> bool:
        """Ends the connection that has been idle for longest, or whose request is longest on its way, of the peer who
        has most connections; unless the newcomer has as many. Whether that made a place."""
        largest = max(self.peers.values(), key=lambda one: one.connections)
        candidates = [one for one in self._of(largest) if one.evictable]
        if largest.connections <= newcomer.connections or not candidates:
            return False
        min(candidates, key=lambda one: one.receive_deadline).evict()
        return True

    def sweep(self, now: float) -> None:
        """Cuts off every connection whose peer is late; and of those who leave most unread, where that is too much."""
        unread = Counter[str]()
        connections = cast("list[PeerConnection]", list(self.connections))
        for connection in connections:
            connection.check_deadlines(now)
            unread[connection.peer.network] += connection.unread_bytes
        while unread.total() > self.settings.max_unread_bytes:
            [(largest, _)] = unread.most_common(1)
            longest = max((one for one in connections if one.peer.network == largest), key=lambda one: one.unread_bytes)
            unread[largest] -= longest.unread_bytes
            connections.remove(longest)
            longest.abort()

    def _of(self, peer: Peer) -> list[PeerConnection]:
        return [one for one in cast("set[PeerConnection]", self.connections) if one.peer is peer]
