"""The reasons for refusing a request, as a tree of exceptions.

    Refusal
     ├─ Malformed            400  the bytes are not the JSON, or the header, that they claim to be
     ├─ Unauthenticated      401  carries the challenge of RFC 6750
     ├─ Forbidden            403  names the missing scopes; or the request comes from a web page of another origin
     ├─ NotFound             404
     ├─ MethodNotAllowed     405
     ├─ NotAcceptable        406
     ├─ RequestTimeout       408  the request has not arrived in time
     ├─ Conflict             409
     │   └─ Contended             other requests hold the same rows now; carries Retry-After
     ├─ Gone                 410  what the client has read so far leads no further: it must begin anew
     ├─ PreconditionFailed   412  somebody else changed it first
     ├─ TooLarge             413
     ├─ UnsupportedMedia     415
     ├─ Invalid              422  names each field
     ├─ RateLimited          429  carries Retry-After
     ├─ Broken               500  a fault of ours: shows no details, carries the trace id
     ├─ Unavailable          503  carries Retry-After
     │   └─ Busy                  only for requests of this kind
     └─ DeadlineExceeded     504
         └─ TooSlow               this request takes too long, though the service is well

Code raises these where it knows the meaning. `chassis.web.problem` writes them, and `chassis.neighbours.remote` raises
the same class in the calling process.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class FieldError:
    """One field that was refused: `field` is its dotted path, `code` is stable English, `message` is Portuguese."""

    __slots__ = ("code", "field", "message")

    def __init__(self, field: str, code: str, message: str) -> None:
        self.field = field
        self.code = code
        self.message = message

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


class InvalidValue(ValueError):
    """One value that is refused: a stable `code` and a Portuguese `message`. Code that knows the value's field makes a
    FieldError from it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


class Refusal(Exception):
    """A request refused on purpose. `detail` is Portuguese, for the end user; `code` is stable, for programs."""

    status: ClassVar[int] = 500
    code: str = "INTERNAL"

    def __init__(
        self,
        detail: str,
        *,
        code: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or type(self).code
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.service: str | None = None
        """The neighbour that refused, when it was not this process."""
        self.retry_after: int | None = None
        """Seconds after which a retry makes sense, when they are known."""


class Malformed(Refusal):
    status, code = 400, "MALFORMED"


REALM = "solicita"
"""The realm in which a token is valid (RFC 9110, 11.5). There is one, since all processes have the same audience."""


def challenge(error: str | None = None, **parameters: str) -> dict[str, str]:
    """The header that asks for a token (RFC 6750, 3). It names no error when the request had no token, since then no
    token is wrong."""
    members = {"realm": REALM, **({"error": error} if error else {}), **parameters}
    return {"WWW-Authenticate": "Bearer " + ", ".join(f'{name}="{value}"' for name, value in members.items())}


class Unauthenticated(Refusal):
    status, code = 401, "UNAUTHENTICATED"

    def __init__(self, detail: str, **more: Any) -> None:
        more["headers"] = challenge() | dict(more.get("headers") or {})
        super().__init__(detail, **more)


class Forbidden(Refusal):
    status, code = 403, "FORBIDDEN"


class NotFound(Refusal):
    status, code = 404, "NOT_FOUND"


class MethodNotAllowed(Refusal):
    status, code = 405, "METHOD_NOT_ALLOWED"


class NotAcceptable(Refusal):
    status, code = 406, "NOT_ACCEPTABLE"


class RequestTimeout(Refusal):
    status, code = 408, "TIMEOUT"


class Conflict(Refusal):
    status, code = 409, "CONFLICT"


class Contended(Conflict):
    """Other requests hold the rows that this one needs. A repetition after `retry_after` seconds may succeed."""

    code = "CONTENDED"

    def __init__(self, detail: str, *, retry_after: int = 1, **more: Any) -> None:
        more["headers"] = {"Retry-After": str(retry_after), **(more.get("headers") or {})}
        super().__init__(detail, **more)


class Gone(Refusal):
    status, code = 410, "GONE"


class PreconditionFailed(Refusal):
    status, code = 412, "PRECONDITION_FAILED"


class TooLarge(Refusal):
    status, code = 413, "TOO_LARGE"


class UnsupportedMedia(Refusal):
    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class Invalid(Refusal):
    status, code = 422, "INVALID"


class RateLimited(Refusal):
    """The caller has used up the rate limit. `retry_after` is in seconds."""

    status, code = 429, "RATE_LIMITED"

    def __init__(self, detail: str, *, retry_after: int = 1, **more: Any) -> None:
        more["headers"] = {"Retry-After": str(retry_after), **(more.get("headers") or {})}
        super().__init__(detail, **more)
        self.retry_after = retry_after


class Broken(Refusal):
    status, code = 500, "INTERNAL"


class Unavailable(Refusal):
    """Something that this request needs cannot answer now. `retry_after` is in seconds; when it is not known the header
    says 1."""

    status, code = 503, "UNAVAILABLE"

    def __init__(self, detail: str, *, retry_after: int | None = None, **more: Any) -> None:
        more["headers"] = {"Retry-After": str(retry_after or 1), **(more.get("headers") or {})}
        super().__init__(detail, **more)
        self.retry_after = retry_after


class Busy(Unavailable):
    """There are too many requests of this kind now. Other requests are answered, so callers need not avoid the whole
    service."""

    code = "BUSY"


class DeadlineExceeded(Refusal):
    status, code = 504, "TIMEOUT"


class TooSlow(DeadlineExceeded):
    """This request takes too long, though the service is well. Asking for less helps; asking again does not."""

    code = "TOO_SLOW"


CODES_OF_THE_REQUEST = frozenset({Busy.code, TooSlow.code})
"""Codes of a 5xx whose cause is the request, and not the service that answered it."""


TITLES = {
    # The phrases of RFC 9110, since Python's differ by version.
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    421: "Misdirected Request",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}

BY_STATUS: dict[int, type[Refusal]] = {
    kind.status: kind
    for kind in (
        Malformed,
        Unauthenticated,
        Forbidden,
        NotFound,
        MethodNotAllowed,
        NotAcceptable,
        Conflict,
        Gone,
        PreconditionFailed,
        TooLarge,
        UnsupportedMedia,
        Invalid,
        RateLimited,
        Unavailable,
        DeadlineExceeded,
    )
}


def invalid(field: str, code: str, message: str) -> Invalid:
    """A 422 about one field."""
    return Invalid(f"{field}: {message}", errors=[FieldError(field, code, message)])


def over_limit(field: str, message: str) -> Invalid:
    """A 422 about one field that exceeds a limit."""
    return Invalid(f"{field}: {message}", code="LIMIT_EXCEEDED", errors=[FieldError(field, "LIMIT_EXCEEDED", message)])
