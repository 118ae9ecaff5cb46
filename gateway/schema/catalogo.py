"""The part of the schema that catalogo owns: Categoria and Produto."""

from enum import Enum

import strawberry
from strawberry import UNSET

from gateway.resources import CATEGORIAS, PRODUTOS, SOLICITACOES
from gateway.schema.connection import Connection, child_connection, ordering, root_connection
from gateway.schema.filters import AND, NOT, OR, IdFilter, JoinedFilter, NomeFilter
from gateway.schema.links import embedded_object, row_by_id
from gateway.schema.mutations import Payload, creates, deletes, payload_row, updates
from gateway.schema.solicitacoes import Solicitacao, SolicitacaoFilter, SolicitacaoOrder


@strawberry.enum(description="A ordem de uma lista de produtos.")
class ProdutoOrder(Enum):
    ID_ASC = ordering("id", "Pelo id, do menor ao maior.")
    ID_DESC = ordering("-id", "Pelo id, do maior ao menor.")
    NOME_PRODUTO_ASC = ordering("nome_produto", "Pelo nome, de A a Z.")
    NOME_PRODUTO_DESC = ordering("-nome_produto", "Pelo nome, de Z a A.")


@strawberry.input(description="Condições sobre um produto; todas as que forem dadas devem valer.")
class ProdutoFilter:
    id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id.")
    nome_produto: NomeFilter | None = strawberry.field(default=UNSET, description="Condições sobre o nome.")
    categoria_id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id da categoria.")
    categoria: "CategoriaFilter | None" = strawberry.field(
        default=UNSET,
        metadata={"nested": JoinedFilter({"id": "categoria_id"})},
        description="Condições sobre a categoria.",
    )
    and_: "list[ProdutoFilter] | None" = strawberry.field(default=UNSET, name="and", description=AND)
    or_: "list[ProdutoFilter] | None" = strawberry.field(default=UNSET, name="or", description=OR)
    not_: "ProdutoFilter | None" = strawberry.field(default=UNSET, name="not", description=NOT)


@strawberry.type(description="Aquilo sobre o que se solicita um serviço.")
class Produto:
    id: strawberry.ID = strawberry.field(description="O id, único entre os produtos.")
    nome_produto: str = strawberry.field(description="O nome.")
    categoria: "Categoria" = embedded_object("categoria", "A categoria do produto.")
    solicitacoes: Connection[Solicitacao] | None = child_connection(
        "produto_id", SOLICITACOES, SolicitacaoFilter, SolicitacaoOrder, "As solicitações sobre este produto."
    )


@strawberry.input(description="O que é preciso para criar um produto.")
class CriarProdutoInput:
    nome_produto: str = strawberry.field(description="O nome: de 1 a 100 caracteres.")
    categoria_id: strawberry.ID = strawberry.field(description="O id da categoria; ela deve existir.")


@strawberry.input(description="O que mudar no produto; o que não for dado fica como está.")
class AtualizarProdutoInput:
    nome_produto: str | None = strawberry.field(default=UNSET, description="O novo nome: de 1 a 100 caracteres.")
    categoria_id: strawberry.ID | None = strawberry.field(
        default=UNSET, description="O id da nova categoria; ela deve existir."
    )


@strawberry.type(description="O resultado de criar um produto.")
class CriarProdutoPayload(Payload):
    produto: Produto | None = payload_row("O produto criado; null se houve erros.")


@strawberry.type(description="O resultado de atualizar um produto.")
class AtualizarProdutoPayload(Payload):
    produto: Produto | None = payload_row("O produto como ficou; null se houve erros.")


@strawberry.type(description="O resultado de excluir um produto.")
class ExcluirProdutoPayload(Payload):
    produto: Produto | None = payload_row("O produto que foi excluído; null se houve erros.")


@strawberry.type
class ProdutoQuery:
    produto: Produto | None = row_by_id(PRODUTOS, "Um produto pelo id; null se não existe.")
    produtos: Connection[Produto] | None = root_connection(
        PRODUTOS, ProdutoFilter, ProdutoOrder, "Os produtos, em páginas."
    )


@strawberry.type
class ProdutoMutation:
    criar_produto: CriarProdutoPayload | None = creates(PRODUTOS, CriarProdutoInput, "Cria um produto.")
    atualizar_produto: AtualizarProdutoPayload | None = updates(
        PRODUTOS, AtualizarProdutoInput, "Muda o que for dado de um produto."
    )
    excluir_produto: ExcluirProdutoPayload | None = deletes(PRODUTOS, "Exclui um produto.")


@strawberry.enum(description="A ordem de uma lista de categorias.")
class CategoriaOrder(Enum):
    ID_ASC = ordering("id", "Pelo id, do menor ao maior.")
    ID_DESC = ordering("-id", "Pelo id, do maior ao menor.")
    NOME_CATEGORIA_ASC = ordering("nome_categoria", "Pelo nome, de A a Z.")
    NOME_CATEGORIA_DESC = ordering("-nome_categoria", "Pelo nome, de Z a A.")


@strawberry.input(description="Condições sobre uma categoria; todas as que forem dadas devem valer.")
class CategoriaFilter:
    id: IdFilter | None = strawberry.field(default=UNSET, description="Condições sobre o id.")
    nome_categoria: NomeFilter | None = strawberry.field(default=UNSET, description="Condições sobre o nome.")
    and_: "list[CategoriaFilter] | None" = strawberry.field(default=UNSET, name="and", description=AND)
    or_: "list[CategoriaFilter] | None" = strawberry.field(default=UNSET, name="or", description=OR)
    not_: "CategoriaFilter | None" = strawberry.field(default=UNSET, name="not", description=NOT)


@strawberry.type(description="Um grupo de produtos.")
class Categoria:
    id: strawberry.ID = strawberry.field(description="O id, único entre as categorias.")
    nome_categoria: str = strawberry.field(description="O nome.")
    produtos: Connection["Produto"] | None = child_connection(
        "categoria_id", PRODUTOS, ProdutoFilter, ProdutoOrder, "Os produtos desta categoria."
    )


@strawberry.input(description="O que é preciso para criar uma categoria.")
class CriarCategoriaInput:
    nome_categoria: str = strawberry.field(description="O nome: de 1 a 100 caracteres.")


@strawberry.input(description="O que mudar na categoria; o que não for dado fica como está.")
class AtualizarCategoriaInput:
    nome_categoria: str | None = strawberry.field(default=UNSET, description="O novo nome: de 1 a 100 caracteres.")


@strawberry.type(description="O resultado de criar uma categoria.")
class CriarCategoriaPayload(Payload):
    categoria: Categoria | None = payload_row("A categoria criada; null se houve erros.")


@strawberry.type(description="O resultado de atualizar uma categoria.")
class AtualizarCategoriaPayload(Payload):
    categoria: Categoria | None = payload_row("A categoria como ficou; null se houve erros.")


@strawberry.type(description="O resultado de excluir uma categoria.")
class ExcluirCategoriaPayload(Payload):
    categoria: Categoria | None = payload_row("A categoria que foi excluída; null se houve erros.")


@strawberry.type
class CategoriaQuery:
    categoria: Categoria | None = row_by_id(CATEGORIAS, "Uma categoria pelo id; null se não existe.")
    categorias: Connection[Categoria] | None = root_connection(
        CATEGORIAS, CategoriaFilter, CategoriaOrder, "As categorias, em páginas."
    )


@strawberry.type
class CategoriaMutation:
    criar_categoria: CriarCategoriaPayload | None = creates(CATEGORIAS, CriarCategoriaInput, "Cria uma categoria.")
    atualizar_categoria: AtualizarCategoriaPayload | None = updates(
        CATEGORIAS, AtualizarCategoriaInput, "Muda o que for dado de uma categoria."
    )
    excluir_categoria: ExcluirCategoriaPayload | None = deletes(CATEGORIAS, "Exclui uma categoria.")
