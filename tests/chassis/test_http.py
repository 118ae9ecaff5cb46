"""What belongs to HTTP itself: methods, negotiation, the id of a request, health, and a 500 that breaks nothing."""

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from deploy.postgres import free_ports
from tests import builders
from tests.applications import Services
from tests.resources import ALL, PESSOAS, Resource, named

every = pytest.mark.parametrize("resource", ALL, ids=named)


@every
async def test_head_is_get_without_the_body(services: Services, resource: Resource) -> None:
    client, row = resource.client(services), await resource.add(services)

    for path in (resource.path, resource.at(row)):
        head, get = await client.head(path), await client.get(path)
        different = {"x-request-id"}
        assert head.status_code == 200
        assert {k: v for k, v in head.headers.items() if k not in different} == {
            k: v for k, v in get.headers.items() if k not in different
        }


@every
async def test_options_and_405_name_every_method(services: Services, resource: Resource) -> None:
    client, row = resource.client(services), await resource.add(services)
    expected = {
        resource.path: "GET, HEAD, OPTIONS, POST",
        resource.at(row): "DELETE, GET, HEAD, OPTIONS, PATCH, PUT",
        f"{resource.path}query/": "OPTIONS, POST",
    }

    for path, allow in expected.items():
        options, refused = await client.options(path), await client.request("TRACE", path)
        assert (options.status_code, options.headers["allow"]) == (204, allow)
        assert (refused.status_code, refused.headers["allow"]) == (405, allow)


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("*/*", 200),
        ("application/json", 200),
        ("application/*;q=0.5, text/html", 200),
        ("text/html", 406),
        ("application/json;q=0, */*", 406),
    ],
)
async def test_what_is_no_json_cannot_be_had(services: Services, accept: str, status: int) -> None:
    answer = await services.pessoas.get(PESSOAS.path, headers={"Accept": accept})

    assert answer.status_code == status


async def test_a_request_takes_up_its_callers_trace_or_begins_one(services: Services) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    taken = await services.pessoas.get(PESSOAS.path, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    uuid = await services.pessoas.get(PESSOAS.path, headers={"X-Request-ID": "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736"})
    begun = await services.pessoas.get(PESSOAS.path, headers={"traceparent": "nonsense", "X-Request-ID": "x" * 500})

    assert taken.headers["x-request-id"] == uuid.headers["x-request-id"] == trace
    assert re.fullmatch("[0-9a-f]{32}", begun.headers["x-request-id"])
    assert begun.headers["x-request-id"] != trace


async def test_a_service_is_live_and_ready(services: Services) -> None:
    assert (await services.pessoas.get("/health/live")).json() == {"status": "live"}
    assert (await services.pessoas.get("/health/ready")).json() == {"status": "ready"}


async def test_the_openapi_document_and_its_page_are_served(services: Services) -> None:
    document = (await services.catalogo.get("/openapi.json")).json()

    assert set(document["paths"]) == {
        "/api/",
        "/api/categorias/",
        "/api/categorias/query/",
        "/api/categorias/{id}/",
        "/api/produtos/",
        "/api/produtos/query/",
        "/api/produtos/{id}/",
    }


async def test_the_page_at_docs_names_its_files_by_their_version_and_each_may_be_kept(services: Services) -> None:
    page = (await services.catalogo.get("/docs")).text
    named = re.findall(r'(?:src|href)="([^"]+)"', page)

    assert len(named) == 3
    for url in named:
        assert re.fullmatch(r"docs/[\w.-]+\?[\d.]+", url), "relative: a proxy may have a prefix for the service"
        answer = await services.catalogo.get(f"/{url}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    assert (await services.catalogo.get("/docs/__init__.py")).status_code == 404


SECRET = "password=hunter2"


@pytest.fixture
def broken(services: Services) -> Iterator[FastAPI]:
    """The pessoas service with a fault at /broken."""
    app: FastAPI = services.wires["pessoas"].app

    async def fail() -> Any:
        raise RuntimeError(SECRET)

    app.add_api_route("/broken", fail, include_in_schema=False)
    yield app
    app.router.routes.pop()


@pytest.mark.usefixtures("broken")
async def test_a_fault_of_ours_is_a_500_that_shows_nothing_but_the_trace(services: Services) -> None:
    answer = await services.pessoas.get("/broken")

    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")
    assert answer.json()["trace_id"] == answer.headers["x-request-id"]
    assert SECRET not in answer.text


async def test_the_connection_that_carried_a_500_serves_the_next_request(broken: FastAPI) -> None:
    port = free_ports()
    server = uvicorn.Server(uvicorn.Config(broken, port=port, lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  # uvicorn offers no event
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    statuses: list[bytes] = []
    for path in ("/broken", "/health/live", "/broken", "/health/live"):
        writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(re.findall(rb"(?i)content-length: ([0-9]+)", head)[0]))
        statuses.append(head.split(b" ")[1])
    writer.close()
    server.should_exit = True
    await running

    assert statuses == [b"500", b"200", b"500", b"200"]


async def test_a_path_of_no_valid_utf_8_is_an_answer_too(services: Services) -> None:
    assert (await services.pessoas.get("/api/%ff/")).status_code == 404
    await builders.pessoa(services)
    assert (await services.pessoas.get(f"{PESSOAS.path}%ff/")).status_code == 422
