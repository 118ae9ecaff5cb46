"""The schema of the gateway, joined from the parts that each service owns."""

import strawberry
from graphql import GraphQLSchema

from gateway.schema.catalogo import CategoriaMutation, CategoriaQuery, ProdutoMutation, ProdutoQuery
from gateway.schema.codes import CodigoExtensions
from gateway.schema.pessoas import PessoaMutation, PessoaQuery
from gateway.schema.scalars import CONFIG
from gateway.schema.servicos import ServicoMutation, ServicoQuery
from gateway.schema.solicitacoes import SolicitacaoMutation, SolicitacaoQuery


@strawberry.type(description="O que se pode ler.")
class Query(SolicitacaoQuery, PessoaQuery, ServicoQuery, ProdutoQuery, CategoriaQuery):
    pass


@strawberry.type(description="O que se pode mudar. Várias mutações em uma operação acontecem na ordem escrita.")
class Mutation(SolicitacaoMutation, PessoaMutation, ServicoMutation, ProdutoMutation, CategoriaMutation):
    pass


def build() -> strawberry.Schema:
    """Builds the schema as an object of Strawberry."""
    return strawberry.Schema(query=Query, mutation=Mutation, types=[CodigoExtensions], config=CONFIG)


def core(schema: strawberry.Schema) -> GraphQLSchema:
    """The same schema as an object of graphql-core."""
    found: GraphQLSchema = schema._schema  # pyright: ignore[reportPrivateUsage]  # it has no public name
    return found
