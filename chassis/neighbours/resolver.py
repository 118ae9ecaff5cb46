"""The event loop of a process, which looks each name up by itself: no look-up waits for another name's.

libuv looks names up in four threads, and who gives up waiting does not end the look-up. When a name server does not
answer for one name, its look-ups soon hold all four threads, and no other name is found. Here each name has one look-up
under way at most, in a thread of its own, and what it found last is used meanwhile. Everything in the process goes this
way: the wires to the neighbours, psycopg, the keys' httpx2 and the store of the rates.
"""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TypeVar

import uvloop

log = logging.getLogger("resolver")

FRESH_SECONDS = 1.0
"""Addresses that are older are looked up again when somebody asks for them, who does not wait for it."""
AVOIDED_SECONDS = 30.0
"""How long an address that did not take a connection comes after the others of its name."""
CONNECT_SECONDS = 0.5
"""What the addresses of a name have together; whoever connects has to bound the last of them."""

Address = tuple[Any, Any, int, str, Any]
"""As `socket.getaddrinfo` gives it: family, type, protocol, canonical name, and the address to connect to."""
LookUp = Callable[..., list[Address]]
ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class ResolvingLoop(uvloop.Loop):
    """uvloop's loop, with another way to addresses. `look_up` answers as `socket.getaddrinfo`, and may take long.

    The names are those of the configuration, so there are few.
    """

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        super().__init__()
        self._look_up = look_up
        self._names: dict[tuple[Any, ...], ResolvedName] = {}

    async def getaddrinfo(self, host: Any, port: Any, **options: int) -> list[Any]:
        if is_literal(host):
            return await super().getaddrinfo(host, port, **options)
        return await self._name(host, port, **options).addresses()

    async def create_connection(  # pyright: ignore[reportIncompatibleMethodOverride]  # sockets, too
        self,
        protocol_factory: Callable[[], ProtocolT],
        host: Any = None,
        port: Any = None,
        *,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        **options: Any,
    ) -> tuple[asyncio.BaseProtocol, ProtocolT]:
        """Tries one address of `host` after the other."""
        if is_literal(host):
            options |= {"family": family, "proto": proto, "flags": flags}
            return await super().create_connection(protocol_factory, host, port, **options)
        name = self._name(host, port, family=family, type=socket.SOCK_STREAM, proto=proto, flags=flags)
        addresses = await name.addresses()
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        for address in addresses:
            last = address is addresses[-1]
            try:
                async with asyncio.timeout(None if last else CONNECT_SECONDS / len(addresses)):
                    return await super().create_connection(protocol_factory, *address[4][:2], **options)
            except (OSError, asyncio.CancelledError) as failure:
                name.avoid(address)
                if last or isinstance(failure, asyncio.CancelledError):
                    raise
        raise AssertionError("a name that was found has an address")

    def _name(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> "ResolvedName":
        question = (host, port, family, type, proto, flags)
        if question not in self._names:
            self._names[question] = ResolvedName(lambda: self._look_up(*question), self, repr(host))
        return self._names[question]


class ResolvedName:
    """The addresses of one name."""

    def __init__(self, look_up: Callable[[], list[Address]], loop: asyncio.AbstractEventLoop, host: str) -> None:
        self._look_up, self._loop, self._host = look_up, loop, host
        self._addresses: list[Address] = []
        """What was found last."""
        self._failure: Exception | None = None
        """Why nothing was found, if it was so the last time."""
        self._fresh_until = 0.0
        """When what was found is no longer fresh."""
        self._current_look_up: asyncio.Future[None] | None = None
        self._avoided: dict[Any, float] = {}
        """Addresses that come last, and until when."""

    async def addresses(self) -> list[Address]:
        """Those to try, in this order. Waits only while none was ever found; raises what the look-up did."""
        if not self._addresses:
            # Not the future itself: one who gives up waiting must not end it for the others.
            await asyncio.wait([self._start_look_up()])
            if not self._addresses:
                raise self._failure or OSError(f"{self._host} has no address")
        elif time.monotonic() > self._fresh_until:
            self._start_look_up()
        now = time.monotonic()
        return sorted(self._addresses, key=lambda one: self._avoided.get(one[4], 0.0) > now)

    def avoid(self, address: Address) -> None:
        """It did not take a connection."""
        self._avoided[address[4]] = time.monotonic() + AVOIDED_SECONDS

    def _start_look_up(self) -> "asyncio.Future[None]":
        """The one look-up under way."""
        if self._current_look_up is None:
            # Not of a pool, where names would wait for one another; and the process may end before it.
            threading.Thread(target=self._run_look_up, name=f"look-up of {self._host}", daemon=True).start()
            self._current_look_up = self._loop.create_future()
        return self._current_look_up

    def _run_look_up(self) -> None:
        found: list[Address] = []
        failure: Exception | None = None
        try:
            found = self._look_up()
        except Exception as raised:  # whoever waits is told, whatever it is
            failure = raised
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            self._loop.call_soon_threadsafe(self._look_up_done, found, failure)

    def _look_up_done(self, found: list[Address], failure: Exception | None) -> None:
        if found:
            self._addresses = found
            self._avoided = {one[4]: self._avoided[one[4]] for one in found if one[4] in self._avoided}
        elif self._addresses and not self._failure:
            log.warning(
                "name not found: its last addresses are used", extra={"host": self._host, "reason": repr(failure)}
            )
        self._failure = failure
        self._fresh_until = time.monotonic() + FRESH_SECONDS
        under_way, self._current_look_up = self._current_look_up, None
        if under_way:
            under_way.set_result(None)


def is_literal(host: Any) -> bool:
    """Whether it is an address already, or none at all: then there is nothing to look up."""
    if not host:
        return True
    try:
        ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True
