"""The `Prefer` header (RFC 7240): how much of what was written a client would like to have answered."""

from typing import Literal

from starlette.requests import Request

from chassis.request.headers import combined, parameter, parts


def preferred_return(request: Request) -> Literal["minimal", "representation"] | None:
    """What `return` is preferred to be; None where it is not said, or is neither. Of two the first counts."""
    prefer = combined(request.scope["headers"]).get(b"prefer", b"").decode("latin-1")
    for preference in parts(prefer, ","):
        name, value = parameter((parts(preference, ";") or [""])[0])
        if name == "return":
            return value if value == "minimal" or value == "representation" else None
    return None
