"""How long the current request may still take. Every call to a neighbour and every SQL statement is bounded by it.

The deadline is set when the request's head arrives (`OPERATION_TIMEOUT`). A caller may ask for less time with the
header `X-Timeout-Ms`; a process also uses this header to tell its neighbours how much time is left. Whatever the
request waits for (the network, its own body, another request's work), it waits at most `remaining()` seconds.
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
    """The deadline of a request that may take `seconds`, or the `requested` milliseconds when these are fewer. The time
    runs from `arrived` on the monotonic clock, by default from now.

    Raises Malformed when `requested` is not a positive whole number.
    """
    if requested is not None:
        if not requested.isdigit() or len(requested) > 9 or int(requested) == 0:
            raise Malformed(f"{HEADER} deve ser um número inteiro de milissegundos, de 1 a 999999999")
        seconds = min(seconds, int(requested) / 1000)
    return (arrived or time.monotonic()) + seconds


def begin(seconds: float, requested: bytes | None = None) -> Token[RequestContext]:
    """Gives the following code the deadline that `compute` returns, until `end` is called with the returned token."""
    return context.enter(context.current()._replace(deadline=compute(seconds, requested)))


def end(token: Token[RequestContext]) -> None:
    """Restores the deadline from before `begin`."""
    context.leave(token)


def current() -> float:
    """The deadline of the current request, on the monotonic clock; infinity outside of a request."""
    return context.current().deadline


def remaining() -> float:
    """The seconds that the current request has left: infinity outside of a request, zero or less after its deadline."""
    return context.current().deadline - time.monotonic()


async def wait_for(awaitable: Awaitable[T]) -> T:
    """The result of `awaitable`. When the current request's deadline passes first, cancels it and raises
    DeadlineExceeded."""
    ends_at = context.current().deadline
    timer = asyncio.timeout(None if ends_at == math.inf else ends_at - time.monotonic())
    try:
        async with timer:
            return await awaitable
    except TimeoutError:
        if timer.expired():
            raise DeadlineExceeded(EXPIRED) from None
        raise
