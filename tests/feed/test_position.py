"""A write that asks for it is told its position among the changes."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from chassis.db.changes import BATCH
from chassis.feed import feed
from tests import builders
from tests.applications import Services
from tests.feed.conftest import connect
from tests.feed.test_changes import CHANGES, changes, position, told
from tests.resources import ALL, PESSOAS, Resource, short_name

ASKING = {"Prefer": "return=minimal, read-after"}


def position_of(answer: httpx2.Response) -> tuple[str, int]:
    epoch, _, seq = answer.headers["read-after"].partition(":")
    return epoch, int(seq)


@pytest.mark.parametrize("resource", ALL, ids=short_name)
async def test_each_kind_of_write_is_told_at_its_position_at_the_latest(services: Services, resource: Resource) -> None:
    client, body = resource.client(services), await resource.body(services)
    last = await position(client)
    epoch = (await client.get(CHANGES)).json()["epoch"]

    created = await client.post(resource.path, json=body, headers=ASKING)
    at = created.headers["location"]
    answers = {
        "created": created,
        "replaced": await client.put(at, json=body, headers=ASKING),
        "merged": await client.patch(at, json=body, headers=ASKING),
        "deleted": await client.delete(at, headers=ASKING),
    }

    found: list[list[str]] = []
    for answer in answers.values():
        assert answer.is_success, answer.text
        assert position_of(answer)[0] == epoch
        items = await changes(client, last, limit=position_of(answer)[1] - last)
        found.append([op for kind, id, op in told(items) if (kind, id) == (resource.noun, int(at.split("/")[-2]))])
        last = position_of(answer)[1]
    assert found == [["created"], ["updated"], ["updated"], ["deleted"]]


async def test_who_does_not_ask_and_who_is_refused_are_told_no_position(services: Services) -> None:
    row = await builders.pessoa(services)
    at = PESSOAS.at(row)

    answers = [
        await services.pessoas.put(at, json={"nome_pessoa": "A"}),
        await services.pessoas.put(at, json={"nome_pessoa": "A"}, headers={"Prefer": "return=minimal"}),
        await services.pessoas.put(at, json={"nome_pessoa": ""}, headers=ASKING),
        await services.pessoas.put(at, json={"nome_pessoa": "B"}, headers={**ASKING, "If-Match": '"another"'}),
        await services.pessoas.delete("/api/pessoas/999999/", headers=ASKING),
        await services.pessoas.get(at, headers=ASKING),
    ]

    assert [answer.status_code for answer in answers] == [200, 204, 422, 412, 404, 200]
    assert not any("read-after" in answer.headers for answer in answers)


async def test_a_write_that_is_repeated_under_its_key_is_told_a_position_too(services: Services) -> None:
    headers, body = {**ASKING, "Idempotency-Key": "position"}, {"nome_pessoa": "A"}

    first = await services.pessoas.post(PESSOAS.path, json=body, headers=headers)
    await builders.pessoa(services)
    again = await services.pessoas.post(PESSOAS.path, json=body, headers=headers)

    assert again.headers["idempotency-replayed"] == "true"
    assert position_of(again)[1] >= position_of(first)[1]


async def test_writes_at_the_same_time_are_each_told_a_position_that_covers_them(services: Services) -> None:
    before = await position(services.pessoas)

    answers = await asyncio.gather(
        *(services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "A"}, headers=ASKING) for _ in range(40))
    )

    seqs = {item["id"]: item["seq"] for item in await changes(services.pessoas, before)}
    for answer in answers:
        assert before < seqs[int(answer.headers["location"].split("/")[-2])] <= position_of(answer)[1] <= before + 40


async def test_a_write_behind_more_changes_than_are_numbered_at_once_waits_for_all_of_them(
    services: Services, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    builders.insert_pessoas(database_urls["pessoas"], ["Muitas"] * (2 * BATCH + 1))

    answer = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "A"}, headers=ASKING)

    assert position_of(answer)[1] == before + 2 * BATCH + 2


async def test_a_write_whose_position_cannot_be_had_soon_is_answered_without_it(
    services: Services, database_urls: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POSITION_SECONDS", 1.0)
    with connect(database_urls["pessoas"]) as other:
        other.execute("SELECT FROM feed_head FOR UPDATE")
        late = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "A"}, headers=ASKING)
        other.rollback()
        monkeypatch.undo()
        later = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "B"}, headers=ASKING)

    assert (late.status_code, "read-after" in late.headers) == (201, False)
    assert (later.status_code, "read-after" in later.headers) == (201, True)
