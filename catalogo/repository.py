"""The rows of categoria and of produto, each produto with its categoria."""

from collections.abc import Mapping
from typing import Any

from chassis.db.filters import Field
from chassis.db.repository import Repository, RowDict
from chassis.text import fold


class CategoriaRepository(Repository):
    noun = "categoria"
    label = "categoria"
    table = "categoria"
    source = "categoria"
    select = "id, nome_categoria"
    fields = {
        "id": Field("integer", "id", ordered=True),
        "nome_categoria": Field("name", "nome_categoria", folded="nome_busca", ordered=True),
    }

    @staticmethod
    def row(id: int, nome_categoria: str) -> RowDict:
        return {"id": id, "nome_categoria": nome_categoria}

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        return {**written, "nome_busca": fold(written["nome_categoria"])}


class ProdutoRepository(Repository):
    noun = "produto"
    label = "produto"
    table = "produto"
    source = "produto JOIN categoria ON categoria.id = produto.categoria_id"
    select = "produto.id, produto.nome_produto, categoria.id, categoria.nome_categoria"
    locking = "FOR UPDATE OF produto FOR SHARE OF categoria"
    references = {"produto_categoria_id_fkey": ("categoria_id", "categoria")}
    fields = {
        "id": Field("integer", "produto.id", ordered=True),
        "nome_produto": Field("name", "produto.nome_produto", folded="produto.nome_busca", ordered=True),
        "categoria_id": Field("integer", "produto.categoria_id", parent=True),
        "nome_categoria": Field("name", "categoria.nome_categoria", folded="categoria.nome_busca"),
    }

    @staticmethod
    def row(id: int, nome_produto: str, categoria_id: int, nome_categoria: str) -> RowDict:
        categoria = {"id": categoria_id, "nome_categoria": nome_categoria}
        return {"id": id, "nome_produto": nome_produto, "categoria": categoria}

    def stored(self, written: Mapping[str, Any]) -> dict[str, Any]:
        return {**written, "nome_busca": fold(written["nome_produto"])}
