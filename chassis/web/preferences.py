"""The `Prefer` header (RFC 7240): what a client wants to have in the answer to a write."""

from typing import Literal

from chassis.request.headers import parameter, parts


def preferred_return(prefer: str) -> Literal["minimal", "representation"] | None:
    """The preferred value of `return`. None when there is none, or an unknown one."""
    value = _preferences(prefer).get("return")
    return value if value == "minimal" or value == "representation" else None


def prefers_position(prefer: str) -> bool:
    """Whether the client wants to know the position of its write among the changes: `read-after`, our own
    preference."""
    return "read-after" in _preferences(prefer)


def _preferences(prefer: str) -> dict[str, str]:
    """The values of all preferences by their names. The first of several with one name counts."""
    given = [parameter((parts(preference, ";") or [""])[0]) for preference in parts(prefer, ",")]
    return dict(reversed(given))
