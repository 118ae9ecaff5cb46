"""The servicos service."""

from fastapi import FastAPI

from chassis import service
from chassis.settings import DatabaseSettings, read
from servicos.routes import servicos


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    return service.build(
        "servicos", "Servicos: what can be asked for.", settings or read(DatabaseSettings), (servicos,)
    )
