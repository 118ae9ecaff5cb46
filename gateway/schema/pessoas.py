"""The part of the schema that pessoas owns: Pessoa."""

from enum import Enum

import strawberry
from strawberry import UNSET

from gateway.resources import PESSOAS, SOLICITACOES
from gateway.schema.connection import Connection, child_connection, ordering, root_connection
from gateway.schema.filters import AND, NOT, OR, IdFilter, NomeFilter
from gateway.schema.links import row_by_id
from gateway.schema.mutations import Payload, creates, deletes, payload_row, updates
from gateway.schema.solicitacoes import Solicitacao, SolicitacaoFilter, SolicitacaoOrder


@strawberry.enum(description="A ordem de uma lista de pessoas.")
class PessoaOrder(Enum):
    ID_ASC = ordering("id", "Pelo id, do menor ao maior.")
    ID_DESC = ordering("-id", "Pelo id, do maior ao menor.")
    NOME_PESSOA_ASC = ordering("nome_pessoa", "Pelo nome, de A a Z.")
    NOME_PESSOA_DESC = ordering("-nome_pessoa", "Pelo nome, de Z a A.")


@strawberry.input(description="Condições sobre uma pessoa; todas as que forem dadas devem valer.")
class PessoaFilter:
    id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id.")
    nome_pessoa: NomeFilter | None = strawberry.field(default=UNSET, description="Condições sobre o nome.")
    and_: "list[PessoaFilter] | None" = strawberry.field(default=UNSET, name="and", description=AND)
    or_: "list[PessoaFilter] | None" = strawberry.field(default=UNSET, name="or", description=OR)
    not_: "PessoaFilter | None" = strawberry.field(default=UNSET, name="not", description=NOT)


@strawberry.type(description="Quem solicita serviços.")
class Pessoa:
    id: strawberry.ID = strawberry.field(description="O id, único entre as pessoas.")
    nome_pessoa: str = strawberry.field(description="O nome.")
    solicitacoes: Connection[Solicitacao] | None = child_connection(
        "pessoa_id", SOLICITACOES, SolicitacaoFilter, SolicitacaoOrder, "O que esta pessoa solicitou."
    )


@strawberry.input(description="O que é preciso para criar uma pessoa.")
class CriarPessoaInput:
    nome_pessoa: str = strawberry.field(description="O nome: de 1 a 100 caracteres.")


@strawberry.input(description="O que mudar na pessoa; o que não for dado fica como está.")
class AtualizarPessoaInput:
    nome_pessoa: str | None = strawberry.field(default=UNSET, description="O novo nome: de 1 a 100 caracteres.")


@strawberry.type(description="O resultado de criar uma pessoa.")
class CriarPessoaPayload(Payload):
    pessoa: Pessoa | None = payload_row("A pessoa criada; null se houve erros.")


@strawberry.type(description="O resultado de atualizar uma pessoa.")
class AtualizarPessoaPayload(Payload):
    pessoa: Pessoa | None = payload_row("A pessoa como ficou; null se houve erros.")


@strawberry.type(description="O resultado de excluir uma pessoa.")
class ExcluirPessoaPayload(Payload):
    pessoa: Pessoa | None = payload_row("A pessoa que foi excluída; null se houve erros.")


@strawberry.type
class PessoaQuery:
    pessoa: Pessoa | None = row_by_id(PESSOAS, "Uma pessoa pelo id; null se não existe.")
    pessoas: Connection[Pessoa] | None = root_connection(PESSOAS, PessoaFilter, PessoaOrder, "As pessoas, em páginas.")


@strawberry.type
class PessoaMutation:
    criar_pessoa: CriarPessoaPayload | None = creates(PESSOAS, CriarPessoaInput, "Cria uma pessoa.")
    atualizar_pessoa: AtualizarPessoaPayload | None = updates(
        PESSOAS, AtualizarPessoaInput, "Muda o que for dado de uma pessoa."
    )
    excluir_pessoa: ExcluirPessoaPayload | None = deletes(PESSOAS, "Exclui uma pessoa.")
