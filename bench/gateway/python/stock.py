"""Stock Strawberry: FastAPI integration, httpx and aiodataloader, put together as their documentation shows.

https://strawberry.rocks/docs/integrations/fastapi, https://strawberry.rocks/docs/guides/dataloaders,
https://www.python-httpx.org/async/, https://github.com/syrusakbary/aiodataloader
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from enum import Enum
from typing import Any

import httpx
import strawberry
from aiodataloader import DataLoader
from fastapi import FastAPI, Request
from strawberry.fastapi import BaseContext, GraphQLRouter

SERVICE_OF = {"pessoas": "PESSOAS", "servicos": "SERVICOS", "produtos": "CATALOGO", "solicitacoes": "SOLICITACOES"}


class RowLoader(DataLoader[int, Any]):
    """Rows of one collection by id."""

    def __init__(self, client: httpx.AsyncClient, collection: str) -> None:
        super().__init__(max_batch_size=1000)
        self.client = client
        self.url = f"{os.environ[SERVICE_OF[collection] + '_URL']}/api/{collection}/"

    async def batch_load_fn(self, keys: list[int]) -> list[Any]:
        response = await self.client.get(self.url, params={"id": ",".join(map(str, keys))})
        found = {row["id"]: row for row in response.raise_for_status().json()}
        return [found.get(key) for key in keys]


class Context(BaseContext):
    def __init__(self, client: httpx.AsyncClient) -> None:
        super().__init__()
        self.client = client
        self.pessoas = RowLoader(client, "pessoas")
        self.servicos = RowLoader(client, "servicos")
        self.produtos = RowLoader(client, "produtos")
        self.solicitacoes = RowLoader(client, "solicitacoes")


Info = strawberry.Info[Context, None]


@strawberry.type
class Categoria:
    id: strawberry.ID
    nome_categoria: str


@strawberry.type
class Produto:
    id: strawberry.ID
    nome_produto: str
    categoria: Categoria


@strawberry.type
class Pessoa:
    id: strawberry.ID
    nome_pessoa: str


@strawberry.type
class Servico:
    id: strawberry.ID
    nome_servico: str


@strawberry.type
class Solicitacao:
    id: strawberry.ID
    data_solicitacao: str
    pessoa_id: strawberry.Private[int]
    servico_id: strawberry.Private[int]
    produto_id: strawberry.Private[int]

    @strawberry.field
    async def pessoa(self, info: Info) -> Pessoa | None:
        row = await info.context.pessoas.load(self.pessoa_id)
        return Pessoa(**row) if row else None

    @strawberry.field
    async def servico(self, info: Info) -> Servico | None:
        row = await info.context.servicos.load(self.servico_id)
        return Servico(**row) if row else None

    @strawberry.field
    async def produto(self, info: Info) -> Produto | None:
        row = await info.context.produtos.load(self.produto_id)
        if row is None:
            return None
        return Produto(id=row["id"], nome_produto=row["nome_produto"], categoria=Categoria(**row["categoria"]))


@strawberry.type
class PageInfo:
    has_next_page: bool
    end_cursor: str | None


@strawberry.type
class SolicitacaoEdge:
    node: Solicitacao


@strawberry.type
class SolicitacaoConnection:
    total_count: int
    page_info: PageInfo
    edges: list[SolicitacaoEdge]


@strawberry.enum
class SolicitacaoOrder(Enum):
    DATA_SOLICITACAO_DESC = "-data_solicitacao"


@strawberry.type
class Query:
    @strawberry.field
    async def solicitacoes(
        self, info: Info, first: int, order_by: SolicitacaoOrder, after: str | None = None
    ) -> SolicitacaoConnection:
        parameters = {"page_size": str(first), "ordering": order_by.value, "count": "true"}
        if after is not None:
            parameters["cursor"] = after
        response = await info.context.client.get(
            f"{os.environ['SOLICITACOES_URL']}/api/solicitacoes/", params=parameters
        )
        rows = response.raise_for_status().json()
        following = response.links.get("next")
        return SolicitacaoConnection(
            total_count=int(response.headers["X-Total-Count"]),
            page_info=PageInfo(
                has_next_page=following is not None,
                end_cursor=httpx.URL(following["url"]).params["cursor"] if following else None,
            ),
            edges=[SolicitacaoEdge(node=Solicitacao(**row)) for row in rows],
        )

    @strawberry.field
    async def solicitacao(self, info: Info, id: strawberry.ID) -> Solicitacao | None:
        row = await info.context.solicitacoes.load(int(id))
        return Solicitacao(**row) if row else None


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    async with httpx.AsyncClient() as client:
        app.state.client = client
        yield


async def context_of(request: Request) -> Context:
    return Context(request.app.state.client)


app = FastAPI(lifespan=lifespan)
app.include_router(
    GraphQLRouter(strawberry.Schema(Query), context_getter=context_of, graphql_ide=None), prefix="/graphql"
)
