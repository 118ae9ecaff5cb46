"""Requests whose bodies are still arriving: their heads are judged at once, and no work is done before they are
complete."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from starlette.types import Receive, Scope, Send

import gateway.app
import gateway.settings
import pessoas.routes
from chassis.observe.metrics import Requests
from chassis.settings import DatabaseSettings
from chassis.web.middleware import RequestMiddleware
from tests import builders
from tests.applications import PATIENT, Services
from tests.chassis.peers import Answer, ServedApplication, serving, until
from tests.issuer import Issuer, mint

NEIGHBOURS = dict.fromkeys(("catalogo_url", "pessoas_url", "servicos_url", "solicitacoes_url"), "http://127.0.0.1:9")
JSON = "Content-Type: application/json"
TOMORROW = int(time.time()) + 86_400
"""When these tokens expire: they are made long before the tests run."""
TOKEN = "Authorization: Bearer " + mint("pessoas:read", "pessoas:write", exp=TOMORROW)
READER = "Authorization: Bearer " + mint("pessoas:read", exp=TOMORROW)


@pytest_asyncio.fixture
async def processes(
    services: Services, database_urls: dict[str, str], tmp_path: Path
) -> AsyncIterator[dict[str, ServedApplication]]:
    """A service and the gateway, which ask for tokens, behind their real server."""
    await builders.pessoa(services)
    common = {**PATIENT, "log_level": "ERROR", "max_body_bytes": 10_000, **Issuer(tmp_path / "jwks.json").settings()}
    service = DatabaseSettings.model_validate({**common, "database_url": database_urls["pessoas"]})
    front = gateway.settings.Settings.model_validate({**common, **NEIGHBOURS})
    async with AsyncExitStack() as stack:
        yield {
            "pessoas": await stack.enter_async_context(serving(pessoas.routes.create_app(service))),
            "gateway": await stack.enter_async_context(serving(gateway.app.create_app(front))),
        }


HURRY = "X-Timeout-Ms: 2000"


def head(method: str, path: str, *headers: str, length: int = 2) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {length}", "Expect: 100-continue"]
    return "".join(f"{line}\r\n" for line in [*lines, *headers, ""]).encode()


def code(answer: Answer) -> str:
    """Of a problem, or of GraphQL's error."""
    body = json.loads(answer.body)
    found: str = body["errors"][0]["extensions"]["code"] if "errors" in body else body["code"]
    return found


@pytest.mark.parametrize(
    ("process", "sent", "status"),
    [
        ("pessoas", head("POST", "/api/pessoas/", JSON), 401),
        ("pessoas", head("POST", "/api/pessoas/", JSON, READER), 403),
        ("pessoas", head("POST", "/api/pessoas/", JSON, TOKEN, "Accept: text/html"), 406),
        ("pessoas", head("POST", "/api/pessoas/", JSON, TOKEN, "X-Timeout-Ms: soon"), 400),
        ("pessoas", head("POST", "/api/pessoas/", JSON, TOKEN, length=10_001), 413),
        ("pessoas", head("POST", "/api/pessoas/", TOKEN), 415),
        ("pessoas", head("POST", "/api/pessoas/query/", TOKEN), 415),
        ("pessoas", head("PUT", "/api/pessoas/1/", TOKEN), 415),
        ("pessoas", head("PATCH", "/api/pessoas/1/", TOKEN), 415),
        ("pessoas", head("GET", "/api/pessoas/1/", TOKEN, length=10_001), 413),
        ("pessoas", head("DELETE", "/api/pessoas/1/", READER), 403),
        ("gateway", head("POST", "/graphql", JSON), 401),
        ("gateway", head("POST", "/graphql", JSON, TOKEN, "Accept: text/html"), 406),
        ("gateway", head("POST", "/graphql", JSON, TOKEN, length=10_001), 413),
        ("gateway", head("POST", "/graphql", TOKEN), 415),
    ],
    ids=lambda value: value.partition(b" HTTP")[0].decode() if isinstance(value, bytes) else str(value),
)
async def test_what_a_head_is_refused_for_is_told_before_any_of_the_body_is_asked_for(
    processes: dict[str, ServedApplication], process: str, sent: bytes, status: int
) -> None:
    peer = await processes[process].peer()
    peer.send(sent)

    assert (await peer.answer()).status == status


@pytest.mark.parametrize(
    ("process", "sent", "body", "status"),
    [
        ("pessoas", head("POST", "/api/pessoas/", JSON, TOKEN, length=20), b'{"nome_pessoa":"Ana"}'[:20], 400),
        ("pessoas", head("POST", "/api/pessoas/", JSON, TOKEN, length=21), b'{"nome_pessoa":"Ana"}', 201),
        ("pessoas", head("GET", "/api/pessoas/1/", TOKEN), b"{}", 200),
        ("pessoas", head("GET", "/health/ready"), b"{}", 200),
        ("pessoas", head("DELETE", "/api/pessoas/1/", TOKEN), b"{}", 204),
        ("gateway", head("POST", "/graphql", JSON, TOKEN, length=26), b'{"query":"{ __typename }"}', 200),
        ("gateway", head("GET", "/graphql?query={__typename}", TOKEN), b"{}", 200),
    ],
    ids=lambda value: value.partition(b" HTTP")[0].decode() if isinstance(value, bytes) else str(value),
)
async def test_no_work_is_done_before_the_end_of_a_body_whether_it_is_read_or_not(
    processes: dict[str, ServedApplication], process: str, sent: bytes, body: bytes, status: int
) -> None:
    served = processes[process]
    peer = await served.peer()
    peer.send(sent)
    told = await peer.answer()
    assert served.state.active_requests == 0
    peer.send(body)

    assert (told.status, (await peer.answer()).status) == (100, status)


async def test_a_complete_request_without_a_place_is_refused_by_each_api_in_its_own_form(
    processes: dict[str, ServedApplication],
) -> None:
    found: dict[str, tuple[int, str, str]] = {}
    for name, path in (("pessoas", "/api/pessoas/"), ("gateway", "/graphql")):
        served = processes[name]
        peer = await served.peer()
        peer.send(head("POST", path, JSON, TOKEN, "Accept: application/json"))
        assert (await peer.answer()).status == 100
        served.state.active_requests = served.state.settings.max_concurrency
        peer.send(b"{}")
        refused = await peer.answer()
        served.state.active_requests = 0
        found[name] = (refused.status, code(refused), refused.headers["retry-after"])

    assert found == dict.fromkeys(("pessoas", "gateway"), (503, "UNAVAILABLE", "1"))


@pytest.mark.parametrize("first", [b"", b" "], ids=["nothing comes", "some comes"])
@pytest.mark.parametrize(
    ("process", "sent"),
    [
        ("pessoas", head("POST", "/api/pessoas/", JSON, TOKEN, HURRY)),
        ("pessoas", head("PATCH", "/api/pessoas/1/", JSON, TOKEN, HURRY)),
        ("pessoas", head("GET", "/api/pessoas/1/", TOKEN, HURRY)),
        ("pessoas", head("DELETE", "/api/pessoas/1/", TOKEN, HURRY)),
        ("gateway", head("POST", "/graphql", JSON, TOKEN, HURRY)),
    ],
    ids=lambda value: value.partition(b" HTTP")[0].decode() if isinstance(value, bytes) else str(value),
)
async def test_the_time_that_a_caller_asks_for_covers_their_own_body(
    processes: dict[str, ServedApplication], process: str, sent: bytes, first: bytes
) -> None:
    peer = await processes[process].peer()
    peer.send(sent)
    assert (await peer.answer()).status == 100
    peer.send(first)
    late = await peer.answer()

    assert (late.status, late.closes, code(late)) == (504, True, "TIMEOUT")
    assert await peer.is_cut_off()


async def test_a_body_that_came_while_the_process_was_stopped_is_not_late() -> None:
    read = list[bytes]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            more = True
            while more:
                message = await receive()
                read.append(message["body"])
                more = message["more_body"]
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        await RequestMiddleware(app, 1_000_000, 2, Requests([]))(scope, receive, send)

    async with serving(limited) as served:
        peer = await served.peer()
        peer.send(b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{")
        await until(lambda: bool(read), "half of the body has arrived")
        os.write(peer.writer.get_extra_info("socket").fileno(), b"}")
        time.sleep(2.1)  # noqa: ASYNC251  # nothing runs in this process until the time is over
        answer = await peer.answer()

    assert (answer.status, read) == (204, [b"{", b"}"])


@pytest.mark.parametrize(("process", "path"), [("pessoas", "/api/pessoas/"), ("gateway", "/graphql")])
async def test_a_body_that_takes_longer_than_any_request_may_is_too_slow(
    services: Services, database_urls: dict[str, str], process: str, path: str
) -> None:
    asked = {"log_level": "ERROR", "operation_timeout": 2, "database_url": database_urls["pessoas"], **NEIGHBOURS}
    if process == "pessoas":
        app = pessoas.routes.create_app(DatabaseSettings.model_validate(asked))
    else:
        app = gateway.app.create_app(gateway.settings.Settings.model_validate(asked))
    async with serving(app) as served:
        peer = await served.peer()
        peer.send(head("POST", path, JSON))
        assert (await peer.answer()).status == 100
        late = await peer.answer()

    assert (late.status, late.closes, code(late)) == (408, True, "TIMEOUT")
    assert "x-request-id" in late.headers, "the request's own clock has ended it, not the connection's"
