"""The pessoas service."""

from fastapi import FastAPI

from chassis import service
from chassis.settings import DatabaseSettings, read
from pessoas.routes import pessoas


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    return service.build("pessoas", "Pessoas: who asks for servicos.", settings or read(DatabaseSettings), (pessoas,))
