"""The traces of one operation in the logs and in PostgreSQL: a line for each failed call, and the same id
everywhere."""

from __future__ import annotations

import asyncio
import logging

import httpx2
import psycopg
import pytest

from chassis.web.problem import broken
from tests import builders
from tests.applications import Applications, Gateway, Services
from tests.databases import WAITING
from tests.listener import Logged

PAGE = "query Painel { solicitacoes(first: 100) { nodes { id pessoa { nomePessoa } servico { nomeServico } } } }"
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
async def hundred(services: Services, database_urls: dict[str, str]) -> None:
    """A hundred solicitacoes of a hundred pessoas."""
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(100)))
    servico = (await builders.servico(services))["id"]
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(servico, 1 + n, 1) for n in range(100)])


@pytest.mark.usefixtures("hundred")
async def test_a_page_whose_neighbour_is_dead_writes_one_line_for_it(
    gateway: Gateway, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    services.cut("pessoas")

    answer = await gateway.run(PAGE)

    assert len(answer["errors"]) == 100
    [record] = caplog.records
    assert (record.message, record.__dict__["service"]) == ("call failed", "pessoas")
    assert record.__dict__["code"] == "UNAVAILABLE"


@pytest.mark.usefixtures("hundred")
async def test_a_fault_of_ours_writes_one_line_for_all_the_fields_it_failed(
    gateway: Gateway, services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    def disturb(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        return httpx2.Response(405, json={"code": "METHOD_NOT_ALLOWED", "detail": "nós perguntamos mal"})

    caplog.set_level(logging.WARNING)
    services.networks["pessoas"].disturb = disturb

    answer = await gateway.run(PAGE)

    assert [error["extensions"]["code"] for error in answer["errors"]] == ["INTERNAL"] * 100
    assert [record.message for record in caplog.records] == ["resolver failed"]


async def test_the_line_of_a_request_names_its_operation(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, logged: Logged
) -> None:
    caplog.set_level(logging.INFO, "http")

    await gateway.run(PAGE)

    found = logged()
    assert [line.get("operation") for line in found if line["message"] == "POST /graphql"] == ["Painel"]
    assert len({line["trace_id"] for line in found}) == 1


async def test_a_fault_of_ours_outside_of_any_field_is_graphqls_answer_too_and_shows_nothing(
    gateway: Gateway, applications: Applications, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fault(*_: object) -> None:
        raise TypeError("senha=segredo")

    caplog.set_level(logging.WARNING)
    monkeypatch.setattr(applications.gateway_app.state.graphql.operations.executor, "compiled", fault)

    answer = await gateway.client.post("/graphql", json={"query": PAGE})

    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/json; charset=utf-8")
    extensions = {"code": "INTERNAL", "trace_id": answer.headers["x-request-id"]}
    assert answer.json() == {"errors": [{"message": broken().detail, "extensions": extensions}]}
    [record] = caplog.records
    assert record.message == "unhandled exception"
    assert record.exc_info


@pytest.mark.parametrize(("flags", "shown"), [("01", True), ("00", False)])
async def test_a_recorded_trace_goes_from_the_gateway_to_the_statement_in_postgresql(
    gateway: Gateway, database_urls: dict[str, str], flags: str, shown: bool
) -> None:
    """The test looks where an operator would look: in pg_stat_activity, while the statement waits for a lock."""
    asked = {"query": "{ pessoas { nodes { id } } }"}
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-{flags}"}
    url = database_urls["pessoas"]
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as watcher:
        holder.execute("LOCK TABLE pessoa IN ACCESS EXCLUSIVE MODE")
        asking = asyncio.create_task(gateway.client.post("/graphql", json=asked, headers=headers))
        async with asyncio.timeout(30):
            # PostgreSQL has no event for a statement that begins to wait.
            while not (found := watcher.execute(WAITING).fetchall()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        holder.rollback()
        answer = await asking

    assert answer.headers["x-request-id"] == TRACE
    [(statement,)] = found
    assert (f"traceparent='00-{TRACE}-" in statement) == shown
