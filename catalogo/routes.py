"""The REST routes of catalogo."""

from catalogo.models import CategoriaPublic, CategoriaWrite, ProdutoPublic, ProdutoWrite
from catalogo.repository import CategoriaRepository, ProdutoRepository
from chassis.rest.collection import Collection
from chassis.service import repository_factory

categorias = Collection(
    "/api/categorias/",
    repository_factory(CategoriaRepository),
    CategoriaRepository,
    public=CategoriaPublic,
    write=CategoriaWrite,
    example={"id": 1, "nome_categoria": "Eletrônicos"},
)


class Produtos(Collection):
    """The collection of produtos. A client writes `categoria_id`, and reads the whole `categoria`."""

    expanded = {"categoria": "categoria_id"}


produtos = Produtos(
    "/api/produtos/",
    repository_factory(ProdutoRepository),
    ProdutoRepository,
    public=ProdutoPublic,
    write=ProdutoWrite,
    example={"id": 1, "nome_produto": "Notebook Dell", "categoria": {"id": 1, "nome_categoria": "Eletrônicos"}},
)
