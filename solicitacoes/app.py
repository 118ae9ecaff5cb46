"""Builds the application of solicitacoes, the service that also reads from the three others."""

from collections.abc import Mapping

from fastapi import FastAPI
from httpx2 import AsyncBaseTransport

from chassis import service
from chassis.neighbours.remote import neighbours
from chassis.settings import read
from solicitacoes.coordinator import Coordinator
from solicitacoes.routes import solicitacoes
from solicitacoes.settings import Settings


def create_app(settings: Settings | None = None, transports: Mapping[str, AsyncBaseTransport] | None = None) -> FastAPI:
    """The application. In tests, `transports` (by the neighbour's name) replace the network."""
    settings = settings or read(Settings)
    urls = {"catalogo": settings.catalogo_url, "pessoas": settings.pessoas_url, "servicos": settings.servicos_url}
    remotes = neighbours(urls, settings, transports)
    description = "Solicitacoes: which pessoa asked for which servico on which produto."
    app = service.build("solicitacoes", description, settings, (solicitacoes,), neighbours=tuple(remotes.values()))
    app.state.coordinator = Coordinator(remotes)
    return app
