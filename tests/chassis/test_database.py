"""The database misbehaves: every request gets an answer, and good answers are back when it is."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import psutil
import psycopg
import pytest
import pytest_asyncio
from fastapi import FastAPI

import pessoas.app
from chassis.db.migrate import upgrade
from chassis.settings import DatabaseSettings
from deploy.postgres import Cluster, free_ports
from tests.resources import PESSOAS

PATIENCE = 60
"""Seconds that bound every wait; nothing here measures time."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Cluster]:
    """A PostgreSQL that may be mistreated."""
    with open(os.devnull, "w") as quiet:
        cluster = Cluster(tmp_path, free_ports(), durable=False, log=quiet.fileno())
        cluster.start()
        upgrade("pessoas", cluster.create_database("pessoas"))
        yield cluster
        cluster.stop()


@pytest.fixture
def app(server: Cluster) -> FastAPI:
    return pessoas.app.create_app(
        DatabaseSettings.model_validate(
            {"database_url": server.url("pessoas"), "database_timeout": 0.5, "log_level": "ERROR"}
        )
    )


@pytest_asyncio.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=PATIENCE) as client,
    ):
        yield client


async def add(client: httpx2.AsyncClient, nome: str = "Ana") -> int:
    return (await client.post(PESSOAS.path, json={"nome_pessoa": nome})).status_code


async def until_good(client: httpx2.AsyncClient) -> None:
    for _ in range(20 * PATIENCE):
        if (await client.get(PESSOAS.path)).status_code == 200:
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"no good answer in {PATIENCE} s")


def backends(server: Cluster) -> list[psutil.Process]:
    """Every process of the server."""
    found = [
        process
        for process in psutil.Process().children(recursive=True)
        if process.name() == "postgres" and str(server.port) in process.cmdline()
    ]
    postmaster = min(found, key=psutil.Process.create_time)  # one that it has just forked is still called like it
    return [postmaster, *postmaster.children(recursive=True)]


async def test_a_frozen_database_is_503_with_retry_after_and_good_answers_come_back(
    server: Cluster, client: httpx2.AsyncClient
) -> None:
    assert await add(client) == 201
    frozen = backends(server)
    for process in frozen:
        process.suspend()
    try:
        answers = await asyncio.gather(*(client.get(f"{PESSOAS.path}1/") for _ in range(50)), add(client, "Bia"))
    finally:
        for process in frozen:
            process.resume()

    for answer in answers[:-1]:
        assert isinstance(answer, httpx2.Response)
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert int(answer.headers["retry-after"]) > 0
        assert "trace_id" in answer.json()
    assert answers[-1] == 503
    await until_good(client)
    assert [row["nome_pessoa"] for row in (await client.get(PESSOAS.path)).json()] == ["Ana"]


async def test_killed_connections_cost_no_client_an_error(server: Cluster, client: httpx2.AsyncClient) -> None:
    await asyncio.gather(*(add(client) for _ in range(20)))
    for _ in range(3):
        with psycopg.connect(server.url("pessoas"), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = 'pessoas' AND pid <> pg_backend_pid()"
            )

        reads = [client.get(PESSOAS.path) for _ in range(20)]
        answers = await asyncio.gather(*reads, *(add(client) for _ in range(20)))

        assert {answer if isinstance(answer, int) else answer.status_code for answer in answers} == {200, 201}


async def test_a_restarted_database_is_found_again(server: Cluster, client: httpx2.AsyncClient) -> None:
    assert await add(client) == 201
    server.stop()
    assert (await client.get(PESSOAS.path)).status_code == 503
    assert (await client.get("/health/live")).status_code == 200
    assert (await client.get("/health/ready")).status_code == 503
    server.start()

    await until_good(client)

    assert (await client.get("/health/ready")).status_code == 200


async def test_a_service_starts_live_but_not_ready_while_its_database_is_away(server: Cluster, app: FastAPI) -> None:
    server.stop()
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test", timeout=PATIENCE) as client,
    ):
        assert (await client.get("/health/live")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 503
        server.start()
        await until_good(client)
        assert (await client.get("/health/ready")).status_code == 200


async def test_a_database_that_is_not_migrated_is_not_ready(server: Cluster, client: httpx2.AsyncClient) -> None:
    with psycopg.connect(server.url("pessoas"), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0001'")
        old = await client.get("/health/ready")
        connection.execute("DROP TABLE alembic_version")
        empty = await client.get("/health/ready")

    assert (old.status_code, empty.status_code) == (503, 503)


async def test_a_row_held_by_somebody_else_is_503_and_nothing_is_half_written(
    server: Cluster, client: httpx2.AsyncClient
) -> None:
    await add(client)
    with psycopg.connect(server.url("pessoas")) as other:
        other.execute("SELECT FROM pessoa FOR UPDATE")
        held = await client.patch(f"{PESSOAS.path}1/", json={"nome_pessoa": "Bia"})
        other.rollback()

    free = await client.patch(f"{PESSOAS.path}1/", json={"nome_pessoa": "Cida"})

    assert (held.status_code, free.status_code, free.json()["nome_pessoa"]) == (503, 200, "Cida")
