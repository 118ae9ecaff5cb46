"""The event loop of a process. It looks up host names itself, so that no look-up waits for another name's.

libuv looks names up in four threads, and a caller who gives up does not end the look-up. When a name server does not
answer for one name, its look-ups soon occupy all four threads, and no other name is found. Here each name has at most
one look-up at a time, in a thread of its own, and meanwhile its last addresses are used. Everything in the process uses
this loop: the transports to the neighbours, psycopg, the httpx2 client that fetches keys, and the rate limit store.
"""

import asyncio
import contextlib
import logging
import math
import random
import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, TypeVar

import uvloop

log = logging.getLogger("resolver")

FRESH_SECONDS = 1.0
"""Older addresses are looked up again when they are next needed, but nobody waits for it."""
AVOIDED_SECONDS = 30.0
"""For so many seconds, an address that accepted no connection, or did not answer, is tried after the other addresses of
its name."""
SURELY_AVOIDED_SECONDS = 1.0
"""So long it is surely tried after them: a request that has failed there is now repeated."""
MUCH_TO_DO = 2
"""With so many requests under way, an address is no better than one that is to be avoided and has none."""
CONNECT_SECONDS = 0.5
"""The time for all addresses of a name together. The last address has no limit of its own: whoever connects must set
one."""

Address = tuple[Any, Any, int, str, Any]
"""An entry of `socket.getaddrinfo`: family, type, protocol, canonical name, and the address to connect to."""
LookUp = Callable[..., list[Address]]
Load = Callable[[Any], int]
"""How much is under way at an address: what `connect` takes, without its name."""
ProtocolT = TypeVar("ProtocolT", bound=asyncio.BaseProtocol)


class ResolvingLoop(uvloop.Loop):
    """uvloop's loop with look-ups of its own. `look_up` works like `socket.getaddrinfo`, and may be slow.

    Names come from the configuration only, so there are few and none is ever forgotten.
    """

    def __init__(self, look_up: LookUp = socket.getaddrinfo) -> None:
        super().__init__()
        self._look_up = look_up
        self._names: dict[tuple[Any, ...], ResolvedName] = {}

    async def getaddrinfo(self, host: Any, port: Any, **options: int) -> list[Any]:
        if is_literal(host):
            return await super().getaddrinfo(host, port, **options)
        return await self._name(host, port, **options).addresses()

    async def create_connection(  # pyright: ignore[reportIncompatibleMethodOverride]  # uvloop also accepts a ready socket
        self,
        protocol_factory: Callable[[], ProtocolT],
        host: Any = None,
        port: Any = None,
        *,
        family: int = 0,
        proto: int = 0,
        flags: int = 0,
        load: Load | None = None,
        **options: Any,
    ) -> tuple[asyncio.BaseProtocol, ProtocolT]:
        """Connects to the first address of `host` that accepts. With `load`, those with the least come first."""
        if is_literal(host):
            options |= {"family": family, "proto": proto, "flags": flags}
            return await super().create_connection(protocol_factory, host, port, **options)
        name = self._name(host, port, family=family, type=socket.SOCK_STREAM, proto=proto, flags=flags)
        addresses = await name.addresses(load)
        if options.get("ssl") and options.get("server_hostname") is None:
            options["server_hostname"] = host
        for address in addresses:
            last = address is addresses[-1]
            try:
                async with asyncio.timeout(None if last else CONNECT_SECONDS / len(addresses)):
                    return await super().create_connection(protocol_factory, *address[4][:2], **options)
            except (OSError, asyncio.CancelledError) as failure:
                name.avoid(address[4])
                if last or isinstance(failure, asyncio.CancelledError):
                    raise
        raise AssertionError("a name that was found has an address")

    def judge(self, host: str, port: int, address: Any, answers: bool) -> None:
        """Remembers whether this address of `host`, which accepts connections, also answers. One that does not is tried
        after the others for a while."""
        name = self._name(host, port, type=socket.SOCK_STREAM)
        if answers:
            name.trust(address)
        else:
            name.avoid(address)

    def _name(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> "ResolvedName":
        question = (host, port, family, type, proto, flags)
        if question not in self._names:
            self._names[question] = ResolvedName(lambda: self._look_up(*question), self, repr(host))
        return self._names[question]


class ResolvedName:
    """The addresses of one host name, from its last look-up."""

    def __init__(self, look_up: Callable[[], list[Address]], loop: asyncio.AbstractEventLoop, host: str) -> None:
        self._look_up, self._loop, self._host = look_up, loop, host
        self._addresses: list[Address] = []
        """The addresses that were found last."""
        self._failure: Exception | None = None
        """Why the last look-up found nothing, if it did not."""
        self._fresh_until = 0.0
        """When the addresses are old enough to be looked up again."""
        self._current_look_up: asyncio.Future[None] | None = None
        self._avoided: dict[Any, float] = {}
        """Addresses that are tried last, each until this time."""

    async def addresses(self, load: Load | None = None) -> list[Address]:
        """The addresses in the order in which to try them: first the one with the least `load`, any of several. Those
        to avoid come last, and of them first the one that failed longest ago. But where all others have much to do,
        they may be the ones that do not answer: then one request at a time tries an address that was to be avoided,
        unless that failed just now.

        Waits only when none were ever found, and then raises what the look-up raised."""
        if not self._addresses:
            # Not on the future itself: a caller who gives up must not cancel it for the others.
            await asyncio.wait([self._start_look_up()])
            if not self._addresses:
                raise self._failure or OSError(f"{self._host} has no address")
        elif time.monotonic() > self._fresh_until:
            self._start_look_up()
        now, found = time.monotonic(), self._addresses

        def rank(one: Address) -> tuple[float, float]:
            avoided_until = max(now, self._avoided.get(one[4], 0.0))
            if load is None:
                return 0.0, avoided_until
            under_way = load(one[4])
            if avoided_until <= now:
                return under_way, avoided_until
            may_be_tried = not under_way and avoided_until < now + AVOIDED_SECONDS - SURELY_AVOIDED_SECONDS
            return MUCH_TO_DO if may_be_tried else math.inf, avoided_until

        return sorted(random.sample(found, len(found)) if load else found, key=rank)

    def avoid(self, address: Any) -> None:
        """Remembers that nobody answers at this address: what `connect` takes, without its name."""
        self._avoided[address] = time.monotonic() + AVOIDED_SECONDS

    def trust(self, address: Any) -> None:
        """Forgets that nobody answered at this address."""
        self._avoided.pop(address, None)

    def _start_look_up(self) -> "asyncio.Future[None]":
        """The look-up that is running; starts one when there is none."""
        if self._current_look_up is None:
            # Not a thread of a pool, where names would wait for one another; and a daemon, since the process may end
            # earlier.
            threading.Thread(target=self._run_look_up, name=f"look-up of {self._host}", daemon=True).start()
            self._current_look_up = self._loop.create_future()
        return self._current_look_up

    def _run_look_up(self) -> None:
        found: list[Address] = []
        failure: Exception | None = None
        try:
            found = self._look_up()
        except Exception as raised:  # every failure is passed on to those who wait
            failure = raised
        with contextlib.suppress(RuntimeError):  # the loop may have been closed meanwhile
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


def resolving_loop() -> ResolvingLoop:
    """The running loop, which is one of these in every process."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, ResolvingLoop)
    return loop


def is_literal(host: Any) -> bool:
    """Whether `host` is an address or empty, so that there is nothing to look up."""
    if not host:
        return True
    try:
        ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return True
