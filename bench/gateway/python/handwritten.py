"""The endpoint that one could write by hand instead of a gateway: FastAPI, aiohttp and orjson, used as their
documentation shows.

There is one session for the whole life of the application
(https://docs.aiohttp.org/en/stable/http_request_lifecycle.html). What a page refers to is read in bulk and in parallel,
and each entity is written out once.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import orjson
from fastapi import Depends, FastAPI, Query, Request, Response
from yarl import URL

Row = dict[str, Any]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with aiohttp.ClientSession() as session:
        app.state.session = session
        yield


app = FastAPI(lifespan=lifespan)


async def session_of(request: Request) -> aiohttp.ClientSession:
    return request.app.state.session


Session = Annotated[aiohttp.ClientSession, Depends(session_of)]


@app.get("/painel")
async def painel(
    session: Session, first: Annotated[int, Query(ge=1, le=1000)] = 100, after: str | None = None
) -> Response:
    """The same JSON as the Painel query."""
    url = f"{os.environ['SOLICITACOES_URL']}/api/solicitacoes/"
    parameters = {"page_size": str(first), "ordering": "-data_solicitacao", "count": "true"}
    if after is not None:
        parameters["cursor"] = after
    async with session.get(url, params=parameters, raise_for_status=True) as response:
        rows = orjson.loads(await response.read())
        count = int(response.headers["X-Total-Count"])
        following = response.links.get("next")
    edges = [{"node": node} for node in await laid_out(session, rows)]
    end = URL(str(following["url"])).query["cursor"] if following else None
    info: Row = {"hasNextPage": following is not None, "endCursor": end}
    answer: Row = {"data": {"solicitacoes": {"totalCount": count, "pageInfo": info, "edges": edges}}}
    return Response(orjson.dumps(answer), media_type="application/json")


@app.get("/solicitacoes/{id}")
async def solicitacao(session: Session, id: int) -> Response:
    """The same JSON as the query for a single object."""
    rows = await bulk(session, f"{os.environ['SOLICITACOES_URL']}/api/solicitacoes/", [id])
    nodes = await laid_out(session, rows)
    return Response(orjson.dumps({"data": {"solicitacao": nodes[0] if nodes else None}}), media_type="application/json")


async def laid_out(session: aiohttp.ClientSession, rows: list[Row]) -> list[Row]:
    """The rows with the objects to which they refer."""
    pessoas, servicos, produtos = await asyncio.gather(
        bulk(session, f"{os.environ['PESSOAS_URL']}/api/pessoas/", {row["pessoa_id"] for row in rows}),
        bulk(session, f"{os.environ['SERVICOS_URL']}/api/servicos/", {row["servico_id"] for row in rows}),
        bulk(session, f"{os.environ['CATALOGO_URL']}/api/produtos/", {row["produto_id"] for row in rows}),
    )
    return nodes(rows, pessoas, servicos, produtos)


async def bulk(session: aiohttp.ClientSession, url: str, ids: Iterable[int]) -> list[Row]:
    async with session.get(url, params={"id": ",".join(map(str, ids))}, raise_for_status=True) as response:
        return orjson.loads(await response.read())


def nodes(rows: list[Row], pessoas: list[Row], servicos: list[Row], produtos: list[Row]) -> list[Row]:
    """The data in the form of the GraphQL answer."""
    pessoa_of = {row["id"]: {"id": str(row["id"]), "nomePessoa": row["nome_pessoa"]} for row in pessoas}
    servico_of = {row["id"]: {"id": str(row["id"]), "nomeServico": row["nome_servico"]} for row in servicos}
    produto_of = {
        row["id"]: {
            "id": str(row["id"]),
            "nomeProduto": row["nome_produto"],
            "categoria": {"id": str(row["categoria"]["id"]), "nomeCategoria": row["categoria"]["nome_categoria"]},
        }
        for row in produtos
    }
    return [
        {
            "id": str(row["id"]),
            "dataSolicitacao": row["data_solicitacao"],
            "pessoa": pessoa_of.get(row["pessoa_id"]),
            "servico": servico_of.get(row["servico_id"]),
            "produto": produto_of.get(row["produto_id"]),
        }
        for row in rows
    ]
