"""The REST routes of catalogo, and the application that serves them."""

from fastapi import FastAPI

from catalogo.models import CategoriaPublic, CategoriaWrite, ProdutoPublic, ProdutoWrite
from catalogo.repository import CategoriaRepository, ProdutoRepository
from chassis import service
from chassis.rest.collection import Collection
from chassis.settings import DatabaseSettings, read

categorias = Collection(
    "/api/categorias/",
    service.repository_factory(CategoriaRepository),
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
    service.repository_factory(ProdutoRepository),
    ProdutoRepository,
    public=ProdutoPublic,
    write=ProdutoWrite,
    example={"id": 1, "nome_produto": "Notebook Dell", "categoria": {"id": 1, "nome_categoria": "Eletrônicos"}},
)


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    description = "Catalogue: categorias, and the produtos of each."
    return service.build("catalogo", description, settings or read(DatabaseSettings), (categorias, produtos))
