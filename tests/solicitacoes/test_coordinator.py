"""The coordinator: references checked on write, shown on read, and what happens while an owner is away."""

import asyncio

import pytest
from starlette.types import Receive, Scope, Send

from tests import builders
from tests.applications import Services
from tests.resources import SOLICITACOES


async def test_one_solicitacao_shows_its_three_objects_as_their_services_do(services: Services) -> None:
    row = await builders.solicitacao(services)

    view = await services.solicitacoes.get(SOLICITACOES.at(row))

    assert view.json() == {
        "id": row["id"],
        "data_solicitacao": row["data_solicitacao"],
        "servico_solicitado": (await services.servicos.get(f"/api/servicos/{row['servico_id']}/")).json(),
        "solicitante": (await services.pessoas.get(f"/api/pessoas/{row['pessoa_id']}/")).json(),
        "produto_associado": (await services.catalogo.get(f"/api/produtos/{row['produto_id']}/")).json(),
    }


async def test_what_was_deleted_elsewhere_is_null_and_its_id_is_kept(services: Services) -> None:
    row = await builders.solicitacao(services)
    await services.pessoas.delete(f"/api/pessoas/{row['pessoa_id']}/")

    view = (await services.solicitacoes.get(SOLICITACOES.at(row))).json()

    assert view["solicitante"] is None
    assert "indisponiveis" not in view
    assert await SOLICITACOES.stored(services, row["id"]) == row


async def test_an_owner_that_cannot_answer_is_null_and_named(services: Services) -> None:
    row = await builders.solicitacao(services)
    services.cut("pessoas", "catalogo")

    view = await services.solicitacoes.get(SOLICITACOES.at(row))

    assert view.status_code == 200
    assert view.json()["solicitante"] is view.json()["produto_associado"] is None
    assert view.json()["servico_solicitado"]["nome_servico"] == "Reparo"
    assert view.json()["indisponiveis"] == ["solicitante", "produto_associado"]


async def test_every_missing_reference_is_named_at_once_and_nothing_is_stored(services: Services) -> None:
    body = await SOLICITACOES.body(services)

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body | {"pessoa_id": 77, "produto_id": 88})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "pessoa_id", "code": "NOT_FOUND", "message": "pessoa 77 não existe"},
        {"field": "produto_id", "code": "NOT_FOUND", "message": "produto 88 não existe"},
    ]
    assert (await services.solicitacoes.get(SOLICITACOES.path)).json() == []


async def test_an_owner_that_cannot_be_asked_is_503_with_retry_after_and_nothing_is_stored(services: Services) -> None:
    body = await SOLICITACOES.body(services)
    services.cut("servicos")

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    assert (await services.solicitacoes.get(SOLICITACOES.path)).json() == []


async def test_only_references_that_change_are_checked(services: Services) -> None:
    row = await builders.solicitacao(services)
    await services.servicos.delete(f"/api/servicos/{row['servico_id']}/")
    other = await builders.pessoa(services, "Outra")
    services.calls.clear()

    kept = await services.solicitacoes.put(SOLICITACOES.at(row), json=row | {"pessoa_id": other["id"]})
    refused = await services.solicitacoes.patch(SOLICITACOES.at(row), json={"servico_id": 999})

    assert (kept.status_code, kept.json()["pessoa_id"]) == (200, other["id"])
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "servico_id")
    assert [call.service for call in services.calls] == ["pessoas", "servicos"]


async def test_the_request_id_travels_to_the_neighbours(services: Services) -> None:
    row = await builders.solicitacao(services)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    view = await services.solicitacoes.get(
        SOLICITACOES.at(row), headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    )

    assert view.headers["x-request-id"] == trace
    assert {call.trace for call in services.calls[-3:]} == {trace}


async def test_the_date_is_utc_set_by_the_server_and_never_changes(services: Services) -> None:
    row = await SOLICITACOES.add(services)

    changed = await services.solicitacoes.patch(SOLICITACOES.at(row), json={"pessoa_id": row["pessoa_id"]})

    assert row["data_solicitacao"].endswith("Z")
    assert changed.json()["data_solicitacao"] == row["data_solicitacao"]


async def test_an_owner_that_takes_all_the_time_there_is_is_named_all_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    body = await SOLICITACOES.body(services)
    monkeypatch.setattr(services.wires["pessoas"], "app", never)
    headers = {"X-Timeout-Ms": "300", "Idempotency-Key": "hung"}

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body, headers=headers)

    assert (answer.status_code, answer.json()["service"]) == (503, "pessoas")
