"""The recipe of docs/extending.md for an endpoint beside a collection, done as the page says it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

import catalogo.repository
import catalogo.routes
from chassis import service
from chassis.settings import DatabaseSettings
from deploy.local import ROOT
from tests import builders
from tests.applications import PATIENT, Services

IMPORTS = """
from typing import Annotated
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlmodel import col, func, select
from catalogo.models import Categoria, Produto
from chassis.rest.routes import repository
"""
PATH = "/api/categorias/maiores/"


def followed() -> dict[str, Any]:
    """The names that the recipe's blocks define, beside those of the files into which they are written."""
    page = (ROOT / "docs" / "extending.md").read_text()
    recipe = page.split("## Add an endpoint beside a collection")[1].split("\n## ")[0]
    method, endpoint = re.findall(r"```python\n(.*?)```", recipe, re.DOTALL)
    names: dict[str, Any] = {"Before": catalogo.repository.CategoriaRepository}
    exec(f"{IMPORTS}\nclass CategoriaRepository(Before):\n{method}\n{endpoint}", names)
    return names


@pytest_asyncio.fixture
async def client(database_urls: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    given = {**PATIENT, "database_url": database_urls["catalogo"], "log_level": "ERROR"}
    settings = DatabaseSettings.model_validate(given)
    collections = (catalogo.routes.categorias, catalogo.routes.produtos)
    app = service.build("catalogo", "…", settings, collections, routers=(followed()["router"],))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://catalogo.test") as client,
    ):
        yield client


async def test_it_answers_from_the_database(client: httpx2.AsyncClient, services: Services) -> None:
    small, large = [await builders.categoria(services, nome) for nome in ("Pequena", "Grande")]
    for categoria in (small, large, large):
        await builders.produto(services, categoria_id=categoria["id"])

    answer = await client.get(f"{PATH}?quantas=2")

    assert answer.json() == [
        {"nome_categoria": "Grande", "produtos": 2},
        {"nome_categoria": "Pequena", "produtos": 1},
    ]
    assert (await client.get(f"/api/categorias/{large['id']}/")).json() == large


async def test_it_is_read_as_strictly_as_the_page_says(client: httpx2.AsyncClient, services: Services) -> None:
    for query, code in (
        ("quantas=1&quantas=2", "REPEATED_PARAMETER"),
        ("quantas=%201", "NOT_AN_INTEGER"),
        ("quantas=1_0", "NOT_AN_INTEGER"),
        ("quantas=%2B5", "NOT_AN_INTEGER"),
        ("quantas=5.0", "NOT_AN_INTEGER"),
        ("quantas=101", "OUT_OF_RANGE"),
    ):
        answer = await client.get(f"{PATH}?{query}")
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code), query


async def test_it_is_described_with_its_types_and_its_refusals(client: httpx2.AsyncClient, services: Services) -> None:
    document = (await client.get("/openapi.json")).json()

    described = document["paths"][PATH]["get"]
    schema = {"type": "integer", "minimum": 1, "maximum": 100, "default": 10}
    answers = {"type": "array", "items": {"$ref": "#/components/schemas/Tamanho"}}
    assert described["parameters"][0]["schema"] == schema
    assert described["responses"]["200"]["content"]["application/json"]["schema"] == answers
    assert described["responses"]["422"] == {"$ref": "#/components/responses/UnprocessableContent"}
    assert described["security"] == [{"bearer": ["catalogo:read"]}, {}]
