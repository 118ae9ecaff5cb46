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
from chassis.neighbours.follower import followers
from chassis.neighbours.read_after import LONGEST
from chassis.neighbours.remote import neighbours
from chassis.neighbours.row_cache import Caches
from chassis.rest.collection import Check, Collection, View, json_response
from chassis.settings import read
from chassis.web.conditional import Conditions
from chassis.web.reading import header
from solicitacoes.coordinator import KINDS, Coordinator
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


POSITION = "(catalogo|pessoas|servicos):[0-9a-f-]{1,36}:[0-9]{1,19}"


class ViewHeaders(Conditions):
    """The headers of a read of one solicitacao."""

    read_after: str = header(
        "Read-After",
        "Where the services have answered a write with `Read-After`: the answer shows what was written there. Each "
        "position has its service's name in front; they are separated by commas.",
        "pessoas:7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11:4711",
        pattern=f"^({POSITION}(,{POSITION})*)?$",
        maxLength=LONGEST,
    )


async def show(
    id: int, rows: Repository, conditions: Annotated[ViewHeaders, Header()], coordinator: CoordinatorDep
) -> Response:
    """The coordinator's view of one row. It has no ETag, since it shows rows of other services too."""
    row = await rows.get(id)
    headers = {"Cache-Control": "no-cache"}
    if conditions.not_modified(None):
        return Response(status_code=304, headers=headers)
    return json_response(await coordinator.view(row, conditions.read_after or ""), headers=headers)


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
    followed = followers(remotes, settings)
    caches = Caches(KINDS, remotes, followed, settings) if settings.keeps_rows else None
    description = "Solicitacoes: which pessoa asked for which servico on which produto."
    neighbourhood = (*remotes.values(), *followed.values(), *((caches,) if caches else ()))
    app = service.build("solicitacoes", description, settings, (solicitacoes,), neighbours=neighbourhood)
    app.state.coordinator = Coordinator(remotes, caches)
    return app
