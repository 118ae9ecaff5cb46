"""What can be refused, as a tree of exceptions, and how a refusal is written: `application/problem+json` (RFC 9457).

    Refusal
     ├─ Malformed            400  the bytes are not the JSON, or the header, they claim to be
     ├─ Unauthenticated      401  carries the challenge of RFC 6750
     ├─ Forbidden            403  names the missing scopes; or a web page of another origin
     ├─ NotFound             404
     ├─ MethodNotAllowed     405
     ├─ NotAcceptable        406
     ├─ RequestTimeout       408  the request has not arrived in time
     ├─ Conflict             409
     │   └─ Contended             others hold it just now; carries Retry-After
     ├─ PreconditionFailed   412  somebody changed it first
     ├─ TooLarge             413
     ├─ UnsupportedMedia     415
     ├─ Invalid              422  names each field
     ├─ RateLimited          429  carries Retry-After
     ├─ Broken               500  a fault of ours: shows nothing, carries the trace id
     ├─ Unavailable          503  carries Retry-After
     │   └─ Busy                  for requests of this kind only
     └─ DeadlineExceeded     504
         └─ TooSlow               what was asked takes too long, here where all is well

Raise the meaning where it is known; one handler writes it; `chassis.remote` raises the same class on the other side.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

import orjson
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from chassis import trace


class FieldError:
    """One field that was refused: `field` is its dotted path, `code` is stable English, `message` is Portuguese."""

    __slots__ = ("code", "field", "message")

    def __init__(self, field: str, code: str, message: str) -> None:
        self.field = field
        self.code = code
        self.message = message

    def as_dict(self) -> dict[str, str]:
        return {"field": self.field, "code": self.code, "message": self.message}


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
        """The neighbour that refused, when it was not us."""
        self.retry_after: int | None = None
        """Seconds after which it is worth trying again, where somebody has said so."""


class Malformed(Refusal):
    status, code = 400, "MALFORMED"


REALM = "solicita"
"""Where a token is good (RFC 9110, 11.5): one realm, since all processes share an audience."""


def challenge(error: str | None = None, **parameters: str) -> dict[str, str]:
    """The header that asks for a token (RFC 6750, 3). Without an error where none came: nothing is wrong with it."""
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
    """Others hold what this needs: the same again may succeed in `retry_after` seconds."""

    code = "CONTENDED"

    def __init__(self, detail: str, *, retry_after: int = 1, **more: Any) -> None:
        more["headers"] = {"Retry-After": str(retry_after), **(more.get("headers") or {})}
        super().__init__(detail, **more)


class PreconditionFailed(Refusal):
    status, code = 412, "PRECONDITION_FAILED"


class TooLarge(Refusal):
    status, code = 413, "TOO_LARGE"


class UnsupportedMedia(Refusal):
    status, code = 415, "UNSUPPORTED_MEDIA_TYPE"


class Invalid(Refusal):
    status, code = 422, "INVALID"


class RateLimited(Refusal):
    """The caller has used up their share; `retry_after` in seconds."""

    status, code = 429, "RATE_LIMITED"

    def __init__(self, detail: str, *, retry_after: int = 1, **more: Any) -> None:
        more["headers"] = {"Retry-After": str(retry_after), **(more.get("headers") or {})}
        super().__init__(detail, **more)
        self.retry_after = retry_after


class Broken(Refusal):
    status, code = 500, "INTERNAL"


class Unavailable(Refusal):
    """Something this needs cannot answer now; `retry_after` in seconds, 1 in the header when nobody has said."""

    status, code = 503, "UNAVAILABLE"

    def __init__(self, detail: str, *, retry_after: int | None = None, **more: Any) -> None:
        more["headers"] = {"Retry-After": str(retry_after or 1), **(more.get("headers") or {})}
        super().__init__(detail, **more)
        self.retry_after = retry_after


class Busy(Unavailable):
    """There is too much work of this kind; other requests are answered, so that nobody need think this service away."""

    code = "BUSY"


class DeadlineExceeded(Refusal):
    status, code = 504, "TIMEOUT"


class TooSlow(DeadlineExceeded):
    """This request takes too long, of a service that is well: asking for less helps, asking again does not."""

    code = "TOO_SLOW"


LONE_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
OF_THE_REQUEST = frozenset({Busy.code, TooSlow.code})
"""Codes of a 5xx that says nothing against whoever answered it."""


TITLES = {
    # RFC 9110's own words: Python's differ by version
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    409: "Conflict",
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


def broken() -> Broken:
    """A fault of ours, which shows nothing."""
    return Broken("erro interno; informe o trace_id ao suporte")


def problem(request: Request, refusal: Refusal) -> Response:
    """The refusal as RFC 9457 writes it."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[refusal.status],
        "status": refusal.status,
        "detail": refusal.detail,
        "instance": _uri(request.scope),
        "code": refusal.code,
    }
    if refusal.errors:
        document["errors"] = [error.as_dict() for error in refusal.errors]
    if refusal.status >= 500 and refusal.service:
        document["service"] = refusal.service
    if refusal.status >= 500 and (current := trace.current()):
        document["trace_id"] = current.trace_id
    return Response(
        orjson.dumps(document),
        status_code=refusal.status,
        headers=refusal.headers,
        media_type="application/problem+json",
    )


def _uri(scope: Scope) -> str:
    """The path as it came, made a URI reference (RFC 3986): what may not stand in one is percent-encoded."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
    path = quote(LONE_PERCENT.sub(b"%25", raw), safe="/%:@!$&'()*+,;=")
    return "/." + path if path.startswith("//") else path  # else it would name another host


def over_limit(field: str, message: str) -> Invalid:
    """A 422 about a bound that one field passes."""
    return Invalid(f"{field}: {message}", code="LIMIT_EXCEEDED", errors=[FieldError(field, "LIMIT_EXCEEDED", message)])


MESSAGES: dict[str, tuple[str, str]] = {
    # pydantic's error type: our stable code, our Portuguese message (with pydantic's context filled in)
    "missing": ("REQUIRED", "campo obrigatório"),
    "extra_forbidden": ("UNKNOWN_FIELD", "campo desconhecido"),
    "string_type": ("NOT_A_STRING", "deve ser um texto"),
    "string_too_short": ("BLANK", "não pode ficar em branco"),
    "string_too_long": ("TOO_LONG", "deve ter no máximo {max_length} caracteres"),
    "string_pattern_mismatch": ("INVALID_CHARACTER", "contém caracteres não permitidos"),
    "string_unicode": ("INVALID_CHARACTER", "contém caracteres que não são Unicode válido"),
    "int_type": ("NOT_AN_INTEGER", "deve ser um número inteiro"),
    "int_parsing": ("NOT_AN_INTEGER", "deve ser um número inteiro"),
    "int_from_float": ("NOT_AN_INTEGER", "deve ser um número inteiro"),
    "int_parsing_size": ("OUT_OF_RANGE", "fora do intervalo permitido"),
    "greater_than_equal": ("OUT_OF_RANGE", "deve ser maior ou igual a {ge}"),
    "less_than_equal": ("OUT_OF_RANGE", "deve ser menor ou igual a {le}"),
    "too_long": ("TOO_MANY", "deve ter no máximo {max_length} itens"),
    "too_short": ("TOO_FEW", "deve ter pelo menos {min_length} item"),
    "bool_type": ("NOT_A_BOOLEAN", "deve ser true ou false"),
    "list_type": ("NOT_A_LIST", "deve ser uma lista"),
    "literal_error": ("INVALID_CHOICE", "deve ser um de: {expected}"),
    "enum": ("INVALID_CHOICE", "deve ser um de: {expected}"),
    "model_type": ("NOT_AN_OBJECT", "deve ser um objeto JSON"),
    "model_attributes_type": ("NOT_AN_OBJECT", "deve ser um objeto JSON"),
    "dict_type": ("NOT_AN_OBJECT", "deve ser um objeto JSON"),
}


MOST_ERRORS = 100
"""A body with more than that was not written by anybody who would read them."""


def too_many_errors(field: str) -> Invalid:
    return over_limit(field, f"tem mais de {MOST_ERRORS} erros")


def refuse_fields(failure: ValidationError, within: str = "") -> Invalid:
    """A pydantic failure as the 422 that names every field, in Portuguese."""
    if failure.error_count() > MOST_ERRORS:
        return too_many_errors(within or "corpo")
    found: list[FieldError] = []
    for error in failure.errors(include_url=False, include_input=True):
        field = ".".join([within, *map(str, error["loc"])] if within else map(str, error["loc"])) or "corpo"
        if error["input"] is None and error["type"] != "missing":
            found.append(FieldError(field, "NULL", "não pode ser nulo"))
            continue
        if error["type"] == "value_error":  # ours, raised by a model's own rule: it brings code and message
            reason = error.get("ctx", {}).get("error")
            code, _, message = str(reason).partition(": ")
            found.append(FieldError(field, code, message))
            continue
        code, message = MESSAGES.get(error["type"], ("INVALID", "valor inválido"))
        found.append(FieldError(field, code, message.format(**error.get("ctx", {}))))
    first = found[0]
    code = "LIMIT_EXCEEDED" if first.code == "LIMIT_EXCEEDED" else None
    return Invalid(f"{first.field}: {first.message}", code=code, errors=found)
