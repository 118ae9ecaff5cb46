"""The rows of categoria and of produto, each produto with its categoria."""

from sqlmodel import select

from catalogo.models import Categoria, CategoriaPublic, Produto, ProdutoPublic
from chassis.db.columns import Rows
from chassis.db.repository import Repository


class CategoriaRepository(Repository):
    noun = "categoria"
    label = "categoria"
    rows = Rows(select(Categoria), CategoriaPublic)


class ProdutoRepository(Repository):
    noun = "produto"
    label = "produto"
    rows = Rows(select(Produto, Categoria).join(Categoria), ProdutoPublic)
