"""Builds the application of pessoas."""

from fastapi import FastAPI

from chassis import service
from chassis.settings import read
from pessoas.routes import pessoas
from pessoas.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    return service.build("pessoas", "Pessoas: who asks for servicos.", settings or read(Settings), (pessoas,))
