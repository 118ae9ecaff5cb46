"""The catalogo service."""

from fastapi import FastAPI

from catalogo.routes import categorias, produtos
from chassis import service
from chassis.settings import DatabaseSettings, read


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    description = "Catalogue: categorias, and the produtos of each."
    return service.build("catalogo", description, settings or read(DatabaseSettings), (categorias, produtos))
