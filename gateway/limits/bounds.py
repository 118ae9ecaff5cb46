"""The limits themselves, by their environment variables, and the refusal that says which one was met."""

from typing import Annotated

from graphql import GraphQLError
from pydantic import Field

from chassis.settings import Settings

MOST = 10**9
"""A count that is larger is answered as this: a nest of fragments or pages can ask for more than JSON's integers."""


class Limits(Settings):
    """What one request may ask for."""

    max_document_length: Annotated[int, Field(ge=100, le=1_000_000)] = 100_000
    max_tokens: Annotated[int, Field(ge=10, le=50_000)] = 2_000
    # Parser and validation recurse: their own bound is 200.
    max_depth: Annotated[int, Field(ge=5, le=100)] = 30
    max_selections: Annotated[int, Field(ge=10, le=50_000)] = 2_000
    max_root_fields: Annotated[int, Field(ge=1, le=5_000)] = 50
    max_aliases: Annotated[int, Field(ge=0, le=5_000)] = 100
    max_directives: Annotated[int, Field(ge=0, le=5_000)] = 100
    max_fragments: Annotated[int, Field(ge=0, le=400)] = 200
    max_variables: Annotated[int, Field(ge=0, le=5_000)] = 100
    max_values: Annotated[int, Field(ge=0, le=1_000_000)] = 10_000
    max_overlaps: Annotated[int, Field(ge=100, le=500_000)] = 3_000
    max_cost: Annotated[int, Field(ge=1, le=MOST)] = 50_000
    rate_limit: Annotated[int, Field(ge=0, le=MOST)] = 0
    """Cost of one caller's operations in a minute; 0: any."""


TEXTS = {
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
    """The request asks for more than a limit allows; nothing of it was executed."""

    def __init__(self, limit: str, asked: int, allowed: int) -> None:
        asked = min(asked, MOST)
        extensions = {"code": "LIMIT_EXCEEDED", "limit": limit.upper(), "asked": asked, "allowed": allowed}
        super().__init__(TEXTS[limit].format(asked=asked, allowed=allowed), extensions=extensions)


def refuse_over(limits: Limits, **asked: int) -> None:
    """Raises LimitExceededError for the first of the counts that is over the limit of its name."""
    for limit, count in asked.items():
        allowed: int = getattr(limits, limit)
        if count > allowed:
            raise LimitExceededError(limit, count, allowed)
