"""What travels with one request, in one value: its trace, its deadline and its caller.

The outermost middleware sets it in a context variable. Code that calls a neighbour, waits or logs for the request reads
it there.
"""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import NamedTuple

from chassis.request.caller import ANYBODY, Caller
from chassis.request.trace_context import Trace


class RequestContext(NamedTuple):
    """The context of the current request. Outside of a request there is no trace and no deadline, and the caller may do
    everything."""

    trace: Trace | None = None
    deadline: float = math.inf
    """When the request must have ended, on the monotonic clock; infinity means never."""
    caller: Caller = ANYBODY


NO_REQUEST = RequestContext()
"""The context of code that runs for no request."""

_current: ContextVar[RequestContext] = ContextVar("request", default=NO_REQUEST)


def current() -> RequestContext:
    """The context of the current request."""
    return _current.get()


def enter(context: RequestContext) -> Token[RequestContext]:
    """Makes `context` the current one, until `leave` is called with the returned token."""
    return _current.set(context)


def leave(token: Token[RequestContext]) -> None:
    """Restores the context from before `enter`. This matters when the task goes on after the request, as it does when
    the caller runs in the same process."""
    _current.reset(token)


@contextmanager
def acting_for(caller: Caller) -> Generator[None]:
    """Code inside of this context manager runs for `caller`."""
    token = _current.set(_current.get()._replace(caller=caller))
    try:
        yield
    finally:
        _current.reset(token)
