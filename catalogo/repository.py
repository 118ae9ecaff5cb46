"""The rows of categoria and of produto, each produto with its categoria."""

from catalogo.models import Categoria, CategoriaPublic, Produto, ProdutoPublic
from chassis.db.columns import columns_of
from chassis.db.repository import Repository


class CategoriaRepository(Repository):
    noun = "categoria"
    label = "categoria"
    table = source = "categoria"
    fields, select, row = columns_of(Categoria, CategoriaPublic)


class ProdutoRepository(Repository):
    noun = "produto"
    label = "produto"
    table = "produto"
    source = "produto JOIN categoria ON categoria.id = produto.categoria_id"
    locking = "FOR UPDATE OF produto FOR SHARE OF categoria"
    references = {"produto_categoria_id_fkey": ("categoria_id", "categoria")}
    fields, select, row = columns_of(Produto, ProdutoPublic, categoria=(Categoria, CategoriaPublic))
