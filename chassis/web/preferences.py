"""The `Prefer` header (RFC 7240): whether a client wants the written row in the answer."""

from typing import Literal

from starlette.requests import Request

from chassis.request.headers import combined, parameter, parts


def preferred_return(request: Request) -> Literal["minimal", "representation"] | None:
    """The preferred value of `return`. None when there is none, or an unknown one. The first of several counts."""
    prefer = combined(request.scope["headers"]).get(b"prefer", b"").decode("latin-1")
    for preference in parts(prefer, ","):
        name, value = parameter((parts(preference, ";") or [""])[0])
        if name == "return":
            return value if value == "minimal" or value == "representation" else None
    return None
