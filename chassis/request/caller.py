"""Who is calling, and what they may do.

With AUTH_MODE=off every caller is ANYBODY, who may do everything. With AUTH_MODE=jwt `chassis.identity` makes a Caller
from the bearer token of each request (RFC 6750). Scopes are `<service>:read`, `<service>:write` and
`<service>:changes`.
"""

import math
from dataclasses import dataclass

from chassis.errors import Forbidden, Refusal, challenge


@dataclass(frozen=True, slots=True)
class Caller:
    """`subject` and `scopes` come from the token. `refusal` is the reason why the request has no valid token; it is
    None when it has one. `expires` is the Unix second from which the token is no longer valid."""

    subject: str | None = None
    scopes: frozenset[str] = frozenset()
    token: str | None = None
    refusal: Refusal | None = None
    expires: float = math.inf

    @property
    def anonymous(self) -> bool:
        """Whether a token is required and the request brought no valid one."""
        return self.refusal is not None

    def require(self, *scopes: str) -> None:
        """Raises the token's refusal, or Forbidden, which names the missing scopes. Without `scopes`, any valid token
        is enough."""
        if self is ANYBODY:
            return
        if self.refusal:
            raise self.refusal
        if missing := [scope for scope in scopes if scope not in self.scopes]:
            named = " ".join(missing)
            detail = f"falta o escopo {named}" if len(missing) == 1 else f"faltam os escopos {', '.join(missing)}"
            raise Forbidden(detail, headers=challenge("insufficient_scope", scope=named))


ANYBODY = Caller()
"""The caller of every request while authentication is off."""
