"""`Idempotency-Key`: a retried write is done once and gets the first answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import psycopg
import pytest
import pytest_asyncio

import pessoas.routes
from chassis.db.database import Database
from chassis.db.idempotency import BATCH, forget_expired, keep_forgetting
from chassis.db.migrate import upgrade
from deploy.postgres import Cluster
from tests import builders
from tests.applications import Services, database_settings, opened
from tests.resources import ALL, PESSOAS, SOLICITACOES, Resource, short_name

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest_asyncio.fixture
async def patient(services: Services, application_urls: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of another process of pessoas, in which many may wait long for each other."""
    app = pessoas.routes.create_app(database_settings(application_urls["pessoas"]))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test") as client,
    ):
        yield client


@pytest.mark.parametrize("resource", ALL, ids=short_name)
async def test_a_retry_gets_the_first_answer_and_makes_nothing(services: Services, resource: Resource) -> None:
    client, body = resource.client(services), await resource.body(services)

    first = await client.post(resource.path, json=body, headers=KEY)
    retry = await client.post(resource.path, json=body, headers=KEY)

    assert (first.status_code, first.content) == (retry.status_code, retry.content)
    assert all(first.headers[name] == retry.headers[name] for name in ("location", "etag", "content-type"))
    assert retry.headers["idempotency-replayed"] == "true"
    assert len((await client.get(resource.path)).json()) == 1


async def test_fifty_at_once_with_one_key_make_one_row_and_get_one_answer(patient: httpx2.AsyncClient) -> None:
    posts = (patient.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=KEY) for _ in range(50))

    answers = await asyncio.gather(*posts)

    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len((await patient.get(PESSOAS.path)).json()) == 1


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


@pytest_asyncio.fixture
async def database(application_urls: dict[str, str]) -> AsyncIterator[Database]:
    """The database of pessoas."""
    async with opened(database_settings(application_urls["pessoas"])) as database:
        yield database


@pytest.fixture
def own_url(cluster: Cluster) -> str:
    """The URL of a database in which no application forgets anything, without an answer."""
    url = cluster.create_database("forgetting")
    upgrade("pessoas", url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM idempotency")
    return url


@pytest_asyncio.fixture
async def own_database(own_url: str) -> AsyncIterator[Database]:
    async with opened(database_settings(own_url)) as database:
        yield database


def add_answers(url: str, number: int, hours: int) -> None:
    """Adds answers that were given so many hours ago."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO idempotency SELECT format('key-%%s-%%s', %s::int, n), 'fingerprint', '{}', "
            "clock_timestamp() - make_interval(hours => %s) FROM generate_series(1, %s) AS n",
            [hours, hours, number],
        )


def answers_left(url: str) -> int:
    with psycopg.connect(url) as connection:
        [count] = connection.execute("SELECT count(*) FROM idempotency").fetchone() or [None]
    assert isinstance(count, int)
    return count


async def until_left(url: str, number: int) -> None:
    for _ in range(3000):
        if answers_left(url) == number:
            return
        await asyncio.sleep(0.02)
    pytest.fail(f"{answers_left(url)} answers are left, not {number}")


async def test_a_service_that_nobody_writes_to_forgets_answers_whose_time_is_over(own_url: str) -> None:
    add_answers(own_url, 1, hours=25)
    add_answers(own_url, 2, hours=23)
    quiet = pessoas.routes.create_app(database_settings(own_url))

    async with quiet.router.lifespan_context(quiet):
        await until_left(own_url, 2)


async def test_it_forgets_again_and_again_while_the_process_lives(
    services: Services, database: Database, database_urls: dict[str, str]
) -> None:
    url = database_urls["pessoas"]
    async with keep_forgetting(database, every=0.01):
        for _ in range(3):
            add_answers(url, 5, hours=25)
            await until_left(url, 0)


async def test_forgetting_ends_whenever_its_process_does(application_urls: dict[str, str]) -> None:
    """This holds also at the moment when its first connection comes."""
    async with asyncio.timeout(60):
        for n in range(50):
            async with AsyncExitStack() as process:
                database = await process.enter_async_context(opened(database_settings(application_urls["pessoas"])))
                await process.enter_async_context(keep_forgetting(database))
                await asyncio.sleep(0.002 * (n % 20))


async def test_what_has_expired_is_forgotten_in_batches_but_for_what_somebody_holds(
    own_url: str, own_database: Database
) -> None:
    add_answers(own_url, 2 * BATCH + 5, hours=25)
    add_answers(own_url, 3, hours=23)
    with psycopg.connect(own_url) as retry:
        retry.execute("SELECT FROM idempotency WHERE key = 'key-25-7' FOR UPDATE")

        assert await forget_expired(own_database) == 2 * BATCH + 4

    assert answers_left(own_url) == 4
    assert await forget_expired(own_database) == 1


async def test_several_processes_forget_at_once_and_each_answer_is_forgotten_once(
    own_url: str, own_database: Database
) -> None:
    add_answers(own_url, 5 * BATCH, hours=25)

    forgotten = await asyncio.gather(*(forget_expired(own_database) for _ in range(8)))

    assert sum(forgotten) + await forget_expired(own_database) == 5 * BATCH
    assert answers_left(own_url) == 0


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


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
async def test_a_key_that_is_none_is_400(services: Services, method: str, key: str) -> None:
    row = await builders.pessoa(services)
    path = PESSOAS.path if method == "POST" else PESSOAS.at(row)
    headers = [(b"Idempotency-Key", key.encode())]

    answer = await services.pessoas.request(method, path, json={"nome_pessoa": "Ana"}, headers=headers)

    assert answer.status_code == 400
    assert (await services.pessoas.get(PESSOAS.path)).json() == [row]


async def a_change(services: Services, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Another name; for a solicitacao, which has none, another pessoa."""
    renamed = {member: name for member in row if member.startswith("nome_")}
    return renamed or {"pessoa_id": (await builders.pessoa(services))["id"]}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("resource", ALL, ids=short_name)
async def test_a_retried_change_gets_the_first_answer_and_leaves_alone_what_others_changed_since(
    services: Services, resource: Resource, method: str
) -> None:
    client, row = resource.client(services), await resource.add(services)
    ours, theirs = [await a_change(services, row, name) for name in ("Nosso", "De outra pessoa")]
    first = await client.request(method, resource.at(row), json=row | ours, headers=KEY)
    await client.patch(resource.at(row), json=theirs)

    retry = await client.request(method, resource.at(row), json=row | ours, headers=KEY)

    assert (first.status_code, first.json()) == (200, row | ours)
    assert (retry.status_code, retry.content, retry.headers["etag"]) == (200, first.content, first.headers["etag"])
    assert retry.headers["idempotency-replayed"] == "true"
    assert await resource.stored(services, row["id"]) == row | theirs


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "return=representation"}], ids=["bare", "representation"])
@pytest.mark.parametrize("resource", ALL, ids=short_name)
async def test_a_retried_deletion_gets_the_first_answer(
    services: Services, resource: Resource, prefer: dict[str, str]
) -> None:
    client, row = resource.client(services), await resource.add(services)

    first = await client.delete(resource.at(row), headers=KEY | prefer)
    retry = await client.delete(resource.at(row), headers=KEY | prefer)
    without = await client.delete(resource.at(row))

    assert (first.status_code, first.content) == (retry.status_code, retry.content)
    assert (first.json() if first.content else None) == (row if prefer else None)
    assert retry.headers.get("preference-applied") == prefer.get("Prefer")
    assert retry.headers["idempotency-replayed"] == "true"
    assert without.status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_version_is_required_of_the_first_and_not_of_its_retry(services: Services, method: str) -> None:
    created = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"})
    path, body = created.headers["location"], {"nome_pessoa": "Bia"}

    async def send(tag: str) -> tuple[int, bytes]:
        answer = await services.pessoas.request(method, path, json=body, headers=KEY | {"If-Match": tag})
        return answer.status_code, answer.content

    refused = await send('"another"')
    first, retry = [await send(created.headers["etag"]) for _ in "12"]

    assert refused[0] == 412, "and a failure is not remembered"
    assert first == retry
    assert first[0] in (200, 204)


async def test_what_if_none_match_excludes_is_judged_of_the_first_and_not_of_its_retry(services: Services) -> None:
    created = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"})
    path = created.headers["location"]

    async def send(excluded: str) -> int:
        headers = KEY | {"If-None-Match": excluded}
        return (await services.pessoas.patch(path, json={"nome_pessoa": "Bia"}, headers=headers)).status_code

    assert [await send(created.headers["etag"]), await send('"another"'), await send("*")] == [412, 200, 200]


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_twins_at_once_change_once_and_get_one_answer(patient: httpx2.AsyncClient, method: str) -> None:
    """All requests name the same version, as when a client sends a request again; so after the first one, only the
    stored answer can satisfy the others."""
    created = await patient.post(PESSOAS.path, json={"nome_pessoa": "Ana"})
    headers = KEY | {"If-Match": created.headers["etag"], "Prefer": "return=representation"}
    path, body = created.headers["location"], {"nome_pessoa": "Bia"}

    twins = (patient.request(method, path, json=body, headers=headers) for _ in range(30))
    answers = await asyncio.gather(*twins)

    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert len([answer for answer in answers if "idempotency-replayed" not in answer.headers]) == 1


async def test_a_key_is_of_one_request_its_method_path_and_body(services: Services) -> None:
    one, other = [await builders.pessoa(services) for _ in "12"]
    await services.pessoas.patch(PESSOAS.at(one), json={"nome_pessoa": "Ana"}, headers=KEY)

    reused = [
        await services.pessoas.request(method, path, json=body, headers=KEY)
        for method, path, body in (
            ("PATCH", PESSOAS.at(one), {"nome_pessoa": "Bia"}),
            ("PATCH", PESSOAS.at(other), {"nome_pessoa": "Ana"}),
            ("PUT", PESSOAS.at(one), {"nome_pessoa": "Ana"}),
            ("DELETE", PESSOAS.at(one), None),
            ("POST", PESSOAS.path, {"nome_pessoa": "Ana"}),
        )
    ]

    assert {(answer.status_code, answer.json()["code"]) for answer in reused} == {(422, "IDEMPOTENCY_KEY_REUSED")}
    assert (await services.pessoas.get(PESSOAS.path)).json() == [one | {"nome_pessoa": "Ana"}, other]


async def test_a_change_that_was_judged_against_another_row_leaves_no_record(
    services: Services, patient: httpx2.AsyncClient
) -> None:
    """Many changes of one row with keys at once: each is done, or is refused as contended and may then be sent
    again."""
    row = await builders.pessoa(services)

    async def change(n: int) -> None:
        headers = {"Idempotency-Key": f"mudanca-{n}"}
        while True:
            answer = await patient.patch(PESSOAS.at(row), json={"nome_pessoa": f"{n}"}, headers=headers)
            if answer.status_code == 200:
                assert answer.json()["nome_pessoa"] == f"{n}"
                return
            assert (answer.status_code, answer.json()["code"]) == (409, "CONTENDED")

    await asyncio.gather(*map(change, range(20)))
