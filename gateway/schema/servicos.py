"""The part of the schema that servicos owns: Servico."""

from enum import Enum

import strawberry
from strawberry import UNSET

from gateway.resources import SERVICOS, SOLICITACOES
from gateway.schema.connection import Connection, child_connection, ordering, root_connection
from gateway.schema.filters import AND, NOT, OR, IdFilter, NomeFilter
from gateway.schema.links import row_by_id
from gateway.schema.mutations import Payload, creates, deletes, payload_row, updates
from gateway.schema.solicitacoes import Solicitacao, SolicitacaoFilter, SolicitacaoOrder


@strawberry.enum(description="A ordem de uma lista de serviços.")
class ServicoOrder(Enum):
    ID_ASC = ordering("id", "Pelo id, do menor ao maior.")
    ID_DESC = ordering("-id", "Pelo id, do maior ao menor.")
    NOME_SERVICO_ASC = ordering("nome_servico", "Pelo nome, de A a Z.")
    NOME_SERVICO_DESC = ordering("-nome_servico", "Pelo nome, de Z a A.")


@strawberry.input(description="Condições sobre um serviço; todas as que forem dadas devem valer.")
class ServicoFilter:
    id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id.")
    nome_servico: NomeFilter | None = strawberry.field(default=UNSET, description="Condições sobre o nome.")
    and_: "list[ServicoFilter] | None" = strawberry.field(default=UNSET, name="and", description=AND)
    or_: "list[ServicoFilter] | None" = strawberry.field(default=UNSET, name="or", description=OR)
    not_: "ServicoFilter | None" = strawberry.field(default=UNSET, name="not", description=NOT)


@strawberry.type(description="O que pode ser solicitado.")
class Servico:
    id: strawberry.ID = strawberry.field(description="O id, único entre os serviços.")
    nome_servico: str = strawberry.field(description="O nome.")
    solicitacoes: Connection[Solicitacao] | None = child_connection(
        "servico_id", SOLICITACOES, SolicitacaoFilter, SolicitacaoOrder, "As solicitações deste serviço."
    )


@strawberry.input(description="O que é preciso para criar um serviço.")
class CriarServicoInput:
    nome_servico: str = strawberry.field(description="O nome: de 1 a 100 caracteres.")


@strawberry.input(description="O que mudar no serviço; o que não for dado fica como está.")
class AtualizarServicoInput:
    nome_servico: str | None = strawberry.field(default=UNSET, description="O novo nome: de 1 a 100 caracteres.")


@strawberry.type(description="O resultado de criar um serviço.")
class CriarServicoPayload(Payload):
    servico: Servico | None = payload_row("O serviço criado; null se houve erros.")


@strawberry.type(description="O resultado de atualizar um serviço.")
class AtualizarServicoPayload(Payload):
    servico: Servico | None = payload_row("O serviço como ficou; null se houve erros.")


@strawberry.type(description="O resultado de excluir um serviço.")
class ExcluirServicoPayload(Payload):
    servico: Servico | None = payload_row("O serviço que foi excluído; null se houve erros.")


@strawberry.type
class ServicoQuery:
    servico: Servico | None = row_by_id(SERVICOS, "Um serviço pelo id; null se não existe.")
    servicos: Connection[Servico] | None = root_connection(
        SERVICOS, ServicoFilter, ServicoOrder, "Os serviços, em páginas."
    )


@strawberry.type
class ServicoMutation:
    criar_servico: CriarServicoPayload | None = creates(SERVICOS, CriarServicoInput, "Cria um serviço.")
    atualizar_servico: AtualizarServicoPayload | None = updates(
        SERVICOS, AtualizarServicoInput, "Muda o que for dado de um serviço."
    )
    excluir_servico: ExcluirServicoPayload | None = deletes(SERVICOS, "Exclui um serviço.")
