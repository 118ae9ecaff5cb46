"""The REST routes of catalogo, and the application that serves them."""

from fastapi import FastAPI

from catalogo.models import CategoriaPublic, CategoriaWrite, ProdutoPublic, ProdutoWrite
from catalogo.repository import CategoriaRepository, ProdutoRepository
from chassis import service
from chassis.rest.collection import Collection
from chassis.settings import DatabaseSettings, read

categorias = Collection("/api/categorias/", CategoriaRepository, public=CategoriaPublic, write=CategoriaWrite)
produtos = Collection(
    "/api/produtos/",
    ProdutoRepository,
    public=ProdutoPublic,
    write=ProdutoWrite,
    expanded={"categoria": "categoria_id"},
)


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    description = "Catalogue: categorias, and the produtos of each."
    return service.build("catalogo", description, settings or read(DatabaseSettings), (categorias, produtos))
