"""Finds out who is calling, and refuses callers without the required scope (RFC 6750).

`chassis.identity.tokens` verifies the bearer token of a request. This is mounted only with AUTH_MODE=jwt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.errors import Refusal
from chassis.request.context import acting_for

if TYPE_CHECKING:  # with AUTH_MODE=off the cryptography libraries are never loaded
    from chassis.identity.rates import RateLimit
    from chassis.identity.tokens import TokenVerifier

RequiredScope = Callable[[str, str], str | None]
"""The scope that a method on a path requires; None when everybody may use it."""


class IdentityMiddleware:
    """Sets the caller of each request, and refuses it when the caller lacks the required scope.

    With `rates` a refused request is charged like an accepted one, so that guessing tokens is limited too.
    """

    def __init__(
        self, app: ASGIApp, tokens: TokenVerifier, required_scope: RequiredScope, rates: RateLimit | None = None
    ) -> None:
        self.app, self._tokens, self._required_scope, self._rates = app, tokens, required_scope, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        caller = await self._tokens.caller([value for name, value in scope["headers"] if name == b"authorization"])
        scope["tokens"] = self._tokens  # a WebSocket's client may send its token later
        with acting_for(caller):
            if scope["type"] == "http" and (needed := self._required_scope(scope["method"], scope["path"])):
                try:
                    caller.require(needed)
                except Refusal as refusal:
                    if self._rates:
                        refusal.headers |= await self._rates.charge(scope, 1)
                    raise
            await self.app(scope, receive, send)
