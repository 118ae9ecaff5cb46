"""The version in a path, and what is said of a resource or a version that will be taken away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from chassis import service
from chassis.rest.collection import Collection
from chassis.settings import DatabaseSettings
from chassis.web.versions import Deprecation
from pessoas.models import PessoaPublic, PessoaWrite
from pessoas.routes import PessoaRepository
from tests.applications import PATIENT, Applications, Services
from tests.issuer import Issuer, bearer
from tests.resources import ALL, Resource
from tests.scraped import scrape

each_collection = pytest.mark.parametrize("collection", ALL, ids=lambda one: one.path)
SINCE = datetime(2023, 6, 30, 20, 59, 59, tzinfo=timezone(timedelta(hours=-3)))
SUNSET = datetime(2027, 1, 1, tzinfo=UTC)
PAGE = "https://app.example.com"


def versioned(path: str) -> str:
    return path.replace("/api/", "/api/v1/", 1)


# -- /api/v1/ ------------------------------------------------------------------------------------------------------


@each_collection
async def test_each_path_also_answers_with_its_version(services: Services, collection: Resource) -> None:
    client, path = collection.client(services), versioned(collection.path)
    body = await collection.body(services)

    created = await client.post(path, json=body)
    at = f"{path}{created.json()['id']}/"
    shown = await client.get(at)
    without_version = await client.get(collection.at(created.json()))
    listed = [await client.get(where) for where in (path, path.rstrip("/"))]
    found = await client.post(f"{path}query/", json={"first": 1})
    merged = await client.patch(at, json={}, headers={"Content-Type": "application/merge-patch+json"})
    written = await client.put(at, json=body)
    headed = await client.head(at)
    refused = await client.post(at)
    options = await client.options(at)
    deleted = await client.delete(at)

    assert [one.status_code for one in (created, shown, *listed, found, merged, written, headed, deleted)] == [
        201,
        *[200] * 7,
        204,
    ]
    assert shown.json() == without_version.json()
    assert created.headers["location"] == at
    assert refused.status_code == 405
    assert refused.headers["allow"] == options.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"
    assert refused.json()["instance"] == at


@each_collection
async def test_links_keep_the_prefix_that_was_asked(services: Services, collection: Resource) -> None:
    client = collection.client(services)
    for _ in range(3):
        await collection.add(services)

    for path in (collection.path, versioned(collection.path)):
        first = await client.get(path, params={"page_size": 1})
        second = await client.get(first.links["next"]["url"])

        assert first.links["next"]["url"].startswith(f"{path}?")
        assert second.links["next"]["url"].startswith(f"{path}?")
        assert second.links["prev"]["url"].startswith(f"{path}?")


async def test_the_index_lists_the_urls_of_the_version_that_was_asked(services: Services) -> None:
    expected = {"categorias": "/api/v1/categorias/", "produtos": "/api/v1/produtos/"}

    for path in ("/api/v1/", "/api/v1"):
        assert (await services.catalogo.get(path)).json() == expected


async def test_there_is_no_other_version(services: Services) -> None:
    for path in ("/api/v2/pessoas/", "/api/v1/v1/pessoas/", "/api/v10/pessoas/", "/v1/pessoas/"):
        assert (await services.pessoas.get(path)).status_code == 404


async def test_metrics_tell_which_version_was_asked(services: Services) -> None:
    before = await scrape(services.pessoas)
    await services.pessoas.get("/api/v1/pessoas/987654/")
    await services.pessoas.get("/api/v1/pessoas/")
    after = await scrape(services.pessoas)

    for route, status in (("/api/v1/pessoas/{id}/", "4xx"), ("/api/v1/pessoas/", "2xx")):
        labels = {"method": "GET", "route": route, "status": status}
        assert after.value("http_requests_total", **labels) - before.value("http_requests_total", **labels) == 1


async def test_each_version_needs_the_same_scopes(protected: Applications) -> None:
    client = protected.services.pessoas

    async def status(method: str, path: str, *scopes: str) -> int:
        headers = bearer(*scopes) if scopes else {}
        return (await client.request(method, path, headers=headers, json={"first": 1})).status_code

    assert await status("GET", "/api/v1/") == 200, "the index is public"
    for path in ("/api/pessoas/", "/api/v1/pessoas/"):
        assert await status("GET", path) == 401
        assert await status("GET", path, "catalogo:read") == 403
        assert await status("GET", path, "pessoas:read") == 200
        assert await status("POST", f"{path}query/", "pessoas:read") == 200
        assert await status("POST", path, "pessoas:read") == 403


# -- deprecated ----------------------------------------------------------------------------------------------------


class ClienteRepository(PessoaRepository):
    noun = label = "cliente"


@pytest_asyncio.fixture(scope="module")
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def start(
    stack: AsyncExitStack,
    url: str,
    issuer: Issuer,
    resource: Deprecation | None = None,
    **versions: Deprecation,
) -> httpx2.AsyncClient:
    """A client of a service with pessoas, once as they are and once as clientes, which may be deprecated."""
    pessoas = Collection("/api/pessoas/", PessoaRepository, public=PessoaPublic, write=PessoaWrite)
    clientes = Collection(
        "/api/clientes/", ClienteRepository, public=PessoaPublic, write=PessoaWrite, deprecated=resource
    )
    given: dict[str, Any] = {"database_url": url, "log_level": "ERROR", "cors_origins": (PAGE,), "api_rate_limit": 1000}
    settings = DatabaseSettings(**PATIENT, **given, **issuer.settings())
    app = service.build("pessoas", "A test.", settings, (clientes, pessoas), deprecated_versions=versions)
    app.openapi()
    await stack.enter_async_context(app.router.lifespan_context(app))
    transport = httpx2.ASGITransport(app=app)
    client = httpx2.AsyncClient(transport=transport, base_url="http://old.test", headers=bearer("pessoas:read"))
    return await stack.enter_async_context(client)


@pytest_asyncio.fixture(scope="module")
async def old_resource(stack: AsyncExitStack, database_urls: dict[str, str], issuer: Issuer) -> httpx2.AsyncClient:
    deprecation = Deprecation(SINCE, SUNSET, "/api/pessoas/")
    return await start(stack, database_urls["pessoas"], issuer, deprecation)


@pytest_asyncio.fixture(scope="module")
async def old_version(stack: AsyncExitStack, database_urls: dict[str, str], issuer: Issuer) -> httpx2.AsyncClient:
    return await start(stack, database_urls["pessoas"], issuer, v1=Deprecation(SINCE, successor="/api/v2/"))


def said(answer: httpx2.Response) -> dict[str, str | None]:
    return {name: answer.headers.get(name) for name in ("deprecation", "sunset", "link")}


async def test_every_answer_of_a_deprecated_resource_says_so_refusals_too(old_resource: httpx2.AsyncClient) -> None:
    expected = {
        "deprecation": "@1688169599",
        "sunset": "Fri, 01 Jan 2027 00:00:00 GMT",
        "link": '</api/pessoas/>; rel="successor-version"',
    }

    answers = {
        200: await old_resource.get("/api/clientes"),
        401: await old_resource.get("/api/clientes/", headers={"Authorization": "Bearer x"}),
        403: await old_resource.delete("/api/clientes/1/"),
        404: await old_resource.get("/api/clientes/987654/"),
        405: await old_resource.post("/api/clientes/1/", headers=bearer("pessoas:write")),
        406: await old_resource.get("/api/clientes/", headers={"Accept": "text/html"}),
        413: await old_resource.post("/api/clientes/", json="x" * 1_000_001, headers=bearer("pessoas:write")),
        422: await old_resource.get("/api/clientes/", params={"nada": 1}),
    }

    assert {status: (answer.status_code, said(answer)) for status, answer in answers.items()} == {
        status: (status, expected) for status in answers
    }


async def test_the_successor_is_linked_below_the_prefix_that_was_asked(old_resource: httpx2.AsyncClient) -> None:
    answer = await old_resource.get("/api/v1/clientes/")

    assert answer.headers["link"] == '</api/v1/pessoas/>; rel="successor-version"'
    assert (await old_resource.get(answer.links["successor-version"]["url"])).status_code == 200


async def test_what_is_not_deprecated_says_nothing(old_resource: httpx2.AsyncClient) -> None:
    for path in ("/api/pessoas/", "/api/v1/pessoas/987654/", "/api/", "/health/live", "/openapi.json", "/nada"):
        assert set(said(await old_resource.get(path)).values()) == {None}


async def test_a_page_of_another_origin_may_read_that_something_is_deprecated(old_resource: httpx2.AsyncClient) -> None:
    answer = await old_resource.get("/api/clientes/", headers={"Origin": PAGE})

    assert {"Deprecation", "Sunset", "Link"} <= set(answer.headers["access-control-expose-headers"].split(", "))


async def test_a_version_is_deprecated_at_both_of_its_prefixes(old_version: httpx2.AsyncClient) -> None:
    expected = {"deprecation": "@1688169599", "sunset": None, "link": '</api/v2/>; rel="successor-version"'}

    for path in ("/api/pessoas/", "/api/v1/clientes/", "/api/", "/api/v1/", "/api/v1/nada/"):
        assert said(await old_version.get(path)) == expected
    for path in ("/api/v2/pessoas/", "/health/live"):
        assert set(said(await old_version.get(path)).values()) == {None}


async def test_those_who_still_ask_are_counted_by_program(old_resource: httpx2.AsyncClient) -> None:
    before = await scrape(old_resource)
    for agent in ("relatorio/1.2 (Linux)", "relatorio/1.3", ""):
        await old_resource.get("/api/clientes/987654/", headers={"User-Agent": agent})
    for n in range(200):
        await old_resource.head("/api/clientes/", headers={"User-Agent": f"{n}{'x' * 500}"})
    await old_resource.get("/api/pessoas/")
    after = await scrape(old_resource)

    def grew(client: str) -> float:
        labels = {"resource": "/api/clientes/", "client": client}
        name = "http_deprecated_requests_total"
        return after.value(name, **labels) - before.value(name, **labels)

    assert grew("relatorio") == 2
    assert grew("unknown") == 1
    assert grew("other") >= 100
    clients = after.label("http_deprecated_requests_total", "client")
    assert len(clients) <= 101 + 1
    assert max(map(len, clients)) <= 100


async def test_the_document_marks_what_is_deprecated(
    old_resource: httpx2.AsyncClient, old_version: httpx2.AsyncClient
) -> None:
    resource = (await old_resource.get("/openapi.json")).json()
    version = (await old_version.get("/openapi.json")).json()

    def marked(document: dict[str, dict[str, dict[str, dict[str, object]]]]) -> set[str]:
        return {path for path, item in document["paths"].items() if all(one.get("deprecated") for one in item.values())}

    clientes = {"/api/clientes/", "/api/clientes/query/", "/api/clientes/{id}/"}
    assert marked(resource) == clientes | {versioned(path) for path in clientes}
    assert marked(version) == set(version["paths"]) >= marked(resource)
    answer = resource["paths"]["/api/clientes/"]["get"]["responses"]["200"]
    assert {"Deprecation", "Sunset"} <= set(answer["headers"]) & set(resource["components"]["headers"])


def test_nothing_ends_before_it_is_deprecated() -> None:
    with pytest.raises(AssertionError, match="RFC 9745"):
        Deprecation(SUNSET, SINCE)
    with pytest.raises(AssertionError, match="time zone"):
        Deprecation(datetime(2026, 1, 1))  # noqa: DTZ001
