"""`Idempotency-Key`: a retried POST makes nothing twice and gets the first answer."""

import asyncio

import psycopg
import pytest

from tests import builders
from tests.applications import Services
from tests.resources import ALL, PESSOAS, SOLICITACOES, Resource, named

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.mark.parametrize("resource", ALL, ids=named)
async def test_a_retry_gets_the_first_answer_and_makes_nothing(services: Services, resource: Resource) -> None:
    client, body = resource.client(services), await resource.body(services)

    first = await client.post(resource.path, json=body, headers=KEY)
    retry = await client.post(resource.path, json=body, headers=KEY)

    assert (first.status_code, first.content) == (retry.status_code, retry.content)
    assert all(first.headers[name] == retry.headers[name] for name in ("location", "etag", "content-type"))
    assert retry.headers["idempotency-replayed"] == "true"
    assert len((await client.get(resource.path)).json()) == 1


async def test_fifty_at_once_with_one_key_make_one_row_and_get_one_answer(services: Services) -> None:
    posts = (services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=KEY) for _ in range(50))

    answers = await asyncio.gather(*posts)

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len((await services.pessoas.get(PESSOAS.path)).json()) == 1


async def test_another_body_under_the_same_key_is_422(services: Services) -> None:
    await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=KEY)

    other = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Bia"}, headers=KEY)

    assert (other.status_code, other.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")


async def test_a_failure_is_not_remembered(services: Services) -> None:
    body = {"nome_produto": "Mesa", "categoria_id": 1}
    failed = await services.catalogo.post("/api/produtos/", json=body, headers=KEY)
    await builders.categoria(services)

    retry = await services.catalogo.post("/api/produtos/", json=body, headers=KEY)

    assert (failed.status_code, retry.status_code) == (422, 201)


async def test_a_retry_gets_its_answer_also_when_what_it_refers_to_is_gone(services: Services) -> None:
    body = await SOLICITACOES.body(services)
    first = await services.solicitacoes.post(SOLICITACOES.path, json=body, headers=KEY)
    await services.pessoas.delete(f"{PESSOAS.path}{body['pessoa_id']}/")

    retry = await services.solicitacoes.post(SOLICITACOES.path, json=body, headers=KEY)

    assert (retry.status_code, retry.content) == (201, first.content)


async def test_a_key_expires_after_a_day(services: Services, database_urls: dict[str, str]) -> None:
    await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=KEY)
    with psycopg.connect(database_urls["pessoas"], autocommit=True) as connection:
        connection.execute("UPDATE idempotency SET created_at = created_at - interval '25 hours'")

    later = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Bia"}, headers=KEY)

    assert (later.status_code, later.json()["nome_pessoa"]) == (201, "Bia")


async def test_a_twin_still_running_is_waited_for_and_409_at_the_deadline(
    services: Services, database_urls: dict[str, str]
) -> None:
    with psycopg.connect(database_urls["pessoas"]) as connection:  # a twin that never commits
        connection.execute(
            "INSERT INTO idempotency (key, fingerprint) VALUES (%s, 'of the twin')", [KEY["Idempotency-Key"]]
        )
        waited = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=KEY)
        connection.rollback()

    after = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=KEY)

    assert (waited.status_code, waited.json()["code"]) == (409, "IN_PROGRESS")
    assert after.status_code == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
async def test_a_key_that_is_none_is_400(services: Services, key: str) -> None:
    headers = [(b"Idempotency-Key", key.encode())]

    answer = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=headers)

    assert answer.status_code == 400
