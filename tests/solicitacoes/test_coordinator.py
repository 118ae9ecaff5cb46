"""The coordinator: references checked on write, shown on read, and what happens while an owner is away."""

import asyncio
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.types import Receive, Scope, Send

from tests import builders
from tests.applications import Services
from tests.neighbours import Disturbance
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


async def test_a_malformed_id_and_a_reference_to_nothing_are_named_at_once_in_the_order_of_the_body(
    services: Services,
) -> None:
    row = await builders.solicitacao(services)
    wrong = {"cor": "azul", "produto_id": 88, "pessoa_id": "x", "servico_id": 77, "id": 9}
    expected = [
        ("servico_id", "NOT_FOUND"),
        ("pessoa_id", "NOT_AN_INTEGER"),
        ("produto_id", "NOT_FOUND"),
    ]

    created = await services.solicitacoes.post(SOLICITACOES.path, json=wrong)
    replaced = await services.solicitacoes.put(SOLICITACOES.at(row), json=wrong)
    merged = await services.solicitacoes.patch(SOLICITACOES.at(row), json={"produto_id": 88, "pessoa_id": None})

    for answer in (created, replaced):
        assert answer.status_code == 422
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
            *expected,
            ("cor", "UNKNOWN_FIELD"),
            ("id", "READ_ONLY"),
        ]
        assert answer.json()["detail"] == "servico_id: serviço 77 não existe"
    assert [(error["field"], error["code"]) for error in merged.json()["errors"]] == [
        ("pessoa_id", "NULL"),
        ("produto_id", "NOT_FOUND"),
    ]
    assert await SOLICITACOES.stored(services, row["id"]) == row


async def test_what_is_known_to_be_wrong_is_told_also_when_an_owner_is_away(services: Services) -> None:
    services.cut("servicos", "catalogo")

    answer = await services.solicitacoes.post(
        SOLICITACOES.path, json={"servico_id": 1, "pessoa_id": 77, "produto_id": "x"}
    )

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("pessoa_id", "NOT_FOUND"),
        ("produto_id", "NOT_AN_INTEGER"),
    ]


async def test_a_body_with_more_mistakes_than_are_told_asks_nobody(services: Services) -> None:
    body = {"servico_id": 1, "pessoa_id": 1, "produto_id": 1} | {f"m{n}": n for n in range(101)}

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "LIMIT_EXCEEDED")
    assert services.calls == []


async def test_references_to_nothing_count_among_the_mistakes_of_a_body(services: Services) -> None:
    body = {"servico_id": 1, "pessoa_id": 1, "produto_id": 1} | {f"m{n}": n for n in range(98)}

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body)

    assert answer.status_code == 422
    assert [error["code"] for error in answer.json()["errors"]] == ["LIMIT_EXCEEDED"]


async def test_an_owner_that_cannot_be_asked_is_503_with_retry_after_and_nothing_is_stored(services: Services) -> None:
    body = await SOLICITACOES.body(services)
    services.cut("servicos")

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body)

    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert int(answer.headers["retry-after"]) > 0
    assert (await services.solicitacoes.get(SOLICITACOES.path)).json() == []


def answers(status: int, body: Any, **headers: str) -> Disturbance:
    """A service that gives this answer to every request."""

    def disturbed(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        spelled = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx2.Response(status, json=body, headers=spelled)

    return disturbed


def as_status(status: int) -> Disturbance:
    """A service whose bodies are right, but whose status is wrong."""

    def disturbed(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        return httpx2.Response(status, content=answer.content, headers={"Location": "/api/pessoas/1/"})

    return disturbed


PRODUTO = {"id": 1, "nome_produto": "Mesa", "categoria": {"id": 1, "nome_categoria": "Móveis"}}
NO_ANSWERS: dict[str, tuple[str, Disturbance]] = {
    "null": ("pessoas", answers(200, None)),
    "a redirect": ("pessoas", answers(302, {}, location="/login")),
    "empty": ("pessoas", answers(200, {})),
    "a list": ("pessoas", answers(200, [{"id": 1, "nome_pessoa": "Ana"}])),
    "a truth value for an id": ("pessoas", answers(200, {"id": True, "nome_pessoa": "Ana"})),
    "a number for a name": ("pessoas", answers(200, {"id": 1, "nome_pessoa": 5})),
    "another row": ("pessoas", answers(200, {"id": 2, "nome_pessoa": "Bia"})),
    "another service's row": ("pessoas", answers(200, {"id": 1, "nome_servico": "Reparo"})),
    "an error as a good answer": ("pessoas", answers(200, {"code": "NOT_FOUND"})),
    "no categoria": ("catalogo", answers(200, PRODUTO | {"categoria": None})),
    "a categoria without its name": ("catalogo", answers(200, PRODUTO | {"categoria": {"id": 1}})),
    **{f"a right one by {status}": ("pessoas", as_status(status)) for status in (201, 202, 206, 307)},
    **{
        f"a refusal by {status}": ("pessoas", answers(status, {"code": "ANY", "detail": "porque sim"}))
        for status in (400, 401, 403, 405, 409, 422, 429, 500, 504)
    },
}
"""By whom, and what."""


@pytest.mark.parametrize("case", NO_ANSWERS)
async def test_what_says_neither_that_a_row_exists_nor_that_it_does_not_is_null_in_a_view_and_503_for_a_write(
    services: Services, case: str
) -> None:
    row = await builders.solicitacao(services)
    owner, services.networks[owner].disturb = NO_ANSWERS[case]

    view = await services.solicitacoes.get(SOLICITACOES.at(row))
    written = await services.solicitacoes.post(
        SOLICITACOES.path, json={key: row[key] for key in ("servico_id", "pessoa_id", "produto_id")}
    )

    shown_as = {"pessoas": "solicitante", "catalogo": "produto_associado"}[owner]
    assert view.status_code == 200
    assert view.json()[shown_as] is None
    assert view.json()["indisponiveis"] == [shown_as]
    assert view.json()["servico_solicitado"]["nome_servico"] == "Reparo"
    assert (written.status_code, written.json()["code"]) == (503, "UNAVAILABLE")
    assert written.json()["service"] == owner
    assert int(written.headers["retry-after"]) > 0
    assert (await services.solicitacoes.get(SOLICITACOES.path)).json() == [row], "nothing is stored"


async def test_what_an_owner_answers_beyond_its_object_is_not_shown(services: Services) -> None:
    row = await builders.solicitacao(services)
    services.networks["pessoas"].disturb = answers(200, {"id": row["pessoa_id"], "nome_pessoa": "Ana", "senha": "x"})

    view = (await services.solicitacoes.get(SOLICITACOES.at(row))).json()

    assert view["solicitante"] == {"id": row["pessoa_id"], "nome_pessoa": "Ana"}
    assert "indisponiveis" not in view


async def test_when_to_come_back_is_the_longest_that_an_owner_has_said_and_the_text_agrees(services: Services) -> None:
    body = await SOLICITACOES.body(services)
    said = {"code": "RATE_LIMITED", "detail": "tente de novo em 37 s"}
    services.networks["pessoas"].disturb = answers(429, said, retry_after="37")
    services.networks["catalogo"].disturb = answers(503, {"code": "UNAVAILABLE"}, retry_after="5")
    services.cut("servicos")

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "37")
    assert answer.json()["service"] == "pessoas"
    assert answer.json()["detail"] == ("não foi possível consultar pessoas; nada foi gravado; tente de novo em 37 s")


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
    services: Services, database_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.Event().wait()

    body = await SOLICITACOES.body(services)
    monkeypatch.setattr(services.networks["pessoas"], "app", never)
    headers = {"X-Timeout-Ms": "3000", "Idempotency-Key": "hung"}

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body, headers=headers)
    with psycopg.connect(database_urls["solicitacoes"]) as holder:
        holder.execute("LOCK TABLE idempotency")  # no earlier answer to this key can be looked for either
        hindered = await services.solicitacoes.post(SOLICITACOES.path, json=body, headers=headers)

    assert (answer.status_code, answer.json()["service"]) == (503, "pessoas")
    assert (hindered.status_code, hindered.json()["service"]) == (503, "pessoas")
