"""Errors in GraphQL responses: a Portuguese message, and an `extensions.code` from a closed list (`EXTENSIONS`).

An exception that is neither a Refusal nor an error of GraphQL itself is a fault in our code. It is logged, and the
client sees no details of it.
"""

import logging
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError
from strawberry.exceptions import StrawberryGraphQLError

from chassis.errors import (
    Conflict,
    DeadlineExceeded,
    Forbidden,
    Gone,
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
from chassis.request import context
from gateway.names import camel
from gateway.portuguese import in_portuguese
from gateway.settings import LARGEST_COUNT

log = logging.getLogger("graphql")

MOST_SHOWN = 1000
"""How many errors one response shows. An error takes 40 µs, as long as a plan takes to write forty rows."""

EXTENSIONS = {
    "BAD_USER_INPUT": "O pedido não vale: a sua sintaxe, o seu tipo ou o valor de um argumento.",
    "NOT_FOUND": "Não existe.",
    "CONFLICT": "Outros mudaram ou estão mudando o mesmo.",
    "UNAUTHENTICATED": "Falta um token válido.",
    "FORBIDDEN": "O token não permite isto.",
    "GONE": "O que mudou desde aquela posição já não se sabe; consulte de novo, com posicao.",
    "RATE_LIMITED": "A cota de um minuto acabou; tente de novo depois.",
    "LIMIT_EXCEEDED": "Passa de um limite; peça menos.",
    "UNAVAILABLE": "Um serviço não está respondendo; tente de novo depois.",
    "TIMEOUT": "O tempo acabou antes da resposta.",
    "INTERNAL": "Um defeito nosso; informe o trace_id ao suporte.",
    "PERSISTED_QUERY_NOT_SUPPORTED": "Só veio o hash de uma consulta; as bibliotecas mandam então o texto.",
}
"""The closed list of codes, each with its description in the schema."""

# The code for each class of refusal, and for those derived from it. Any other class is INTERNAL.
CODES: dict[type[Refusal], str] = {
    Malformed: "BAD_USER_INPUT",
    Invalid: "BAD_USER_INPUT",
    NotFound: "NOT_FOUND",
    Conflict: "CONFLICT",
    PreconditionFailed: "CONFLICT",
    Gone: "GONE",
    TooLarge: "LIMIT_EXCEEDED",
    Unauthenticated: "UNAUTHENTICATED",
    Forbidden: "FORBIDDEN",
    RateLimited: "RATE_LIMITED",
    Unavailable: "UNAVAILABLE",
    DeadlineExceeded: "TIMEOUT",
    RequestTimeout: "TIMEOUT",
}


# The message for each limit, by the name of its setting.
LIMIT_TEXTS = {
    "max_document_length": "o documento tem {asked} caracteres; o máximo é {allowed}",
    "max_tokens": "o documento tem mais de {allowed} tokens, que é o máximo",
    "max_depth": "há {asked} níveis de aninhamento; o máximo é {allowed}",
    "max_selections": "são pedidos {asked} campos e fragmentos, a cada uso; o máximo é {allowed}",
    "max_root_fields": "são pedidos {asked} campos na raiz; o máximo é {allowed}",
    "max_aliases": "o documento tem {asked} aliases; o máximo é {allowed}",
    "max_directives": "o documento tem {asked} diretivas; o máximo é {allowed}",
    "max_fragments": "o documento tem {asked} fragmentos e usos de fragmentos; o máximo é {allowed}",
    "max_variables": "o documento declara {asked} variáveis; o máximo é {allowed}",
    "max_values": "as variáveis têm mais de {allowed} valores, que é o máximo",
    "max_overlaps": "campos demais se repetem sob o mesmo nome: mais de {allowed} comparações, que é o máximo",
    "max_cost": "o custo estimado é {asked}; o máximo é {allowed}: peça páginas menores ou menos níveis de listas",
    "rate_limit": "o custo estimado é {asked}; a cota de um minuto inteiro é {allowed}: peça páginas menores",
}


class LimitExceededError(GraphQLError):
    """The request asks for more than a limit allows. No part of it was executed."""

    def __init__(self, limit: str, asked: int, allowed: int) -> None:
        asked = min(asked, LARGEST_COUNT)
        extensions = {"code": "LIMIT_EXCEEDED", "limit": limit.upper(), "asked": asked, "allowed": allowed}
        super().__init__(LIMIT_TEXTS[limit].format(asked=asked, allowed=allowed), extensions=extensions)


class PersistedQueryNotSupportedError(GraphQLError):
    """The request contains only the hash of a persisted query, which we do not support.

    The protocol of persisted queries defines the message and the code. They tell the client's library to send the text,
    for this request and all later ones.
    """

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotSupported", extensions={"code": "PERSISTED_QUERY_NOT_SUPPORTED"})


def code_of(failure: BaseException | None) -> str:
    """The code for an exception from a resolver. None stands for GraphQL's own errors: syntax, validation, coercion."""
    if failure is None:
        return "BAD_USER_INPUT"
    if isinstance(failure, Refusal):
        known = (CODES[kind] for kind in type(failure).__mro__ if kind in CODES)
        return "LIMIT_EXCEEDED" if failure.code == "LIMIT_EXCEEDED" else next(known, "INTERNAL")
    return "INTERNAL"


def origin_of(error: GraphQLError) -> BaseException | None:
    """The exception that a resolver raised, or None for GraphQL's own errors.

    An error without a path comes from no resolver. If it has an original error, a scalar raised that because of an
    invalid value.
    """
    origin = error.original_error if error.path else None
    while isinstance(origin, GraphQLError):
        origin = origin.original_error
    return origin


def code_of_error(error: GraphQLError) -> str:
    """The code for an error of an operation.

    A resolver may raise a GraphQLError with a code of the closed list in its extensions. Without one, the error of a
    Strawberry permission class is FORBIDDEN.
    """
    origin = origin_of(error)
    if origin is None and error.path:
        given = (error.extensions or {}).get("code")
        if given in EXTENSIONS:
            return given
        if type(error.original_error) is StrawberryGraphQLError:
            return "FORBIDDEN"
    return code_of(origin)


def formatted(error: GraphQLError) -> dict[str, Any]:
    """One error as the response carries it."""
    origin = origin_of(error)
    code = code_of_error(error)
    found: dict[str, Any] = {"message": origin.detail if isinstance(origin, Refusal) else in_portuguese(error.message)}
    extensions: dict[str, Any] = {"code": code}
    if code == "INTERNAL":
        found["message"] = "erro interno; informe o trace_id ao suporte"
        if trace := context.current().trace:
            extensions["trace_id"] = trace.trace_id
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
            # The service's own message would contain the field's REST name.
            found["message"] = f"{extensions['field']}: {first.message}"
    if error.locations:
        found["locations"] = [location.formatted for location in error.locations]
    if error.path:
        found["path"] = error.path
    return found | {"extensions": extensions}


def formatted_all(errors: Sequence[GraphQLError]) -> list[dict[str, Any]]:
    """The errors as the response carries them: the first `MOST_SHOWN`, then one that says that there are more."""
    found = [formatted(error) for error in errors[:MOST_SHOWN]]
    if len(errors) > MOST_SHOWN:
        extensions = {"code": "LIMIT_EXCEEDED", "limit": "MAX_ERRORS", "allowed": MOST_SHOWN}
        found.append({"message": f"há mais erros; são mostrados os primeiros {MOST_SHOWN}", "extensions": extensions})
    return found


def log_faults(errors: list[GraphQLError]) -> None:
    """Logs faults in our code. A fault that failed several fields is logged once.

    A neighbour's faults are not logged here, since the call to the neighbour has logged them.
    """
    seen = set[int]()
    for error in errors:
        if code_of_error(error) == "INTERNAL" and id(origin := origin_of(error) or error) not in seen:
            seen.add(id(origin))
            log.error("resolver failed", exc_info=origin, extra={"path": error.path})
