"""The refusal of a request that asks for more than a limit allows: it says which one was met."""

from graphql import GraphQLError

from gateway.settings import MOST, Limits

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
