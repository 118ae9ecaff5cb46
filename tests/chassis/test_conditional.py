"""Conditional requests (RFC 9110): strong validators, 304, 412, and no lost update."""

import asyncio

import httpx2
import psycopg
import pytest

from tests import builders
from tests.applications import Applications, Services
from tests.resources import ALL, NAMED, PESSOAS, PRODUTOS, SOLICITACOES, Resource, short_name

every = pytest.mark.parametrize("resource", ALL, ids=short_name)
every_named = pytest.mark.parametrize("resource", NAMED, ids=short_name)


@every_named
async def test_a_known_version_is_not_sent_again(services: Services, resource: Resource) -> None:
    client, row = resource.client(services), await resource.add(services)
    tag = (await client.get(resource.at(row))).headers["etag"]

    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        answer = await client.get(resource.at(row), headers={"If-None-Match": held})
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    assert (await client.get(resource.at(row), headers={"If-None-Match": '"other"'})).status_code == 200


@every_named
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_change_to_another_version_is_412_and_changes_nothing(
    services: Services, resource: Resource, method: str
) -> None:
    client, row = resource.client(services), await resource.add(services)
    tag = (await client.get(resource.at(row))).headers["etag"]
    assert resource.name
    body = {**row, resource.name: "Outro"}

    for held in ('"other"', f"W/{tag}"):
        answer = await client.request(method, resource.at(row), json=body, headers={"If-Match": held})
        assert (answer.status_code, answer.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert (await client.get(resource.at(row))).json() == row
    assert (await client.request(method, resource.at(row), json=body, headers={"If-Match": tag})).is_success


@every_named
async def test_the_tag_follows_the_representation(services: Services, resource: Resource) -> None:
    client = resource.client(services)
    created = await client.post(resource.path, json=await resource.body(services))
    path, before = created.headers["location"], created.headers["etag"]
    assert resource.name

    changed = await client.patch(path, json={resource.name: "Outro"})
    restored = await client.patch(path, json={resource.name: created.json()[resource.name]})

    assert changed.headers["etag"] != before
    assert restored.headers["etag"] == before == (await client.get(path)).headers["etag"]


async def test_the_tag_of_a_produto_changes_when_its_categoria_is_renamed(services: Services) -> None:
    row = await PRODUTOS.add(services)
    before = (await services.catalogo.get(PRODUTOS.at(row))).headers["etag"]

    await services.catalogo.patch(f"/api/categorias/{row['categoria']['id']}/", json={"nome_categoria": "Outra"})

    late = await services.catalogo.put(PRODUTOS.at(row), json=row, headers={"If-Match": before})
    assert late.status_code == 412


async def test_the_coordinator_view_carries_no_tag(services: Services) -> None:
    row = await SOLICITACOES.add(services)

    assert "etag" not in (await services.solicitacoes.get(SOLICITACOES.at(row))).headers


@every
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("lines", [[""], [","], [" , ", ""], ["other"], ['"other'], ['"other"', 'W/"other"']], ids=str)
async def test_an_if_match_that_names_no_version_of_a_row_lets_nobody_change_it(
    services: Services, resource: Resource, method: str, lines: list[str]
) -> None:
    client, row = resource.client(services), await resource.add(services)

    headers = [("If-Match", line) for line in lines]
    answer = await client.request(method, resource.at(row), json=row, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (412, "PRECONDITION_FAILED")
    assert await resource.stored(services, row["id"]) == row


@every
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_version_that_if_none_match_excludes_is_not_changed(
    services: Services, resource: Resource, method: str
) -> None:
    client = resource.client(services)
    created = await client.post(resource.path, json=await resource.body(services))
    row, tag = created.json(), created.headers["etag"]

    for held in ("*", tag, f"W/{tag}", f'"other", {tag}', f'W/"an, other",,{tag}'):
        answer = await client.request(method, resource.at(row), json=row, headers={"If-None-Match": held})
        assert (answer.status_code, answer.json()["code"]) == (412, "PRECONDITION_FAILED"), held
        assert answer.headers["etag"] == tag
    assert await resource.stored(services, row["id"]) == row
    for held in ("", '"other"', f'"a,{tag[1:]}'):
        answer = await client.request(method, resource.at(row), json=row, headers={"If-None-Match": held})
        assert answer.is_success, held
        row = row if method != "DELETE" else await resource.add(services)


@every_named
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_read_is_of_the_version_that_if_match_names(
    services: Services, resource: Resource, method: str
) -> None:
    client, row = resource.client(services), await resource.add(services)
    tag = (await client.get(resource.at(row))).headers["etag"]

    async def status(**conditions: str) -> int:
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        answer = await client.request(method, resource.at(row), headers=headers)
        assert answer.headers["etag"] == tag
        return answer.status_code

    for held in ('"other"', f"W/{tag}", "", ","):
        assert await status(If_Match=held) == 412
        assert await status(If_Match=held, If_None_Match=tag) == 412, "If-Match is judged first"
    for held in ("*", tag, f'"other", {tag}', f'"a,b",{tag}'):
        assert await status(If_Match=held) == 200
        assert await status(If_Match=held, If_None_Match=tag) == 304
    assert await status(If_None_Match="") == 200


@every
async def test_a_collection_has_no_version_that_a_condition_could_name(services: Services, resource: Resource) -> None:
    client, body = resource.client(services), await resource.body(services)

    async def status(method: str, **conditions: str) -> int:
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        answer = await client.request(method, resource.path, json=body, headers=headers)
        assert "etag" not in answer.headers or answer.status_code == 201
        return answer.status_code

    for held in ('"other"', "", ","):
        assert [await status(method, If_Match=held) for method in ("POST", "GET", "HEAD")] == [412, 412, 412]
    assert await status("POST", If_None_Match="*") == 412, "the collection is there"
    assert (await client.get(resource.path)).json() == []
    assert await status("GET", If_None_Match="*") == 304
    assert [await status(method, If_Match="*") for method in ("POST", "GET")] == [201, 200]
    assert [await status(method, If_None_Match='"other"') for method in ("POST", "GET")] == [201, 200]


async def test_the_coordinator_view_has_no_version_that_a_condition_could_name(services: Services) -> None:
    created = await services.solicitacoes.post(SOLICITACOES.path, json=await SOLICITACOES.body(services))
    path, tag = created.headers["location"], created.headers["etag"]

    async def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await services.solicitacoes.get(path, headers=named)).status_code

    assert [await status(If_Match=held) for held in (tag, "", "*")] == [412, 412, 200]
    assert [await status(If_None_Match=held) for held in (tag, "", "*")] == [200, 200, 304]


@every
async def test_the_richer_read_has_no_conditions(services: Services, resource: Resource) -> None:
    row = await resource.add(services)

    for condition in ({"If-Match": '"other"'}, {"If-Match": ""}, {"If-None-Match": "*"}):
        answer = await resource.client(services).post(f"{resource.path}query/", json={}, headers=condition)
        assert answer.json()["items"] == [row]


@every
@pytest.mark.parametrize("condition", [{"If-Match": '"other"'}, {"If-None-Match": "*"}], ids=str)
async def test_what_is_wrong_whatever_the_version_is_said_before_a_condition(
    services: Services, resource: Resource, condition: dict[str, str]
) -> None:
    client, row = resource.client(services), await resource.add(services)
    missing, wrong = f"{resource.path}999/", dict.fromkeys(await resource.body(services), "")

    async def status(method: str, path: str, body: object) -> int:
        return (await client.request(method, path, json=body, headers=condition)).status_code

    assert [await status(method, missing, row) for method in ("GET", "PUT", "PATCH", "DELETE")] == [404] * 4
    assert [await status(method, f"{resource.path}x/", row) for method in ("GET", "PUT", "DELETE")] == [422] * 3
    assert [await status(method, resource.at(row), wrong) for method in ("PUT", "PATCH")] == [422] * 2
    assert await status("POST", resource.path, wrong) == 422
    assert await status("GET", f"{resource.path}?nada=1", None) == 422


async def test_who_may_not_write_hears_so_before_a_condition(protected: Applications, services: Services) -> None:
    row = await builders.pessoa(services)

    for condition in ({"If-Match": '"other"'}, {"If-None-Match": "*"}):
        answer = await protected.services.pessoas.delete(PESSOAS.at(row), headers=condition)
        assert answer.status_code == 401


@pytest.mark.parametrize("condition", ["If-Match", "If-None-Match"])
async def test_a_condition_is_judged_of_the_row_as_others_leave_it(
    services: Services, database_urls: dict[str, str], condition: str
) -> None:
    row = await builders.pessoa(services, "Bia")
    bia = (await services.pessoas.get(PESSOAS.at(row))).headers["etag"]
    ana = (await services.pessoas.patch(PESSOAS.at(row), json={"nome_pessoa": "Ana"})).headers["etag"]
    headers = {condition: {"If-Match": ana, "If-None-Match": bia}[condition]}
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async with (
        asyncio.timeout(30),
        await psycopg.AsyncConnection.connect(database_urls["pessoas"], autocommit=True) as watch,
        await psycopg.AsyncConnection.connect(database_urls["pessoas"]) as other,
    ):
        await other.execute("UPDATE pessoa SET nome_pessoa = 'Bia', nome_busca = 'bia'")  # until this block ends
        change = asyncio.create_task(
            services.pessoas.patch(PESSOAS.at(row), json={"nome_pessoa": "Caio"}, headers=headers)
        )
        while (await watch.execute(waiting)).rowcount == 0:  # noqa: ASYNC110  # PostgreSQL tells nobody who waits
            await asyncio.sleep(0.01)

    assert (await change).status_code == 412
    assert (await services.pessoas.get(PESSOAS.at(row))).json() == row


async def test_references_are_not_looked_for_when_a_condition_fails(services: Services) -> None:
    body = await SOLICITACOES.body(services)
    services.cut("pessoas", "servicos", "catalogo")

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body, headers={"If-Match": '"other"'})

    assert answer.status_code == 412


async def test_guarded_increments_of_many_clients_lose_none(services: Services) -> None:
    row = await builders.pessoa(services, "0")
    path, clients, each = PESSOAS.at(row), 8, 25

    async def increment(client: httpx2.AsyncClient) -> None:
        done = 0
        while done < each:
            read = await client.get(path)
            changed = await client.put(
                path,
                json={"nome_pessoa": str(int(read.json()["nome_pessoa"]) + 1)},
                headers={"If-Match": read.headers["etag"]},
            )
            assert changed.status_code in (200, 412)
            done += changed.status_code == 200

    await asyncio.gather(*(increment(services.pessoas) for _ in range(clients)))

    assert (await services.pessoas.get(path)).json()["nome_pessoa"] == str(clients * each)
