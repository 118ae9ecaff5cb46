"""Builds the application of catalogo."""

from fastapi import FastAPI

from catalogo.routes import categorias, produtos
from catalogo.settings import Settings
from chassis import service
from chassis.settings import read


def create_app(settings: Settings | None = None) -> FastAPI:
    description = "Catalogue: categorias, and the produtos of each."
    return service.build("catalogo", description, settings or read(Settings), (categorias, produtos))
