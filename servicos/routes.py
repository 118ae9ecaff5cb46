"""The REST routes of servicos, and the application that serves them."""

from fastapi import FastAPI
from sqlmodel import select

from chassis import service
from chassis.db.columns import Rows
from chassis.db.repository import Repository
from chassis.rest.collection import Collection
from chassis.settings import DatabaseSettings, read
from servicos.models import Servico, ServicoPublic, ServicoWrite


class ServicoRepository(Repository):
    noun = "servico"
    label = "serviço"
    rows = Rows(select(Servico), ServicoPublic)


servicos = Collection("/api/servicos/", ServicoRepository, public=ServicoPublic, write=ServicoWrite)


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    description = "Servicos: what can be asked for."
    return service.build("servicos", description, settings or read(DatabaseSettings), (servicos,))
