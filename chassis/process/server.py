"""uvicorn's server, with connections that enforce limits, and a shutdown that drops no request.

After SIGTERM the process drains. It accepts no new connection (another process may hold the same listening socket). It
answers the requests that are running, and also those that still arrive on open connections, with `Connection: close`.
After a grace period it closes idle connections. All of this takes at most ten seconds. Then the application closes what
it has open, such as its connections to PostgreSQL, within a few more.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import uvicorn

from chassis import write_batch
from chassis.observe.logs import output
from chassis.process.connection import HttpConnection
from chassis.process.peers import ConnectionsState
from chassis.settings import ServerSettings

log = logging.getLogger("server")

GRACE_SECONDS = 2.0
"""How long, while draining, a client may still send a request on an idle connection."""
DRAIN_SECONDS = 10.0
CLOSE_SECONDS = 5.0
"""How long the application may take to close what it has open. What it waits for then may never come."""
ACCEPTS_PER_TURN = 16
"""How many new connections are accepted in one turn of the event loop. libuv accepts one for each listening descriptor,
and a busy loop has 100 turns a second: without this, a new client would wait for seconds before it is even refused."""
BACKLOG = 2048
STALLED_SECONDS = 30.0
"""How long the kernel keeps bytes that a peer does not take, since its machine is gone, or since its program reads
nothing and the buffers in between are full. Then the kernel ends the connection. What waits in this process, which is
most of a long answer, has less time (`ConnectionsState.peer_timeout`)."""


def bind(settings: ServerSettings) -> list[socket.socket]:
    """Sockets bound to each address of HOST that this machine has, at least one; and on UNIX_SOCKET. The server listens
    on the addresses when it has started. Until then connections are refused, so that a balancer asks another."""
    bound: list[socket.socket] = []
    absent: OSError | None = None
    try:
        addresses = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in addresses):
            try:
                bound.append(_bound(family, address))
            except OSError as failure:
                if failure.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                absent = failure  # as with ::1 on a machine without IPv6, whose hosts file still names it
        if absent and not bound:
            raise absent
    except OSError as failure:
        raise SystemExit(f"{settings.host}:{settings.port} cannot be listened on: {failure.strerror}") from None
    if settings.unix_socket:
        bound.append(listen_at(settings.unix_socket))
    return bound


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    """What `socket.create_server` does, but for `listen`."""
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def listen_at(path: Path) -> socket.socket:
    """A Unix socket that listens at `path`. One that an earlier process has left there is replaced."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            if _is_abandoned(path):
                path.unlink()
        listening.bind(str(path))
        listening.listen(BACKLOG)
    except OSError as failure:
        listening.close()
        raise SystemExit(f"{path} cannot be listened on: {failure.strerror}") from None
    return listening


def _is_abandoned(path: Path) -> bool:
    """Whether there is a Unix socket at which nobody listens. Raises FileNotFoundError if there is nothing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.setblocking(False)  # a socket whose queue is full is in use
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            return path.is_socket()
        except BlockingIOError:
            return False
    return False


class Server(uvicorn.Server):
    """Serves the application that `app` makes (a callable, or its import path), as `settings` say. Calls `on_started`
    when it serves."""

    def __init__(
        self, app: str | Callable[[], Any], settings: ServerSettings, on_started: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                factory=True,
                loop="chassis.neighbours.resolver:ResolvingLoop",
                http=HttpConnection,
                ws="none",  # its connection would escape our limits; ours is in `websocket.py`
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(settings.forwarded_allow_ips),
                forwarded_allow_ips=settings.forwarded_allow_ips,
                workers=1,
                backlog=BACKLOG,
            )
        )
        self.state = self.server_state = ConnectionsState(settings)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        assert sockets
        for one in sockets:
            # All copies of a socket share its mode, in other processes too. Copying a blocking socket would set the
            # blocking mode again for a moment. Another process that accepts from this socket could then wait in
            # `accept` for the next client, and answer nobody meanwhile.
            one.setblocking(False)
            if sys.platform == "linux" and one.family != socket.AF_UNIX:
                # Connections inherit it. On other systems there is nothing like it.
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(STALLED_SECONDS * 1000))
        by_network = [one for one in sockets if one.family != socket.AF_UNIX]
        await super().startup([one.dup() for one in by_network for _ in range(ACCEPTS_PER_TURN)])
        for one in sockets:
            if one.family == socket.AF_UNIX:
                await self._serve_at(one)
        if "*" in self.state.settings.allowed_hosts:
            log.warning(
                "every host name is served, so web pages can call by DNS rebinding; set ALLOWED_HOSTS to our names"
            )
        self._on_started()

    async def _serve_at(self, listening: socket.socket) -> None:
        """Serves on a Unix socket, of which uvicorn knows only such that it has made itself."""
        loop = asyncio.get_running_loop()

        def connection() -> HttpConnection:
            return HttpConnection(self.config, self.state, self.lifespan.state)

        # its path belongs to whoever has made it, and perhaps to another process that serves on it
        keep: dict[str, Any] = {"cleanup_socket": False}
        for _ in range(ACCEPTS_PER_TURN):
            self.servers.append(await loop.create_unix_server(connection, sock=listening.dup(), **keep))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                output.flush()  # the signal's default action ends the process here, without running its exit handlers

    async def on_tick(self, counter: int) -> bool:
        if counter % 10 == 0:  # once a second
            self.state.sweep(asyncio.get_running_loop().time())
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Replaces uvicorn's method, which closes idle connections at once, even when a request is on its way."""
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()
        self.state.draining = True
        for connection in self._connections():
            connection.drain()
        for end_waiting in self.state.at_drain:
            end_waiting()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (self.state.connections or self.state.tasks) and not self.force_exit:
            await asyncio.sleep(0.05)
            passed = loop.time() - began
            if passed > DRAIN_SECONDS:
                log.warning("cut off", extra={"requests": len(self.state.tasks)})
                break
            if passed > GRACE_SECONDS:
                for connection in self._connections():
                    if connection.idle:
                        write_batch.flush()  # its answer may still wait in this turn's batch
                        connection.transport.close()
        for connection in self._connections():
            connection.transport.abort()
        if self.state.tasks:
            await asyncio.wait(self.state.tasks, timeout=1)
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.lifespan.shutdown()
        except TimeoutError:
            log.warning("the application did not close in time")

    def _connections(self) -> list[HttpConnection]:
        return list(self.state.connections)
