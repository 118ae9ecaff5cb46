"""Builders of rows for tests, over REST. A test gives a builder only the values that matter to it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg

from chassis.db.database import FOLD_OPTION
from chassis.text import fold
from tests.applications import Services

Row = dict[str, Any]


async def add(services: Services, service: str, path: str, body: Row) -> Row:
    answer = await services.client(service).post(path, json=body)
    assert answer.status_code == 201, answer.text
    found: Row = answer.json()
    return found


async def categoria(services: Services, nome: str = "Eletrônicos") -> Row:
    return await add(services, "catalogo", "/api/categorias/", {"nome_categoria": nome})


async def produto(services: Services, nome: str = "Notebook", categoria_id: int | None = None) -> Row:
    if categoria_id is None:
        categoria_id = (await categoria(services))["id"]
    return await add(services, "catalogo", "/api/produtos/", {"nome_produto": nome, "categoria_id": categoria_id})


async def pessoa(services: Services, nome: str = "João Silva") -> Row:
    return await add(services, "pessoas", "/api/pessoas/", {"nome_pessoa": nome})


async def servico(services: Services, nome: str = "Reparo") -> Row:
    return await add(services, "servicos", "/api/servicos/", {"nome_servico": nome})


async def solicitacao(services: Services, **ids: int) -> Row:
    """A solicitacao; each referenced row that is not given is created."""
    body = {
        "servico_id": ids.get("servico_id") or (await servico(services))["id"],
        "pessoa_id": ids.get("pessoa_id") or (await pessoa(services))["id"],
        "produto_id": ids.get("produto_id") or (await produto(services))["id"],
    }
    return await add(services, "solicitacoes", "/api/solicitacoes/", body)


def insert_pessoas(database_url: str, names: Iterable[str]) -> None:
    """Creates many pessoas at once, directly in the database."""
    with (
        psycopg.connect(database_url, autocommit=True, options=FOLD_OPTION) as connection,
        connection.cursor() as cursor,
    ):
        cursor.executemany(
            "INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES (%s, %s)", [(name, fold(name)) for name in names]
        )


def insert_produtos(database_url: str, rows: Iterable[tuple[str, int]]) -> None:
    """Many produtos at once: (nome_produto, categoria_id), directly in the database."""
    with (
        psycopg.connect(database_url, autocommit=True, options=FOLD_OPTION) as connection,
        connection.cursor() as cursor,
    ):
        cursor.executemany(
            "INSERT INTO produto (nome_produto, nome_busca, categoria_id) VALUES (%s, %s, %s)",
            [(name, fold(name), categoria) for name, categoria in rows],
        )


def insert_solicitacoes(database_url: str, rows: Iterable[tuple[int, int, int]]) -> None:
    """Many solicitacoes at once: (servico_id, pessoa_id, produto_id), directly in the database."""
    with psycopg.connect(database_url, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO solicitacao (servico_id, pessoa_id, produto_id) VALUES (%s, %s, %s)", list(rows)
        )
