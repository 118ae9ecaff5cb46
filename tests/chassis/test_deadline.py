"""The time that a request has left: what a caller asks for, what travels on, and what PostgreSQL is told."""

from __future__ import annotations

import httpx2
import psycopg
import pytest

from chassis import deadline
from chassis.db.database import Database
from tests import builders
from tests.applications import Applications, Gateway, Services
from tests.resources import PESSOAS


@pytest.mark.parametrize("asked", ["0", "-1", "1.5", "soon", "", "9999999999"])
async def test_a_time_that_is_no_whole_number_of_milliseconds_is_malformed(services: Services, asked: str) -> None:
    answer = await services.pessoas.get(PESSOAS.path, headers={"X-Timeout-Ms": asked})

    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert "X-Timeout-Ms" in answer.json()["detail"]


async def test_a_request_ends_when_its_time_is_over_and_its_statement_too(
    services: Services, database_urls: dict[str, str]
) -> None:
    with psycopg.connect(database_urls["pessoas"]) as holder:
        holder.execute("LOCK TABLE pessoa")

        answer = await services.pessoas.get(PESSOAS.path, headers={"X-Timeout-Ms": "300"})

        waiting = holder.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'").fetchone()
    assert (answer.status_code, answer.json()["code"]) == (504, "TIMEOUT")
    assert waiting == (0,)
    assert (await services.pessoas.get(PESSOAS.path)).status_code == 200


async def test_the_server_is_told_of_a_shorter_time_and_of_the_usual_one_after_it(applications: Applications) -> None:
    database: Database = applications.services.wires["pessoas"].app.state.database

    async def told() -> str:
        return (await database.fetch("SELECT setting FROM pg_settings WHERE name = 'statement_timeout'", ()))[0][0]

    usual = await told()
    token = deadline.begin(0.9)
    shorter = await told()
    deadline.end(token)

    assert usual == "1750"
    assert 0 < int(shorter) <= 900
    assert {await told() for _ in range(5)} == {usual}


async def test_what_is_left_travels_from_the_gateway_to_every_service(gateway: Gateway, services: Services) -> None:
    await builders.solicitacao(services)
    told: dict[str, int] = {}

    def note(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        told[request.url.host] = int(request.headers["x-timeout-ms"])
        return answer

    for wire in services.wires.values():
        wire.disturb = note
    query = "{ solicitacoes { nodes { pessoa { id } servico { id } produto { id } } } }"

    await gateway.client.post("/graphql", json={"query": query}, headers={"X-Timeout-Ms": "5000"})

    assert len(told) == 4
    assert all(0 < milliseconds <= 5000 for milliseconds in told.values())


async def test_an_operation_that_runs_out_of_time_answers_what_has_arrived(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    row = await builders.solicitacao(services)
    query = "{ solicitacoes { nodes { id pessoa { nomePessoa } servico { id } } } }"
    with psycopg.connect(database_urls["pessoas"]) as holder:
        holder.execute("LOCK TABLE pessoa")

        answer = await gateway.client.post("/graphql", json={"query": query}, headers={"X-Timeout-Ms": "400"})

    node = {"id": str(row["id"]), "pessoa": None, "servico": {"id": str(row["servico_id"])}}
    assert answer.json()["data"] == {"solicitacoes": {"nodes": [node]}}
    [error] = answer.json()["errors"]
    assert error["path"] == ["solicitacoes", "nodes", 0, "pessoa"]
    assert error["extensions"] == {"code": "TIMEOUT", "service": "pessoas"}
