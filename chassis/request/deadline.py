"""How long the request at hand may still take: set at the edge, passed on to every neighbour and to PostgreSQL.

A request has a deadline when its head arrives (`OPERATION_TIMEOUT`); a caller may ask for less with `X-Timeout-Ms`, and
that is also how a process tells its neighbours what is left. Whoever waits, be it for the network, for the caller's own
body or for somebody else's work, waits no longer than `left()`.
"""

import asyncio
import math
import time
from collections.abc import Awaitable
from contextvars import Token
from typing import TypeVar

from chassis.errors import DeadlineExceeded, Malformed
from chassis.request import context
from chassis.request.context import RequestContext

T = TypeVar("T")
HEADER = "X-Timeout-Ms"
EXPIRED = "o tempo deste pedido acabou"


def compute(seconds: float, requested: bytes | None = None, arrived: float | None = None) -> float:
    """When a request ends that may take `seconds`, or the milliseconds that its caller `asked` for, if those are fewer;
    from when it `arrived` on the monotonic clock, which is now if nobody says.

    Raises Malformed when what was asked is no positive whole number.
    """
    if requested is not None:
        if not requested.isdigit() or len(requested) > 9 or int(requested) == 0:
            raise Malformed(f"{HEADER} deve ser um número inteiro de milissegundos, de 1 a 999999999")
        seconds = min(seconds, int(requested) / 1000)
    return (arrived or time.monotonic()) + seconds


def begin(seconds: float, requested: bytes | None = None) -> Token[RequestContext]:
    """What follows ends as `until_of` says; `end` takes the token."""
    return context.enter(context.current()._replace(deadline=compute(seconds, requested)))


def end(token: Token[RequestContext]) -> None:
    """What follows has the time from before again."""
    context.leave(token)


def current() -> float:
    """When the request at hand ends, on the monotonic clock; infinity outside of a request."""
    return context.current().deadline


def remaining() -> float:
    """Seconds that are left; infinity outside of a request, nothing or less when they are over."""
    return context.current().deadline - time.monotonic()


async def wait_for(awaitable: Awaitable[T]) -> T:
    """What `waiting` gives. Raises DeadlineExceeded when the request at hand ends before that, and cancels it."""
    ends_at = context.current().deadline
    timer = asyncio.timeout(None if ends_at == math.inf else ends_at - time.monotonic())
    try:
        async with timer:
            return await awaitable
    except TimeoutError:
        if timer.expired():
            raise DeadlineExceeded(EXPIRED) from None
        raise
