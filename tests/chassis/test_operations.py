"""The claim on a key by an operation that writes to several services."""

from __future__ import annotations

import asyncio

import pytest

from tests.applications import Applications, Services
from tests.issuer import bearer

KEY = {"Idempotency-Key": "8e03978e"}
ONE, OTHER = "/operations/one/", "/operations/other/"


async def test_a_key_is_the_operations_that_claims_it_first_and_may_be_claimed_again(services: Services) -> None:
    claims = [await services.pessoas.put(path, headers=KEY) for path in (ONE, OTHER, ONE)]

    assert [answer.status_code for answer in claims] == [200, 422, 200]
    assert claims[1].json()["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_of_many_operations_at_once_one_gets_the_key(services: Services) -> None:
    claims = [services.pessoas.put(f"/operations/{n}/", headers=KEY) for n in range(30)]

    assert sorted(answer.status_code for answer in await asyncio.gather(*claims)) == [200, *[422] * 29]


async def test_a_key_is_given_back_by_the_operation_that_has_it_only(services: Services) -> None:
    await services.pessoas.put(ONE, headers=KEY)

    await services.pessoas.delete(OTHER, headers=KEY)
    kept = await services.pessoas.put(OTHER, headers=KEY)
    await services.pessoas.delete(ONE, headers=KEY)
    free = await services.pessoas.put(OTHER, headers=KEY)

    assert (kept.status_code, free.status_code) == (422, 200)


async def test_a_claim_gives_back_no_write(services: Services) -> None:
    body = {"nome_pessoa": "Ana"}
    await services.pessoas.post("/api/pessoas/", json=body, headers=KEY)

    await services.pessoas.delete(ONE, headers=KEY)

    retry = await services.pessoas.post("/api/pessoas/", json=body, headers=KEY)
    assert retry.headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}], ids=["none", "empty"])
async def test_a_claim_without_a_key_is_400(services: Services, method: str, headers: dict[str, str]) -> None:
    answer = await services.pessoas.request(method, ONE, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")


async def test_who_may_write_to_any_service_may_claim_at_each(protected: Applications) -> None:
    pessoas = protected.services.pessoas

    claims = [
        await pessoas.put(ONE, headers=KEY | headers)
        for headers in ({}, bearer("pessoas:read", "servicos:read"), bearer("servicos:write"))
    ]

    assert [answer.status_code for answer in claims] == [401, 403, 200]
    assert 'error="insufficient_scope"' in claims[1].headers["www-authenticate"]


async def test_a_key_is_its_callers_own(protected: Applications) -> None:
    ana, bia = [bearer("pessoas:write", sub=name) for name in ("ana", "bia")]

    claims = [
        await protected.services.pessoas.put(path, headers=KEY | who)
        for path, who in ((ONE, ana), (OTHER, bia), (OTHER, ana))
    ]

    assert [answer.status_code for answer in claims] == [200, 200, 422]
