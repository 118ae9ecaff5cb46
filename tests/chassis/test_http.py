"""HTTP itself: methods, negotiation, the id of a request, health, and a 500 after which everything still works."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from chassis.settings import DatabaseSettings
from chassis.web import documentation
from deploy.postgres import free_ports
from pessoas.routes import create_app
from tests import builders
from tests.applications import Applications, Services
from tests.chassis.peers import serving
from tests.resources import ALL, PESSOAS, Resource, short_name

every = pytest.mark.parametrize("resource", ALL, ids=short_name)


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
        patch = "application/merge-patch+json, application/json" if "PATCH" in allow else None
        assert options.headers.get("accept-patch") == patch


@every
async def test_a_patch_of_another_type_hears_which_are_taken(services: Services, resource: Resource) -> None:
    client, row = resource.client(services), await resource.add(services)

    patched = await client.patch(resource.at(row), content=b"<a/>", headers={"Content-Type": "text/xml"})
    put = await client.put(resource.at(row), content=b"<a/>", headers={"Content-Type": "text/xml"})

    assert (patched.status_code, put.status_code) == (415, 415)
    assert patched.headers["accept-patch"] == patched.headers["accept"]
    assert patched.headers["accept"] == "application/merge-patch+json, application/json"
    assert (put.headers["accept"], "accept-patch" in put.headers) == ("application/json", False)


async def test_every_path_that_answers_get_answers_head(applications: Applications, services: Services) -> None:
    files = [f"/docs/{name}" for name in documentation.FILES]
    common = ["/health/live", "/health/ready", "/metrics", "/"]
    for client in applications.clients():
        ours = client is not applications.gateway.client
        for path in [*common, *(["/api/", "/docs", "/openapi.json", *files] if ours else ["/graphql"])]:
            accept = {"Accept": "text/html" if path == "/graphql" else "*/*"}
            head, get = await client.head(path, headers=accept), await client.get(path, headers=accept)
            allow = (await client.options(path)).headers["allow"]

            assert get.status_code in (200, 307), (client.base_url, path)
            assert (head.status_code, head.content) == (get.status_code, b""), (client.base_url, path)
            assert head.headers.get("content-type") == get.headers.get("content-type"), (client.base_url, path)
            assert {"GET", "HEAD"} <= set(allow.split(", ")), (client.base_url, path)


async def test_the_root_of_a_service_leads_to_its_page(services: Services, protected: Applications) -> None:
    for applied in (services, protected.services):
        for name in applied.networks:
            answer = await applied.client(name).get("/")
            assert (answer.status_code, answer.headers["location"]) == (307, "/docs")


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/nada", "/nada"),
        ("/n%C3%A3o h%C3%A1", "/n%C3%A3o%20h%C3%A1"),
        ("/a%2Fb%3Fc%23d", "/a%2Fb%3Fc%23d"),
        ("/%ff%00", "/%ff%00"),
        ("/a%22%3C%3E", "/a%22%3C%3E"),
        ("/a:b@c!$&'()*+,;=~", "/a:b@c!$&'()*+,;=~"),
        ("/nada?cor=azul", "/nada"),
        (f"{PESSOAS.path}999", f"{PESSOAS.path}999"),
    ],
)
async def test_the_instance_of_a_problem_is_a_uri(services: Services, path: str, instance: str) -> None:
    answer = await services.pessoas.get(path)

    assert answer.status_code == 404
    assert answer.json()["instance"] == instance


async def test_the_instance_is_a_uri_whatever_bytes_a_client_sends(database_urls: dict[str, str]) -> None:
    settings = DatabaseSettings.model_validate({"database_url": database_urls["pessoas"], "log_level": "ERROR"})
    async with serving(create_app(settings)) as served:
        peer = await served.peer()
        for path, instance in (
            (b"/a%zz%", "/a%25zz%25"),
            (b'/a"<>\\^`{|}', "/a%22%3C%3E%5C%5E%60%7B%7C%7D"),
            (b"//evil.test/a", "/.//evil.test/a"),
            (b"http://localhost//evil.test/a", "/.//evil.test/a"),
            (b"/%ff", "/%ff"),
        ):
            peer.send(b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await peer.answer()
            assert (answer.status, json.loads(answer.body)["instance"]) == (404, instance)


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

    paths = {
        "/api/",
        "/api/categorias/",
        "/api/categorias/query/",
        "/api/categorias/{id}/",
        "/api/changes/",
        "/api/produtos/",
        "/api/produtos/query/",
        "/api/produtos/{id}/",
    }
    assert set(document["paths"]) == paths | {path.replace("/api/", "/api/v1/") for path in paths}


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
    app: FastAPI = services.networks["pessoas"].app

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
