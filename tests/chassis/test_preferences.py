"""`Prefer` (RFC 7240): a write answers with the row, or without it."""

from __future__ import annotations

import pytest

from chassis.rest.collection import dumps
from chassis.web.conditional import etag
from tests.applications import Services
from tests.resources import ALL, PESSOAS, Resource, short_name

every = pytest.mark.parametrize("resource", ALL, ids=short_name)
MINIMAL = {"Prefer": "return=minimal"}
REPRESENTATION = {"Prefer": "return=representation"}


@every
async def test_a_minimal_answer_has_all_but_the_row(services: Services, resource: Resource) -> None:
    client, body = resource.client(services), await resource.body(services)

    created = await client.post(resource.path, json=body, headers=MINIMAL)
    at = created.headers["location"]
    replaced = await client.put(at, json=body, headers=MINIMAL)
    merged = await client.patch(at, json={}, headers=MINIMAL)
    stored = await resource.stored(services, int(at.split("/")[-2]))
    deleted = await client.delete(at, headers=MINIMAL)

    answers = [created, replaced, merged, deleted]
    assert [answer.status_code for answer in answers] == [201, 204, 204, 204]
    assert [answer.content for answer in answers] == [b""] * 4
    assert [answer.headers["preference-applied"] for answer in answers] == ["return=minimal"] * 4
    assert stored is not None
    assert created.headers["etag"] == replaced.headers["etag"] == merged.headers["etag"] == etag(dumps(stored))


@every
async def test_a_representation_is_the_row(services: Services, resource: Resource) -> None:
    client, body = resource.client(services), await resource.body(services)

    created = await client.post(resource.path, json=body, headers=REPRESENTATION)
    at = created.headers["location"]
    replaced = await client.put(at, json=body, headers=REPRESENTATION)
    merged = await client.patch(at, json={}, headers=REPRESENTATION)
    deleted = await client.delete(at, headers=REPRESENTATION)

    answers = [created, replaced, merged, deleted]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200]
    assert [answer.json() for answer in answers] == [created.json()] * 4
    assert [answer.headers["preference-applied"] for answer in answers] == ["return=representation"] * 4
    assert created.headers["etag"] == etag(created.content)


@pytest.mark.parametrize(
    ("lines", "applied"),
    [
        (["return=minimal"], "minimal"),
        (["RETURN=minimal"], "minimal"),
        (["Return = minimal"], "minimal"),
        (['return="minimal"'], "minimal"),
        (['return="mini\\mal"'], "minimal"),
        (["return=minimal; foo=bar"], "minimal"),
        (["respond-async, wait=10, return=minimal"], "minimal"),
        (["respond-async", "return=minimal"], "minimal"),
        (["return=minimal, return=representation"], "minimal"),
        (["return=representation", "return=minimal"], "representation"),
        ([", ,return=minimal"], "minimal"),
        (['x="a, return=representation", return=minimal'], "minimal"),
        (["return=nothing"], None),
        (["return=nothing, return=minimal"], None),
        (["return"], None),
        (['return=""'], None),
        (["return=minimal-ish"], None),
        (["x; return=minimal"], None),
        (['x="return=minimal"'], None),
        (["xreturn=minimal"], None),
        ([""], None),
        ([";"], None),
    ],
)
async def test_preferences_are_read_as_the_standard_has_them(
    services: Services, lines: list[str], applied: str | None
) -> None:
    headers = [("Prefer", line) for line in lines]

    answer = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=headers)

    assert answer.status_code == 201
    assert answer.headers.get("preference-applied") == (f"return={applied}" if applied else None)
    assert bool(answer.content) == (applied != "minimal")


async def test_a_retry_gets_the_first_answer_whatever_it_prefers(services: Services) -> None:
    key, body = {"Idempotency-Key": "once"}, {"nome_pessoa": "Ana"}

    first = await services.pessoas.post(PESSOAS.path, json=body, headers=key | MINIMAL)
    again = await services.pessoas.post(PESSOAS.path, json=body, headers=key)

    assert (again.status_code, again.content) == (201, b"")
    assert again.headers["idempotency-replayed"] == "true"
    assert {**again.headers, "x-request-id": ""} == {
        **first.headers,
        "x-request-id": "",
        "idempotency-replayed": "true",
    }
