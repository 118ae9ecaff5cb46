"""The part of the schema that solicitacoes owns: Solicitacao, with its links to the other three services."""

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET, lazy

from gateway.resources import PESSOAS, PRODUTOS, SERVICOS, SOLICITACOES
from gateway.schema.connection import Connection, ordering, root_connection
from gateway.schema.filters import AND, NOT, OR, DataHoraFilter, IdFilter, NestedFilter
from gateway.schema.links import link, row_by_id
from gateway.schema.mutations import Payload, creates, deletes, payload_row, updates
from gateway.schema.scalars import Instante

if TYPE_CHECKING:  # these modules import this one; Strawberry finds their types when it builds the schema
    from gateway.schema.catalogo import Produto, ProdutoFilter
    from gateway.schema.pessoas import Pessoa, PessoaFilter
    from gateway.schema.servicos import Servico, ServicoFilter


@strawberry.enum(description="A ordem de uma lista de solicitações.")
class SolicitacaoOrder(Enum):
    ID_ASC = ordering("id", "Pelo id, do menor ao maior.")
    ID_DESC = ordering("-id", "Pelo id, do maior ao menor.")
    DATA_SOLICITACAO_ASC = ordering("data_solicitacao", "Pela data, da mais antiga à mais recente.")
    DATA_SOLICITACAO_DESC = ordering("-data_solicitacao", "Pela data, da mais recente à mais antiga.")


@strawberry.input(description="Condições sobre uma solicitação; todas as que forem dadas devem valer.")
class SolicitacaoFilter:
    id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id.")
    data_solicitacao: DataHoraFilter | None = strawberry.field(default=UNSET, description="Condições sobre a data.")
    servico_id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id do serviço.")
    pessoa_id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id da pessoa.")
    produto_id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id do produto.")
    servico: Annotated["ServicoFilter", lazy("gateway.schema.servicos")] | None = strawberry.field(
        default=UNSET,
        metadata={"nested": NestedFilter(SERVICOS, "servico_id")},
        description="Condições sobre o serviço.",
    )
    pessoa: Annotated["PessoaFilter", lazy("gateway.schema.pessoas")] | None = strawberry.field(
        default=UNSET, metadata={"nested": NestedFilter(PESSOAS, "pessoa_id")}, description="Condições sobre a pessoa."
    )
    produto: Annotated["ProdutoFilter", lazy("gateway.schema.catalogo")] | None = strawberry.field(
        default=UNSET,
        metadata={"nested": NestedFilter(PRODUTOS, "produto_id")},
        description="Condições sobre o produto.",
    )
    and_: "list[SolicitacaoFilter] | None" = strawberry.field(default=UNSET, name="and", description=AND)
    or_: "list[SolicitacaoFilter] | None" = strawberry.field(default=UNSET, name="or", description=OR)
    not_: "SolicitacaoFilter | None" = strawberry.field(default=UNSET, name="not", description=NOT)


@strawberry.type(description="Um pedido: uma pessoa pede um serviço sobre um produto.")
class Solicitacao:
    id: strawberry.ID = strawberry.field(description="O id, único entre as solicitações.")
    data_solicitacao: Instante = strawberry.field(description="Quando foi feita.")
    servico_id: strawberry.ID = strawberry.field(description="O id do serviço, mesmo que já não exista.")
    pessoa_id: strawberry.ID = strawberry.field(description="O id da pessoa, mesmo que já não exista.")
    produto_id: strawberry.ID = strawberry.field(description="O id do produto, mesmo que já não exista.")
    servico: Annotated["Servico", lazy("gateway.schema.servicos")] | None = link(
        "servico_id", SERVICOS, "O serviço; null se já não existe."
    )
    pessoa: Annotated["Pessoa", lazy("gateway.schema.pessoas")] | None = link(
        "pessoa_id", PESSOAS, "A pessoa; null se já não existe."
    )
    produto: Annotated["Produto", lazy("gateway.schema.catalogo")] | None = link(
        "produto_id", PRODUTOS, "O produto; null se já não existe."
    )


@strawberry.input(description="O que é preciso para criar uma solicitação.")
class CriarSolicitacaoInput:
    servico_id: strawberry.ID = strawberry.field(description="O id do serviço; deve existir.")
    pessoa_id: strawberry.ID = strawberry.field(description="O id da pessoa; deve existir.")
    produto_id: strawberry.ID = strawberry.field(description="O id do produto; deve existir.")


@strawberry.input(description="O que mudar na solicitação; o que não for dado fica como está.")
class AtualizarSolicitacaoInput:
    servico_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="O novo id do serviço; deve existir."
    )
    pessoa_id: strawberry.ID | None = strawberry.field(default=UNSET, description="O novo id da pessoa; deve existir.")
    produto_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="O novo id do produto; deve existir."
    )


@strawberry.type(description="O resultado de criar uma solicitação.")
class CriarSolicitacaoPayload(Payload):
    solicitacao: Solicitacao | None = payload_row("A solicitação criada; null se houve erros.")


@strawberry.type(description="O resultado de atualizar uma solicitação.")
class AtualizarSolicitacaoPayload(Payload):
    solicitacao: Solicitacao | None = payload_row("A solicitação como ficou; null se houve erros.")


@strawberry.type(description="O resultado de excluir uma solicitação.")
class ExcluirSolicitacaoPayload(Payload):
    solicitacao: Solicitacao | None = payload_row("A solicitação que foi excluída; null se houve erros.")


@strawberry.type
class SolicitacaoQuery:
    solicitacao: Solicitacao | None = row_by_id(SOLICITACOES, "Uma solicitação pelo id; null se não existe.")
    solicitacoes: Connection[Solicitacao] | None = root_connection(
        SOLICITACOES, SolicitacaoFilter, SolicitacaoOrder, "As solicitações, em páginas."
    )


@strawberry.type
class SolicitacaoMutation:
    criar_solicitacao: CriarSolicitacaoPayload | None = creates(
        SOLICITACOES, CriarSolicitacaoInput, "Cria uma solicitação."
    )
    atualizar_solicitacao: AtualizarSolicitacaoPayload | None = updates(
        SOLICITACOES, AtualizarSolicitacaoInput, "Muda o que for dado de uma solicitação."
    )
    excluir_solicitacao: ExcluirSolicitacaoPayload | None = deletes(SOLICITACOES, "Exclui uma solicitação.")
