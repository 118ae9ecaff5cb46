"""The one schema: what each service owns, joined."""

import strawberry
from graphql import GraphQLError
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from gateway.errors import log_faults
from gateway.schema.catalogo import CategoriaMutation, CategoriaQuery, ProdutoMutation, ProdutoQuery
from gateway.schema.pessoas import PessoaMutation, PessoaQuery
from gateway.schema.scalars import DATE_TIME, Instante
from gateway.schema.servicos import ServicoMutation, ServicoQuery
from gateway.schema.solicitacoes import SolicitacaoMutation, SolicitacaoQuery

CACHED_DOCUMENTS = 1000


@strawberry.type(description="O que se pode ler.")
class Query(SolicitacaoQuery, PessoaQuery, ServicoQuery, ProdutoQuery, CategoriaQuery):
    pass


@strawberry.type(description="O que se pode mudar. Várias mutações em uma operação acontecem na ordem escrita.")
class Mutation(SolicitacaoMutation, PessoaMutation, ServicoMutation, ProdutoMutation, CategoriaMutation):
    pass


class Schema(strawberry.Schema):
    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Strawberry would log a traceback for every failed field."""
        log_faults(errors)


def build() -> Schema:
    """The schema, with parsing and validation cached."""
    return Schema(
        query=Query,
        mutation=Mutation,
        config=StrawberryConfig(scalar_map={Instante: DATE_TIME}),
        extensions=[lambda: ParserCache(CACHED_DOCUMENTS), lambda: ValidationCache(CACHED_DOCUMENTS)],
    )
