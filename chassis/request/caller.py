"""Who is calling, and what they may.

With AUTH_MODE=off everybody is ANYBODY, who may everything. With AUTH_MODE=jwt `chassis.identity` makes the bearer
token of a request (RFC 6750) its caller. Scopes are `<service>:read` and `<service>:write`.
"""

from dataclasses import dataclass

from chassis.errors import Forbidden, Refusal, challenge


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
