"""Who is calling, and what they may: found once a request, kept in a context variable, sent on to the neighbours.

With AUTH_MODE=off everybody is ANYBODY, who may everything. With AUTH_MODE=jwt `Identified` makes the bearer token of a
request (RFC 6750) its caller; `chassis.tokens` judges it. Scopes are `<service>:read` and `<service>:write`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import Forbidden, Refusal, challenge

if TYPE_CHECKING:  # with AUTH_MODE=off its cryptography is never loaded
    from chassis.rates import Rates
    from chassis.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Caller:
    """`subject` and `scopes` as the token says; `refusal` is why there is nobody, when there is nobody."""

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    token: str | None = None
    refusal: Refusal | None = None

    @property
    def anonymous(self) -> bool:
        """Whether a token is asked for and no good one came."""
        return self.refusal is not None

    def require(self, *scopes: str) -> None:
        """Raises the refusal of the token, or Forbidden that names the scopes it lacks. Without scopes, any token will
        do."""
        if self is ANYBODY:
            return
        if self.refusal:
            raise self.refusal
        if missing := [scope for scope in scopes if scope not in self.scopes]:
            named = " ".join(missing)
            detail = f"falta o escopo {named}" if len(missing) == 1 else f"faltam os escopos {', '.join(missing)}"
            raise Forbidden(detail, headers=challenge("insufficient_scope", scope=named))


ANYBODY = Caller()
"""Everybody, while authentication is off."""

_current: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)


def current() -> Caller:
    """The caller of the request at hand."""
    return _current.get()


@contextmanager
def calling(caller: Caller) -> Generator[None]:
    """What runs within is asked for by `caller`."""
    before = _current.set(caller)
    try:
        yield
    finally:
        _current.reset(before)


def outgoing() -> str | None:
    """The `Authorization` for one call to a neighbour, who judges the token again."""
    token = _current.get().token
    return f"Bearer {token}" if token else None


Needs = Callable[[str, str], str | None]
"""The scope that a method on a path needs; None where everybody may enter."""


class Identified:
    """Makes the caller of each request known, and lets in who may. Mounted with AUTH_MODE=jwt only.

    With `rates` a refusal is charged like a request that is let in: guessing is not free.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, needs: Needs, rates: Rates | None = None) -> None:
        self.app, self._tokens, self._needs, self._rates = app, tokens, needs, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        caller = await self._tokens.caller([value for name, value in scope["headers"] if name == b"authorization"])
        with calling(caller):
            if scope["type"] == "http" and (needed := self._needs(scope["method"], scope["path"])):
                try:
                    caller.require(needed)
                except Refusal as refusal:
                    if self._rates:
                        refusal.headers |= await self._rates.charge(scope, 1)
                    raise
            await self.app(scope, receive, send)
