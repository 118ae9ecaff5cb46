"""The REST routes of solicitacoes, and the application that serves them.

References are checked when a solicitacao is written, and shown when it is read; both ask the three other services.
"""

from typing import Annotated

from fastapi import Depends, FastAPI, Header
from sqlmodel import select
from starlette.requests import Request
from starlette.responses import Response

from chassis import service
from chassis.db.columns import Rows
from chassis.db.repository import Repository
from chassis.neighbours.remote import neighbours
from chassis.rest.collection import Check, Collection, View, json_response
from chassis.settings import read
from chassis.web.conditional import Conditions
from solicitacoes.coordinator import Coordinator
from solicitacoes.models import Solicitacao, SolicitacaoPublic, SolicitacaoView, SolicitacaoWrite
from solicitacoes.settings import Settings


class SolicitacaoRepository(Repository):
    noun = "solicitacao"
    label = "solicitação"
    rows = Rows(select(Solicitacao), SolicitacaoPublic)


async def coordinator_of(request: Request) -> Coordinator:
    return request.app.state.coordinator


CoordinatorDep = Annotated[Coordinator, Depends(coordinator_of)]


async def references_exist(coordinator: CoordinatorDep) -> Check:
    return coordinator.dangling


async def show(
    id: int, rows: Repository, conditions: Annotated[Conditions, Header()], coordinator: CoordinatorDep
) -> Response:
    """The coordinator's view of one row. It has no ETag, since it shows rows of other services too."""
    row = await rows.get(id)
    headers = {"Cache-Control": "no-cache"}
    if conditions.not_modified(None):
        return Response(status_code=304, headers=headers)
    return json_response(await coordinator.view(row), headers=headers)


solicitacoes = Collection(
    "/api/solicitacoes/",
    SolicitacaoRepository,
    public=SolicitacaoPublic,
    write=SolicitacaoWrite,
    check=references_exist,
    view=View(show, SolicitacaoView),
)


def create_app(settings: Settings | None = None) -> FastAPI:
    settings = settings or read(Settings)
    remotes = neighbours(settings.urls, settings)
    description = "Solicitacoes: which pessoa asked for which servico on which produto."
    app = service.build("solicitacoes", description, settings, (solicitacoes,), neighbours=tuple(remotes.values()))
    app.state.coordinator = Coordinator(remotes)
    return app
