"""The `Prefer` header (RFC 7240): whether a client wants the written row in the answer."""

from typing import Literal

from chassis.request.headers import parameter, parts


def preferred_return(prefer: str) -> Literal["minimal", "representation"] | None:
    """The preferred value of `return`. None when there is none, or an unknown one. The first of several counts."""
    for preference in parts(prefer, ","):
        name, value = parameter((parts(preference, ";") or [""])[0])
        if name == "return":
            return value if value == "minimal" or value == "representation" else None
    return None
