"""How long the request at hand may still take: set at the edge, passed on to every neighbour and to PostgreSQL.

A request has a deadline when it arrives (`OPERATION_TIMEOUT`); a caller may ask for less with `X-Timeout-Ms`, and that
is also how a process tells its neighbours what is left. Whoever waits for the network waits no longer than `left()`.
"""

import math
import time
from contextvars import ContextVar, Token

from chassis.errors import Malformed

HEADER = "X-Timeout-Ms"

_until: ContextVar[float] = ContextVar("deadline", default=math.inf)


def begin(seconds: float, asked: bytes | None = None) -> Token[float]:
    """The request at hand ends in `seconds`, or in the milliseconds that its caller `asked` for, if those are fewer.

    `end` takes the token. Raises Malformed when what was asked is no positive whole number.
    """
    if asked is not None:
        if not asked.isdigit() or len(asked) > 9 or int(asked) == 0:
            raise Malformed(f"{HEADER} deve ser um número inteiro de milissegundos, de 1 a 999999999")
        seconds = min(seconds, int(asked) / 1000)
    return _until.set(time.monotonic() + seconds)


def end(token: Token[float]) -> None:
    """The request is over: what runs on in its task, as callers in one process do, has its own time again."""
    _until.reset(token)


def until() -> float:
    """When the request at hand ends, on the monotonic clock; infinity outside of a request."""
    return _until.get()


def left() -> float:
    """Seconds that are left; infinity outside of a request, nothing or less when they are over."""
    return _until.get() - time.monotonic()
