"""Instants as RFC 3339 writes them: the same in filters, cursors and bodies, and in both APIs."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import psycopg
import pytest

from chassis import instants
from tests import builders
from tests.applications import Gateway, Services
from tests.resources import SOLICITACOES

STORED = "2025-12-31T23:59:59.123456Z"
SPELLINGS = [
    "2025-12-31T23:59:59.123456Z",
    "2025-12-31t23:59:59.123456z",
    "2025-12-31 23:59:59.123456Z",
    "2025-12-31T23:59:59.123456+00:00",
    "2025-12-31T23:59:59.123456-00:00",
    "2025-12-31T20:59:59.123456-03:00",
    "2026-01-01T05:44:59.123456+05:45",
    "2026-01-01T22:59:59.123456+23:00",
    "2025-12-31T23:59:59.1234560Z",
    "2025-12-31T23:59:59.123456000000Z",
]
NONE = [
    "",
    "2025-12-31",
    "2025-12-31T23:59:59",
    "2025-12-31T23:59Z",
    "2025-12-31T23:59:59.Z",
    "2025-12-31T23:59:59,5Z",
    "2025-12-31T23:59:59+0300",
    "2025-12-31T23:59:59+03",
    "2025-12-31T23:59:59+03:60",
    "2025-12-31T23:59:59Z\n",
    "\uff12\uff10\uff12\uff15-12-31T23:59:59Z",
    "1767225599",
]
NO_SUCH = [
    "2025-02-30T12:00:00Z",
    "2025-02-29T12:00:00Z",
    "2025-13-01T12:00:00Z",
    "2025-00-01T12:00:00Z",
    "0000-01-01T12:00:00Z",
    "2025-01-01T24:00:00Z",
    "2025-01-01T12:60:00Z",
    "2025-01-01T12:00:61Z",
    "2025-01-01T12:00:00+24:00",
    "2016-12-31T12:59:60Z",
    "2016-12-31T23:59:60-03:00",
    "9999-12-31T23:59:60Z",
    "9999-12-31T23:59:59.9999999Z",
]


@pytest.mark.parametrize("text", SPELLINGS)
def test_one_instant_has_many_spellings(text: str) -> None:
    assert instants.read(text).equals(datetime(2025, 12, 31, 23, 59, 59, 123456, UTC))


@pytest.mark.parametrize("text", ["2016-12-31T23:59:60Z", "2016-12-31T20:59:60-03:00", "2017-01-01T05:44:60+05:45"])
def test_a_leap_second_is_the_first_second_of_the_next_day(text: str) -> None:
    assert instants.read(text).equals(datetime(2017, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("texts", "reason"),
    [(NONE, instants.NOT_AN_INSTANT), (NO_SUCH, instants.NO_SUCH_INSTANT)],
    ids=["no instant", "no such day"],
)
def test_what_is_no_instant_is_refused_with_the_reason(texts: list[str], reason: str) -> None:
    for text in texts:
        with pytest.raises(ValueError, match=f"^{reason}$"):
            instants.read(text)


@pytest.mark.parametrize("value", [None, True, 1767225599, 1.5, ["2025-12-31T23:59:59Z"], {}])
def test_only_text_is_an_instant(value: object) -> None:
    with pytest.raises(ValueError, match=instants.NOT_AN_INSTANT):
        instants.read(value)


@pytest.fixture
async def row(services: Services, database_urls: dict[str, str]) -> dict[str, Any]:
    """The one solicitação there is, of that instant."""
    added = await SOLICITACOES.add(services)
    with psycopg.connect(database_urls["solicitacoes"], autocommit=True) as connection:
        connection.execute("UPDATE solicitacao SET data_solicitacao = %s", [STORED])
    return added | {"data_solicitacao": STORED}


async def test_one_instant_in_any_spelling_finds_the_row(
    services: Services, gateway: Gateway, row: dict[str, Any]
) -> None:
    query = (
        "query ($at: DateTime!) { solicitacoes(filter: {dataSolicitacao: {eq: $at}}) { nodes { dataSolicitacao } } }"
    )
    for text in SPELLINGS:
        listed = await services.solicitacoes.get(SOLICITACOES.path, params={"data_solicitacao": text})
        asked = {"filter": {"data_solicitacao": {"eq": text}}}
        queried = await services.solicitacoes.post(f"{SOLICITACOES.path}query/", json=asked)

        assert listed.json() == queried.json()["items"] == [row], text
        assert (await gateway.data(query, at=text))["solicitacoes"]["nodes"] == [{"dataSolicitacao": STORED}]


FINER = {"1234559": -1, "123455999999": -1, "1234561": 1, "123456000000001": 1}
"""Fractions of the stored second, and on which side of the stored instant they are."""
HOLDS = {"eq": (), "gt": (-1,), "gte": (-1,), "lt": (1,), "lte": (1,)}
"""Each operator, with the sides of the stored instant on which a value must be for the row to match."""


@pytest.mark.parametrize("operator", HOLDS)
async def test_an_instant_finer_than_what_is_stored_is_compared_exactly(
    services: Services, gateway: Gateway, row: dict[str, Any], operator: str
) -> None:
    query = "query ($f: SolicitacaoFilter) { solicitacoes(filter: $f) { totalCount } }"
    for fraction, side in FINER.items():
        text = f"2025-12-31T23:59:59.{fraction}Z"
        condition = {"data_solicitacao": {operator: text}}
        found = 1 if side in HOLDS[operator] else 0

        for filter, expected in ((condition, found), ({"not": condition}, 1 - found)):
            queried = await services.solicitacoes.post(f"{SOLICITACOES.path}query/", json={"filter": filter})
            assert len(queried.json()["items"]) == expected, (text, filter)
        graphql = await gateway.data(query, f={"dataSolicitacao": {operator: text}})
        assert graphql["solicitacoes"]["totalCount"] == found
        if operator in ("eq", "gte", "lte"):
            name = "data_solicitacao" if operator == "eq" else f"data_solicitacao__{operator}"
            listed = await services.solicitacoes.get(SOLICITACOES.path, params={name: text})
            assert len(listed.json()) == found


async def test_a_leap_second_is_taken_by_both_apis(services: Services, gateway: Gateway, row: dict[str, Any]) -> None:
    leap = "2025-12-31T23:59:60Z"
    query = f'{{ solicitacoes(filter: {{dataSolicitacao: {{lt: "{leap}"}}}}) {{ totalCount }} }}'

    listed = await services.solicitacoes.get(SOLICITACOES.path, params={"data_solicitacao__lte": leap})

    assert listed.json() == [row]
    assert (await gateway.data(query))["solicitacoes"]["totalCount"] == 1


async def test_no_such_day_is_refused_by_both_apis_with_the_reason(services: Services, gateway: Gateway) -> None:
    reason = instants.NO_SUCH_INSTANT
    for text in NO_SUCH:
        params = {"data_solicitacao__gte": text}
        listed = await services.solicitacoes.get(SOLICITACOES.path, params=params)
        asked = {"filter": {"data_solicitacao": {"gte": text}}}
        queried = await services.solicitacoes.post(f"{SOLICITACOES.path}query/", json=asked)
        query = f'{{ solicitacoes(filter: {{dataSolicitacao: {{gte: "{text}"}}}}) {{ totalCount }} }}'
        graphql = await gateway.run(query)

        assert (listed.status_code, queried.status_code) == (422, 422)
        for answer in (listed, queried):
            [error] = answer.json()["errors"]
            assert (error["code"], error["message"]) == ("NOT_A_DATETIME", reason)
        assert reason in graphql["errors"][0]["message"]
        assert graphql["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_the_stored_instant_may_be_written_back_in_any_spelling(
    services: Services, row: dict[str, Any], method: str
) -> None:
    client, url = services.solicitacoes, SOLICITACOES.at(row)
    for text in SPELLINGS:
        same = await client.request(method, url, json=row | {"data_solicitacao": text})
        assert (same.status_code, same.json()) == (200, row), text
    for text in ("2025-12-31T23:59:59.123457Z", "2025-12-31T23:59:59.1234561Z", "2025-12-31", 5, None):
        differs = await client.request(method, url, json=row | {"data_solicitacao": text})
        assert [error["code"] for error in differs.json()["errors"]] == ["READ_ONLY"], text


async def test_a_cursor_is_read_like_any_instant(services: Services, row: dict[str, Any]) -> None:
    later = await builders.solicitacao(services)

    async def after(place: str) -> Any:
        mark = base64.urlsafe_b64encode(orjson.dumps(["data_solicitacao", place, row["id"]])).rstrip(b"=").decode()
        params = {"ordering": "data_solicitacao", "cursor": mark}
        return await services.solicitacoes.get(SOLICITACOES.path, params=params)

    for text in SPELLINGS:
        assert (await after(text)).json() == [later]
    for text in ("2025-12-31", "2025-12-31T23:59:59", "2025-02-30T12:00:00Z"):
        assert (await after(text)).json()["errors"][0]["code"] == "INVALID_CURSOR"


async def test_the_first_and_the_last_instants_of_the_calendar_are_compared_too(
    services: Services, row: dict[str, Any]
) -> None:
    for text in ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-14:00"):
        params = {"data_solicitacao__gte": text}
        assert (await services.solicitacoes.get(SOLICITACOES.path, params=params)).json() == [row]
    for text in ("9999-12-31T23:59:59.999999-14:00", "9999-12-31T23:59:59.999999+14:00"):
        params = {"data_solicitacao__lte": text}
        assert (await services.solicitacoes.get(SOLICITACOES.path, params=params)).json() == [row]
