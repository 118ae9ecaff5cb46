"""What travels with one request: its trace, when it must have ended, and who is calling, in one value.

It is set at the edge and kept in a context variable; whatever the request waits for, asks of others or logs finds it
there.
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
    """Of the request at hand; outside of one there is no trace, no deadline, and nobody to be kept out."""

    trace: Trace | None = None
    deadline: float = math.inf
    """When it must have ended, on the monotonic clock."""
    caller: Caller = ANYBODY


NO_REQUEST = RequestContext()
"""Of what runs for no request."""

_current: ContextVar[RequestContext] = ContextVar("request", default=NO_REQUEST)


def current() -> RequestContext:
    """The context of the request at hand."""
    return _current.get()


def enter(context: RequestContext) -> Token[RequestContext]:
    """From here on the request at hand has this `context`; `leave` takes the token."""
    return _current.set(context)


def leave(token: Token[RequestContext]) -> None:
    """What runs on in this task, as callers in one process do, has the context from before again."""
    _current.reset(token)


@contextmanager
def acting_for(caller: Caller) -> Generator[None]:
    """What runs within is asked for by `caller`."""
    token = _current.set(_current.get()._replace(caller=caller))
    try:
        yield
    finally:
        _current.reset(token)
