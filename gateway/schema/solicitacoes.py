"""The part of the schema that solicitacoes owns: Solicitacao, with its links to the other three services."""

from typing import TYPE_CHECKING, Annotated, ClassVar

import strawberry
from strawberry import lazy

from gateway.schema.fields import ServiceCollection, field
from gateway.schema.filters import DataHoraFilter, IdFilter
from gateway.schema.links import link
from gateway.schema.scalars import Instante

if TYPE_CHECKING:  # these modules import this one; Strawberry finds their types when it builds the schema
    from gateway.schema.catalogo import Produto
    from gateway.schema.pessoas import Pessoa
    from gateway.schema.servicos import Servico


@strawberry.type(description="Um pedido: uma pessoa pede um serviço sobre um produto.")
class Solicitacao:
    collection: ClassVar = ServiceCollection("solicitacoes", "/api/solicitacoes/", "a solicitação", "as solicitações")

    id: strawberry.ID = strawberry.field(description="O id, único entre as solicitações.")
    data_solicitacao: Instante = field(
        "a data", description="Quando foi feita.", filter=DataHoraFilter, order=True, written=False
    )
    servico_id: strawberry.ID = field(
        "o id do serviço",
        description="O id do serviço, mesmo que já não exista.",
        filter=IdFilter,
        rule="; deve existir",
    )
    pessoa_id: strawberry.ID = field(
        "o id da pessoa", description="O id da pessoa, mesmo que já não exista.", filter=IdFilter, rule="; deve existir"
    )
    produto_id: strawberry.ID = field(
        "o id do produto",
        description="O id do produto, mesmo que já não exista.",
        filter=IdFilter,
        rule="; deve existir",
    )
    servico: Annotated["Servico", lazy("gateway.schema.servicos")] | None = link("servico_id", "o serviço")
    pessoa: Annotated["Pessoa", lazy("gateway.schema.pessoas")] | None = link("pessoa_id", "a pessoa")
    produto: Annotated["Produto", lazy("gateway.schema.catalogo")] | None = link("produto_id", "o produto")
