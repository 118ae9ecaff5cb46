"""GraphQL over HTTP: methods, media types, status codes, and the answers to malformed requests."""

import hashlib
import json
from typing import Any

import pytest

from tests.applications import Gateway

GRAPHQL_JSON = "application/graphql-response+json"
QUERY = "{ __typename }"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("accept", "answered", "status"),
    [
        (None, "application/json", 200),
        ("*/*", "application/json", 200),
        ("application/json", "application/json", 200),
        (GRAPHQL_JSON, GRAPHQL_JSON, 400),
        (f"{GRAPHQL_JSON}, application/json;q=0.9", GRAPHQL_JSON, 400),
        (f"application/json, {GRAPHQL_JSON};q=0.5", "application/json", 200),
        (f"{GRAPHQL_JSON}, application/json, text/event-stream, multipart/mixed", GRAPHQL_JSON, 400),
    ],
)
async def test_the_media_type_decides_the_status_of_a_request_error(
    gateway: Gateway, accept: str | None, answered: str, status: int
) -> None:
    headers = {"Accept": accept} if accept else {}
    for query in ("{", "{ nada }", "query ($x: Int!) { __typename }"):
        answer = await gateway.client.post("/graphql", json={"query": query}, headers=headers)
        assert answer.headers["content-type"] == f"{answered}; charset=utf-8"
        assert answer.status_code == status
        assert "data" not in answer.json()
        assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_get_runs_queries_only(gateway: Gateway) -> None:
    read = await gateway.client.get("/graphql", params={"query": QUERY, "variables": "{}"})
    mutation = 'mutation { excluirPessoa(id: "1") { errors { code } } }'
    write = await gateway.client.get("/graphql", params={"query": mutation})

    assert read.json() == {"data": {"__typename": "Query"}}
    assert (write.status_code, write.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"42",
        b"null",
        b"[]",
        b'[{"query": "{ __typename }"}]',
        b"{}",
        b'{"query": 5}',
        b'{"query": ""}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "variables": "{}"}',
        b'{"query": "{ __typename }", "operationName": 5}',
        b'{"query": "{ __typename }", "extensions": 5}',
        b'{"query": "\xff"}',
        b'{"a":' * 100_000,
        b"[" * 100_000,
    ],
    ids=lambda content: repr(content[:40]),
)
async def test_a_body_that_is_no_request_is_400(gateway: Gateway, content: bytes) -> None:
    answer = await gateway.client.post("/graphql", content=content, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_target_that_is_not_utf_8_is_400(gateway: Gateway) -> None:
    answer = await gateway.client.get("/graphql?query=%7B__typename%7D&operationName=%ff")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "operationName não é UTF-8 válido"


async def test_a_parameters_name_that_is_not_utf_8_is_400(gateway: Gateway) -> None:
    answer = await gateway.client.get("/graphql?query=%7B__typename%7D&%ff=1")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"] == "\\udcff não é UTF-8 válido"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({**JSON, "Content-Encoding": "gzip"}, 415),
        ({**JSON, "Accept": "text/html"}, 406),
        ({**JSON, "Accept": "multipart/mixed"}, 406),
    ],
    ids=str,
)
async def test_another_media_type_is_415_or_406(gateway: Gateway, headers: dict[str, str], status: int) -> None:
    answer = await gateway.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)

    assert answer.status_code == status
    assert answer.json()["errors"][0]["message"]


async def test_other_methods_are_405_and_name_what_is_allowed(gateway: Gateway) -> None:
    answer = await gateway.client.put("/graphql", json={"query": QUERY})

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS, POST")


async def test_an_unknown_or_ambiguous_operation_is_a_request_error(gateway: Gateway) -> None:
    two = "query A { __typename } query B { __typename }"

    for body in ({"query": two}, {"query": two, "operationName": "C"}, {"query": "fragment F on Query { __typename }"}):
        answer = await gateway.client.post("/graphql", json=body, headers={"Accept": GRAPHQL_JSON})
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (400, "BAD_USER_INPUT")
    chosen = await gateway.client.post("/graphql", json={"query": two, "operationName": "B"})
    assert chosen.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("link", ["/graphql", "/graphql?query=%7B__typename%7D", "/graphql?query=%7B&variables=%7B"])
async def test_a_browser_gets_graphiql_whatever_the_link_brings(gateway: Gateway, link: str) -> None:
    answer = await gateway.client.get(link, headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})

    assert answer.headers["content-type"].startswith("text/html")
    assert "GraphiQL" in answer.text


HASH_ONLY = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(QUERY.encode()).hexdigest()}}


@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), (GRAPHQL_JSON, 400)])
async def test_the_hash_of_a_query_alone_is_answered_so_that_the_text_is_sent(
    gateway: Gateway, accept: str, status: int
) -> None:
    """The message has the protocol's own words, since client libraries compare it."""
    answers = [
        await gateway.client.post("/graphql", json={"extensions": HASH_ONLY}, headers={"Accept": accept}),
        await gateway.client.get("/graphql", params={"extensions": json.dumps(HASH_ONLY)}, headers={"Accept": accept}),
    ]

    extensions = {"code": "PERSISTED_QUERY_NOT_SUPPORTED"}
    expected = {"errors": [{"message": "PersistedQueryNotSupported", "extensions": extensions}]}
    assert [(answer.status_code, answer.json()) for answer in answers] == [(status, expected)] * 2


async def test_a_query_with_its_hash_is_a_query(gateway: Gateway) -> None:
    posted = await gateway.client.post("/graphql", json={"query": QUERY, "extensions": HASH_ONLY})
    got = await gateway.client.get("/graphql", params={"query": QUERY, "extensions": json.dumps(HASH_ONLY)})

    assert posted.json() == got.json() == {"data": {"__typename": "Query"}}


async def test_a_final_slash_changes_nothing(gateway: Gateway) -> None:
    client, page = gateway.client, {"Accept": "text/html"}
    mutation = {"query": 'mutation { criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { nomePessoa } } }'}

    requests: list[tuple[str, dict[str, Any]]] = [
        ("POST", {"json": {"query": QUERY}}),
        ("POST", {"json": mutation}),
        ("POST", {"json": {}}),
        ("GET", {"params": {"query": QUERY}}),
        ("GET", {"headers": page}),
        ("HEAD", {"headers": page}),
        ("OPTIONS", {}),
        ("PUT", {}),
    ]
    for method, more in requests:
        plain, slashed = [await client.request(method, path, **more) for path in ("/graphql", "/graphql/")]
        assert (slashed.status_code, slashed.headers.get("allow")) == (plain.status_code, plain.headers.get("allow"))
        assert slashed.content.replace(b"/graphql/", b"/graphql") == plain.content
    metrics = (await client.get("/metrics")).text
    assert 'route="/graphql"' in metrics
    assert 'route="/graphql/"' not in metrics


async def test_the_root_leads_to_graphiql(gateway: Gateway) -> None:
    answer = await gateway.client.get("/")

    assert (answer.status_code, answer.headers["location"]) == (307, "/graphql")


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_an_idempotency_key_that_is_none_is_400(gateway: Gateway, key: str) -> None:
    answer = await gateway.client.post("/graphql", json={"query": QUERY}, headers={"Idempotency-Key": key})

    assert answer.status_code == 400


async def test_an_answer_tells_its_plan_when_the_request_asks_for_it(gateway: Gateway) -> None:
    asked = {"query": "{ pessoas { nodes { id } } }", "extensions": {"plan": True}}
    told = await gateway.client.post("/graphql", json=asked, headers={"X-Query-Cost": "1"})
    silent = await gateway.client.post("/graphql", json={**asked, "extensions": {"plan": False}})

    assert told.json()["data"] == silent.json()["data"] == {"pessoas": {"nodes": []}}
    assert "pessoas: reads a page of pessoas /api/pessoas/" in told.json()["extensions"]["plan"]
    assert told.json()["extensions"]["cost"]["requested"] > 0
    assert "extensions" not in silent.json()


async def test_a_plan_is_asked_for_by_true(gateway: Gateway) -> None:
    answer = await gateway.client.post("/graphql", json={"query": QUERY, "extensions": {"plan": "sim"}})

    assert answer.status_code == 400
    assert "extensions.plan deve ser true ou false" in answer.text
