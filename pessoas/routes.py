"""The REST routes of pessoas, and the application that serves them."""

from fastapi import FastAPI
from sqlmodel import select

from chassis import service
from chassis.db.columns import Rows
from chassis.db.repository import Repository
from chassis.rest.collection import Collection
from chassis.settings import DatabaseSettings, read
from pessoas.models import Pessoa, PessoaPublic, PessoaWrite


class PessoaRepository(Repository):
    noun = "pessoa"
    label = "pessoa"
    rows = Rows(select(Pessoa), PessoaPublic)


pessoas = Collection("/api/pessoas/", PessoaRepository, public=PessoaPublic, write=PessoaWrite)


def create_app(settings: DatabaseSettings | None = None) -> FastAPI:
    description = "Pessoas: who asks for servicos."
    return service.build("pessoas", description, settings or read(DatabaseSettings), (pessoas,))
