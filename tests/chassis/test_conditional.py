"""Conditional requests (RFC 9110): strong validators, 304, 412, and no lost update."""

import asyncio

import httpx2
import pytest

from tests import builders
from tests.applications import Services
from tests.resources import NAMED, PESSOAS, PRODUTOS, SOLICITACOES, Resource, named

every_named = pytest.mark.parametrize("resource", NAMED, ids=named)


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
