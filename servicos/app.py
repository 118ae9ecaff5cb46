"""Builds the application of servicos."""

from fastapi import FastAPI

from chassis import service
from chassis.settings import read
from servicos.routes import servicos
from servicos.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    return service.build("servicos", "Servicos: what can be asked for.", settings or read(Settings), (servicos,))
