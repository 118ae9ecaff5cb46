"""The hand-written endpoint on our chassis: it has the same client, middleware, log lines and process settings as our
gateway.

So the difference between this and the gateway is what GraphQL costs or saves.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Query, Response

from bench.gateway.python.handwritten import Row, nodes
from chassis.neighbours.remote import Remote
from chassis.query.pagination import cursor
from chassis.settings import read
from chassis.web import application as chassis_app
from gateway.settings import Settings


def create_app() -> FastAPI:
    settings = read(Settings)
    pessoas = Remote("pessoas", settings.pessoas_url, settings)
    servicos = Remote("servicos", settings.servicos_url, settings)
    catalogo = Remote("catalogo", settings.catalogo_url, settings)
    solicitacoes = Remote("solicitacoes", settings.solicitacoes_url, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with AsyncExitStack() as stack:
            for remote in (pessoas, servicos, catalogo, solicitacoes):
                await stack.enter_async_context(remote)
            yield

    app = chassis_app.build(
        "bench", "The Painel by hand.", settings, lifespan=lifespan, needs=lambda _method, _path: None
    )

    @app.get("/painel")
    async def _(first: Annotated[int, Query(ge=1, le=1000)] = 100, after: str | None = None) -> Response:
        asked: dict[str, Any] = {"ordering": "-data_solicitacao", "first": first, "count": True}
        if after is not None:
            asked["after"] = after
        page = await solicitacoes.read("/api/solicitacoes/query/", orjson.loads, asked)
        rows: list[Row] = page["items"]
        end = cursor("data_solicitacao", rows[-1]["data_solicitacao"], rows[-1]["id"]) if rows else None
        answer: Row = {
            "totalCount": page["count"],
            "pageInfo": {"hasNextPage": page["has_next"], "endCursor": end},
            "edges": [{"node": node} for node in await laid_out(rows)],
        }
        return Response(orjson.dumps({"data": {"solicitacoes": answer}}), media_type="application/json")

    @app.get("/solicitacoes/{id}")
    async def _(id: int) -> Response:
        found = await laid_out(await bulk(solicitacoes, "/api/solicitacoes/", [id]))
        answer = {"data": {"solicitacao": found[0] if found else None}}
        return Response(orjson.dumps(answer), media_type="application/json")

    async def laid_out(rows: list[Row]) -> list[Row]:
        return nodes(
            rows,
            *await asyncio.gather(
                bulk(pessoas, "/api/pessoas/", {row["pessoa_id"] for row in rows}),
                bulk(servicos, "/api/servicos/", {row["servico_id"] for row in rows}),
                bulk(catalogo, "/api/produtos/", {row["produto_id"] for row in rows}),
            ),
        )

    return app


async def bulk(remote: Remote, path: str, ids: Iterable[int]) -> list[Row]:
    return (await remote.read(path + "query/", orjson.loads, {"ids": list(ids)}))["items"]
