"""Errors as GraphQL answers them: a Portuguese message, and `extensions.code` from a closed list (`EXTENSIONS`).

What is not a refusal of ours, nor GraphQL's own, is a fault: it is logged, and shows nothing.
"""

import logging
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError

from chassis import trace
from chassis.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Refusal,
    RequestTimeout,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from gateway.limits.bounds import LimitExceededError
from gateway.names import camel
from gateway.portuguese import in_portuguese

log = logging.getLogger("graphql")

MOST_SHOWN = 1000
"""Errors in one answer. A row takes a plan a microsecond, and an error forty."""

EXTENSIONS = {
    "BAD_USER_INPUT": "O pedido não vale: a sua sintaxe, o seu tipo ou o valor de um argumento.",
    "NOT_FOUND": "Não existe.",
    "CONFLICT": "Outros mudaram ou estão mudando o mesmo.",
    "UNAUTHENTICATED": "Falta um token válido.",
    "FORBIDDEN": "O token não permite isto.",
    "RATE_LIMITED": "A cota de um minuto acabou; tente de novo depois.",
    "LIMIT_EXCEEDED": "Passa de um limite; peça menos.",
    "UNAVAILABLE": "Um serviço não está respondendo; tente de novo depois.",
    "TIMEOUT": "O tempo acabou antes da resposta.",
    "INTERNAL": "Um defeito nosso; informe o trace_id ao suporte.",
    "PERSISTED_QUERY_NOT_SUPPORTED": "Só veio o hash de uma consulta; as bibliotecas mandam então o texto.",
}
"""The closed list: each code with what it says to a person."""

CODES: dict[type[Refusal], str] = {
    Malformed: "BAD_USER_INPUT",
    Invalid: "BAD_USER_INPUT",
    NotFound: "NOT_FOUND",
    Conflict: "CONFLICT",
    PreconditionFailed: "CONFLICT",
    TooLarge: "LIMIT_EXCEEDED",
    Unauthenticated: "UNAUTHENTICATED",
    Forbidden: "FORBIDDEN",
    RateLimited: "RATE_LIMITED",
    Unavailable: "UNAVAILABLE",
    DeadlineExceeded: "TIMEOUT",
    RequestTimeout: "TIMEOUT",
}


class PersistedQueryNotSupportedError(GraphQLError):
    """Only the hash of a query came. Message and code are the protocol's: by them a client's library knows that it is
    to send the text, now and from then on."""

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported", extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})


def code_of(failure: BaseException | None) -> str:
    """The closed list's code for what a resolver raised; None is GraphQL's own error (syntax, validation, coercion)."""
    if failure is None:
        return "BAD_USER_INPUT"
    if isinstance(failure, Refusal):
        return "LIMIT_EXCEEDED" if failure.code == "LIMIT_EXCEEDED" else CODES.get(type(failure), "INTERNAL")
    return "INTERNAL"


def origin_of(error: GraphQLError) -> BaseException | None:
    """What a resolver raised. None for GraphQL's own errors; without a path nothing was resolved, and what a scalar
    raised while it read its value is about the value."""
    origin = error.original_error if error.path else None
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    return origin


def formatted(error: GraphQLError) -> dict[str, Any]:
    """One error as the response carries it."""
    origin = origin_of(error)
    code = code_of(origin)
    found: dict[str, Any] = {"message": origin.detail if isinstance(origin, Refusal) else in_portuguese(error.message)}
    extensions: dict[str, Any] = {"code": code}
    if code == "INTERNAL":
        found["message"] = "erro interno; informe o trace_id ao suporte"
        if current := trace.current():
            extensions["trace_id"] = current.trace_id
    if isinstance(error, LimitExceededError | PersistedQueryNotSupportedError):
        extensions |= error.extensions or {}
    if isinstance(origin, Refusal):
        if origin.service:
            extensions["service"] = origin.service
        if origin.retry_after is not None:
            extensions["retry_after"] = origin.retry_after
        if origin.errors:
            first = origin.errors[0]
            extensions["field"] = camel(first.field)
            found["message"] = f"{extensions['field']}: {first.message}"  # a service's own would say it in REST's names
    if error.locations:
        found["locations"] = [location.formatted for location in error.locations]
    if error.path:
        found["path"] = error.path
    return found | {"extensions": extensions}


def shown(errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
    """The errors as the response carries them: the first ones, and whether there are more."""
    found = [formatted(error) for error in errors[:MOST_SHOWN]]
    if len(errors) > MOST_SHOWN:
        extensions = {"code": "LIMIT_EXCEEDED", "limit": "MAX_ERRORS", "allowed": MOST_SHOWN}
        found.append({"message": f"há mais erros; são mostrados os primeiros {MOST_SHOWN}", "extensions": extensions})
    return found


def log_faults(errors: list[GraphQLError]) -> None:
    """Logs what is our own fault, once for all the fields that it failed; a neighbour's was logged by the call."""
    seen = set[int]()
    for error in errors:
        if code_of(origin := origin_of(error)) == "INTERNAL" and id(origin) not in seen:
            seen.add(id(origin))
            log.error("resolver failed", exc_info=origin, extra={"path": error.path})
