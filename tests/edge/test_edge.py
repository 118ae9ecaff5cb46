"""The edge with real Caddy: one origin, balanced, and no request fails while processes die or are restarted."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus

from chassis.rest.operation_claims import PATH as CLAIMS
from deploy.topology import SERVICES
from tests.edge import stage
from tests.edge.load import PESSOAS, Load
from tests.edge.stage import CALLERS, Edge, Replica
from tests.scraped import parsed

pytestmark = pytest.mark.system  # it starts eight processes and restarts them again and again

FORGED = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "Forwarded": "for=203.0.113.9"}


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory, database_urls: dict[str, str]) -> Iterator[Edge]:
    with stage.running(tmp_path_factory.mktemp("edge"), database_urls) as running:
        yield running


@pytest_asyncio.fixture
async def client(edge: Edge) -> AsyncGenerator[httpx2.AsyncClient]:
    async with edge.client() as open_client:
        yield open_client


async def lost_or_doubled(client: httpx2.AsyncClient, load: Load) -> set[str]:
    """The acknowledged pessoas that are not there exactly once."""
    found: list[str] = []
    url: str | None = "/api/pessoas/?page_size=1000&ordering=-id"
    while url and not set(load.acknowledged) <= set(found):
        answer = await client.get(url)
        found += [row["nome_pessoa"] for row in answer.json()]
        url = answer.links["next"]["url"] if "next" in answer.links else None
    return {name for name in load.acknowledged if found.count(name) != 1}


async def requests(replica: Replica) -> float:
    """How many requests this process has answered, by its own metrics."""
    async with httpx2.AsyncClient(base_url=f"http://{replica.address}:{replica.port}") as direct:
        return parsed(await direct.get("/metrics")).value("http_requests_total")


async def test_requests_are_shared_between_the_processes_of_a_name(edge: Edge, client: httpx2.AsyncClient) -> None:
    balanced = [*edge.replicas["gateway"], *edge.replicas["pessoas"]]
    before = [await requests(one) for one in balanced]
    load = Load(client)

    await load.run_while(asyncio.sleep(0), at_least=400)

    answered = [await requests(one) - earlier for one, earlier in zip(balanced, before, strict=True)]
    assert load.failures == []
    assert min(answered) > 50, answered


async def test_one_that_is_killed_costs_no_answer_and_no_write(edge: Edge, client: httpx2.AsyncClient) -> None:
    load = Load(client)

    async def killings() -> None:
        for name in ("gateway", "pessoas"):
            victim = edge.replicas[name][0]
            await asyncio.sleep(1)
            await asyncio.to_thread(victim.kill)
            await asyncio.sleep(1)
            victim.start()
            await asyncio.to_thread(victim.wait_until_ready)

    await load.run_while(killings(), at_least=500)

    assert load.failures == []
    assert len(load.acknowledged) > 100
    assert await lost_or_doubled(client, load) == set()


async def test_of_5000_requests_none_fails_while_all_are_restarted_one_after_another(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    load = Load(client)

    async def restarts() -> None:
        for replica in (*edge.replicas["gateway"], *edge.replicas["pessoas"]):
            await asyncio.to_thread(replica.restart)

    await load.run_while(restarts(), at_least=5000)

    assert load.sent >= 5000
    assert load.failures == []
    assert await lost_or_doubled(client, load) == set()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/playground/assets/", None),
        ("/api/", "application/json"),
        ("/api/v1/", "application/json"),
        ("/api/produtos", "application/json"),
        ("/api/v1/categorias/", "application/json"),
        ("/catalogo/docs", "text/html"),
        ("/catalogo/docs/swagger-ui.css", "text/css"),
        ("/servicos/openapi.json", "application/json"),
        ("/solicitacoes/api/changes/", "application/json"),
        ("/graphql?query={__typename}", "application/json"),
    ],
)
async def test_one_origin_has_every_interface(client: httpx2.AsyncClient, path: str, kind: str | None) -> None:
    answer = await client.get(path, headers={"Accept": "*/*"})

    assert answer.status_code == (200 if kind else 404), answer.text
    assert (answer.headers["content-type"].split(";")[0]) == (kind or "application/problem+json")


async def test_a_browser_is_led_to_the_playground_with_all_its_files(client: httpx2.AsyncClient) -> None:
    led = await client.get("/")
    page = await client.get(led.headers["location"], headers={"Accept": "text/html"})
    files = re.findall(r'(?:src|href)="([^":]+)"', page.text)

    answers = [await client.get(page.url.join(file)) for file in files]

    assert led.status_code == 302
    assert files
    assert [answer.status_code for answer in answers] == [200] * len(files)


async def test_the_index_names_the_collections_of_all_services(client: httpx2.AsyncClient, edge: Edge) -> None:
    of_services: dict[str, str] = {}
    for service in SERVICES:
        of_services |= json.loads(edge.replicas[service.name][0].ask("/api/")[1])

    assert (await client.get("/api/")).json() == of_services


async def test_links_and_locations_lead_back_to_the_edge(client: httpx2.AsyncClient) -> None:
    created = [
        await client.post(f"{prefix}/servicos/", json={"nome_servico": f"Reparo {uuid.uuid4()}"})
        for prefix in ("/api", "/api/v1", "/api/v1")
    ]
    page = await client.get("/api/v1/servicos/?page_size=2&ordering=-id")
    following = await client.get(page.links["next"]["url"])

    assert [(await client.get(one.headers["location"])).json() for one in created] == [one.json() for one in created]
    assert following.json()[0]["id"] < page.json()[-1]["id"]


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/health/ready", "/health/live", "/gateway/metrics", "/pessoas/metrics", "/pessoas/health/live"),
        *("/pessoas/docs/../metrics", "/pessoas/docs/%2e%2e/metrics", "/pessoas/docs/..%2fmetrics", "//metrics"),
        *("/api/pessoas/../../metrics", "/api/pessoas/%2e%2e/%2e%2e/metrics", "/API/pessoas/"),
        *(f"{CLAIMS}x/", f"/pessoas{CLAIMS}x/"),
    ],
)
async def test_nothing_of_the_inner_network_is_passed_on(client: httpx2.AsyncClient, path: str) -> None:
    url = httpx2.URL(str(client.base_url)).copy_with(raw_path=path.encode())

    answer = await client.get(url)

    assert answer.status_code in (404, 422), answer.text
    assert answer.json()["code"] in ("NOT_FOUND", "INVALID")


async def test_an_error_of_the_edge_is_a_problem_too(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/nowhere")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "NOT_FOUND",
        "detail": "não há nada neste endereço",
    }


async def test_a_service_without_a_process_is_a_problem_that_may_be_retried(
    edge: Edge, client: httpx2.AsyncClient
) -> None:
    [only] = edge.replicas["servicos"]
    only.kill()
    try:
        answer = await client.get("/api/servicos/")
    finally:
        only.start()
        only.wait_until_ready()

    assert (answer.status_code, answer.headers["retry-after"]) in ((502, "1"), (503, "1"))
    assert (answer.json()["code"], answer.json()["status"]) == ("UNAVAILABLE", answer.status_code)
    assert (await client.get("/api/servicos/")).status_code == 200


async def test_large_answers_are_whole_and_compressed(client: httpx2.AsyncClient) -> None:
    for _ in range(10):
        rows = [client.post("/api/categorias/", json={"nome_categoria": f"ç{uuid.uuid4()}" * 2}) for _ in range(60)]
        await asyncio.gather(*rows)
    query = {"query": "{ categorias(first: 500) { nodes { id nomeCategoria } } }"}

    listed = await client.get("/api/categorias/?page_size=500")
    told = await client.post("/graphql", json=query)
    plain = await client.get("/api/categorias/?page_size=500", headers={"Accept-Encoding": "identity"})

    assert len(listed.json()) == len(told.json()["data"]["categorias"]["nodes"]) == 500
    assert {listed.headers["content-encoding"], told.headers["content-encoding"]} <= {"zstd", "gzip"}
    assert "content-encoding" not in plain.headers
    assert plain.json() == listed.json()


async def test_a_row_keeps_its_tag_so_that_it_can_be_changed_on_condition(client: httpx2.AsyncClient) -> None:
    """Caddy compresses what is longer than 512 bytes, and adds the encoding to its ETag; `If-Match` would then never
    match."""
    categoria = (await client.post("/api/categorias/", json={"nome_categoria": "𝄞" * 100})).json()
    new = {"nome_produto": "𝄞" * 100, "categoria_id": categoria["id"]}
    location = (await client.post("/api/produtos/", json=new)).headers["location"]

    read = await client.get(location, headers={"Accept-Encoding": "gzip"})
    again = await client.get(location, headers={"If-None-Match": read.headers["etag"]})
    changed = await client.patch(location, json={"nome_produto": "x"}, headers={"If-Match": read.headers["etag"]})
    stale = await client.patch(location, json={"nome_produto": "y"}, headers={"If-Match": read.headers["etag"]})

    assert int(read.headers["content-length"]) > 512
    assert [again.status_code, changed.status_code, stale.status_code] == [304, 200, 412]


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_event_passes_while_its_stream_stays_open(client: httpx2.AsyncClient, encoding: str) -> None:
    headers = {"Accept": "text/event-stream", "Accept-Encoding": encoding}
    async with asyncio.timeout(30), client.stream("GET", "/servicos/api/changes/", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        created = await client.post("/api/servicos/", json={"nome_servico": f"Pintura {uuid.uuid4()}"})
        events = (json.loads(line[5:]) async for line in stream.aiter_lines() if line.startswith("data:"))
        event = await anext(events)

    assert (event["op"], event["id"]) == ("created", created.json()["id"])


MUDOU = "subscription($apos: String) { servicoMudou(apos: $apos) { operacao servico { nomeServico } } }"


async def begin(client: httpx2.AsyncClient) -> dict[str, Any]:
    """A subscription from now on, as the payload of a request."""
    posicao = (await client.post("/graphql", json={"query": "{ posicao }"})).json()["data"]["posicao"]
    return {"query": MUDOU, "variables": {"apos": posicao}}


async def told_of(nome: str, results: AsyncIterator[dict[str, Any]]) -> dict[str, Any]:
    """The first of these results that is about this servico. There may be others: the gateway that has said what is now
    had perhaps not yet heard of the newest changes."""
    return await anext(one async for one in results if one["data"]["servicoMudou"]["servico"]["nomeServico"] == nome)


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_subscription_is_told_by_events(client: httpx2.AsyncClient, encoding: str) -> None:
    headers = {"Accept": "text/event-stream", "Accept-Encoding": encoding}
    asked, nome = await begin(client), f"Pintura {uuid.uuid4()}"

    async with asyncio.timeout(30), client.stream("POST", "/graphql", json=asked, headers=headers) as stream:
        await client.post("/api/servicos/", json={"nome_servico": nome})
        events = (json.loads(line[5:]) async for line in stream.aiter_lines() if line.startswith("data:"))
        event = await told_of(nome, events)

    assert event == {"data": {"servicoMudou": {"operacao": "CRIADA", "servico": {"nomeServico": nome}}}}


@pytest.mark.parametrize("origin", ["own", None])
async def test_a_subscription_is_told_over_a_websocket(
    edge: Edge, client: httpx2.AsyncClient, origin: str | None
) -> None:
    asked, nome = await begin(client), f"Pintura {uuid.uuid4()}"

    async with asyncio.timeout(30), edge.socket(edge.url if origin else None) as socket:
        await socket.send('{"type": "connection_init"}')
        acknowledged = json.loads(await socket.recv())
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": asked}))
        await client.post("/api/servicos/", json={"nome_servico": nome})
        event = await told_of(nome, (json.loads(message)["payload"] async for message in socket))

    assert acknowledged == {"type": "connection_ack"}
    assert event == {"data": {"servicoMudou": {"operacao": "CRIADA", "servico": {"nomeServico": nome}}}}


async def test_a_page_of_another_origin_opens_no_websocket(edge: Edge) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with edge.socket("https://evil.example"):
            pass

    assert refused.value.response.status_code == 403


async def test_a_strangers_trace_is_not_taken_up(client: httpx2.AsyncClient) -> None:
    stranger = uuid.uuid4().hex

    answer = await client.get("/api/servicos/", headers={"traceparent": f"00-{stranger}-{stranger[:16]}-01"})

    assert answer.status_code == 200
    assert answer.headers["x-request-id"] != stranger


def remaining(answer: httpx2.Response) -> int:
    """What the caller may still use in this minute."""
    [left] = re.findall(r"r=(\d+)", answer.headers["ratelimit"])
    return int(left)


Ask = Callable[[httpx2.AsyncClient, dict[str, str]], Awaitable[httpx2.Response]]


async def ask_rest(client: httpx2.AsyncClient, headers: dict[str, str]) -> httpx2.Response:
    return await client.get("/api/servicos/", headers=headers)


async def ask_graphql(client: httpx2.AsyncClient, headers: dict[str, str]) -> httpx2.Response:
    return await client.post("/graphql", json={"query": "{ servicos { totalCount } }"}, headers=headers)


@pytest.mark.parametrize("ask", [ask_rest, ask_graphql])
async def test_rates_are_counted_for_the_caller_and_not_for_who_they_say_they_are(
    edge: Edge, ask: Ask, early_in_a_minute: None
) -> None:
    async with edge.client(CALLERS[0]) as one, edge.client(CALLERS[1]) as other:
        honest = [remaining(await ask(one, {})) for _ in range(60)]
        forged = [remaining(await ask(one, FORGED)) for _ in range(6)]
        others = [remaining(await ask(other, {})) for _ in range(6)]

    # Each of two gateways counts for itself, and by now each has counted several of these requests.
    assert max(forged) < min(others)
    assert min(forged) < max(honest[-6:])


async def test_logs_name_the_caller_and_not_who_they_say_they_are(edge: Edge) -> None:
    async with edge.client(CALLERS[1]) as client:
        through = await client.get("/api/servicos/?page_size=7", headers=FORGED)
    [service] = edge.replicas["servicos"]
    direct = {**FORGED, "traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-00"}
    service.ask("/api/servicos/?page_size=7", **direct)

    def clients() -> dict[str, str]:
        return {line["trace_id"]: line["client"] for line in service.lines() if line["logger"] == "http"}

    ids = [through.headers["x-request-id"], direct["traceparent"].split("-")[1]]
    stage.eventually(lambda: set(ids) <= set(clients()), lambda: "both requests are logged")
    assert [clients()[id] for id in ids] == [CALLERS[1], stage.ADDRESSES[0]]


@pytest.mark.parametrize(("origin", "status"), [("own", 200), ("https://evil.example", 403)])
async def test_only_pages_of_the_edges_own_origin_may_write(
    edge: Edge, client: httpx2.AsyncClient, origin: str, status: int
) -> None:
    headers = {"Origin": edge.url if origin == "own" else origin}

    answer = await client.post("/graphql", json={"query": PESSOAS}, headers=headers)

    assert answer.status_code == status


async def test_the_edge_itself_is_measured_by_a_port_of_the_inner_network(edge: Edge) -> None:
    async with httpx2.AsyncClient(base_url=edge.metrics_url) as inner:
        answer = await inner.get("/metrics")
        health = await inner.get("/health")

    assert health.status_code == 200
    assert parsed(answer).value("caddy_http_requests_total") > 0
