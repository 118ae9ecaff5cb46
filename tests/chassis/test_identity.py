"""Permissions at the services: scopes by service, on every route, and the paths that stay open to everybody."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.topology import SERVICES
from tests import builders
from tests.applications import Applications, Services
from tests.issuer import Issuer, bearer, jwks, mint, publish
from tests.resources import ALL, PESSOAS, SOLICITACOES, Resource, short_name

every = pytest.mark.parametrize("resource", ALL, ids=short_name)
EVERYTHING = [f"{service.name}:{right}" for service in SERVICES for right in ("read", "write", "changes")]


async def asked(client: httpx2.AsyncClient, resource: Resource, id: int, **headers: Any) -> dict[str, httpx2.Response]:
    """Every route of a resource, reads first, with bodies that are never good."""
    member, bad = f"{resource.path}{id}/", {"nada": 1}
    requests: list[tuple[str, str, Any]] = [
        ("GET", resource.path, None),
        ("HEAD", resource.path, None),
        ("OPTIONS", resource.path, None),
        ("POST", f"{resource.path}query/", bad),
        ("POST", f"{resource.path}query", bad),
        ("GET", f"{resource.path}?id={id}", None),
        ("GET", "/api/nada/", None),
        ("POST", resource.path, bad),
        ("PUT", member, bad),
        ("PATCH", member, bad),
        ("PATCH", member.rstrip("/"), bad),
        ("DELETE", f"{resource.path}0/", None),
        ("PUT", f"{resource.path}query/", bad),
        ("POST", "/api/nada/", bad),
    ]
    return {
        f"{method} {path}": await client.request(method, path, json=body, headers=headers)
        for method, path, body in requests
    }


READS = 7


@every
async def test_each_route_needs_the_scope_of_its_service_and_kind(
    protected: Applications, services: Services, resource: Resource
) -> None:
    client, id = resource.client(protected.services), (await resource.add(services))["id"]
    for right, part in (("read", slice(0, READS)), ("write", slice(READS, None))):
        needed = f"{resource.service}:{right}"
        without = [scope for scope in EVERYTHING if scope != needed]

        anonymous = list((await asked(client, resource, id)).values())[part]
        forbidden = list((await asked(client, resource, id, **bearer(*without))).values())[part]
        allowed = list((await asked(client, resource, id, **bearer(needed))).items())[part]

        assert {answer.status_code for answer in anonymous} == {401}
        assert {answer.status_code for answer in forbidden} == {403}
        assert {answer.headers["www-authenticate"] for answer in forbidden} == {
            f'Bearer realm="solicita", error="insufficient_scope", scope="{needed}"'
        }
        assert [(name, answer.status_code) for name, answer in allowed if answer.status_code in (401, 403, 500)] == []
        refused = forbidden[0].json()
        assert (refused["code"], refused["detail"]) == ("FORBIDDEN", f"falta o escopo {needed}")


@pytest.mark.parametrize("service", [service.name for service in SERVICES])
async def test_the_changes_need_a_scope_of_their_own(protected: Applications, services: Services, service: str) -> None:
    client, needed = protected.services.client(service), f"{service}:changes"
    others = [scope for scope in EVERYTHING if scope != needed]

    for path in ("/api/changes/", "/api/changes", "/api/v1/changes/"):
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=bearer(*others))).json()["detail"] == f"falta o escopo {needed}"
        assert (await client.get(path, headers=bearer(needed))).status_code == 200


async def test_nothing_is_written_without_the_scope(protected: Applications, services: Services) -> None:
    pessoa = await builders.pessoa(services)
    client = protected.services.pessoas
    headers = bearer("pessoas:read")

    assert (await client.post(PESSOAS.path, json={"nome_pessoa": "Eva"}, headers=headers)).status_code == 403
    assert (await client.delete(PESSOAS.at(pessoa), headers=headers)).status_code == 403
    assert (await client.get(PESSOAS.path, headers=headers)).json() == [pessoa]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/openapi.json", "/docs", "/api/"])
async def test_what_tells_nothing_of_anybody_is_open_even_to_a_bad_token(protected: Applications, path: str) -> None:
    client = protected.services.catalogo

    assert (await client.get(path)).status_code == 200
    assert (await client.get(path, headers={"Authorization": "Bearer bad"})).status_code == 200


async def test_no_process_is_ready_before_it_has_had_the_issuers_keys_and_then_for_good(
    database_urls: dict[str, str], issuer: Issuer, tmp_path: Path
) -> None:
    path = tmp_path / "jwks.json"
    async with AsyncExitStack() as stack:
        started = await Applications.start(stack, database_urls, **issuer.settings() | {"auth_jwks": str(path)})
        for client in started.clients():
            refused = await client.get("/health/ready")
            assert (refused.status_code, refused.json()["code"]) == (503, "UNAVAILABLE")
            assert refused.json()["detail"].startswith("as chaves do emissor dos tokens não puderam ser obtidas")
            assert "jwks.json" not in refused.text
            assert (await client.get("/health/live")).status_code == 200

        publish(path, jwks())
        await started.ready()
        path.unlink()
        await started.ready()


async def test_a_path_that_only_begins_like_an_open_one_is_not_open(protected: Applications) -> None:
    for path in ("/api", "/api/"):
        assert (await protected.services.pessoas.get(path)).status_code == 200
    for path in ("/api/../api/pessoas/", "//api/pessoas/", "/API/pessoas/", "/docs/../api/pessoas/", "/healthx"):
        assert (await protected.services.pessoas.get(path)).status_code in (401, 404)


async def test_the_coordinator_view_needs_what_the_neighbours_ask_for(
    protected: Applications, services: Services
) -> None:
    path = SOLICITACOES.at(await builders.solicitacao(services))
    protected.services.calls.clear()
    client = protected.services.solicitacoes

    some = await client.get(path, headers=bearer("solicitacoes:read", "pessoas:read"))
    assert (some.status_code, some.json()["detail"]) == (403, "faltam os escopos servicos:read, catalogo:read")
    assert some.headers["www-authenticate"].endswith('scope="servicos:read catalogo:read"')
    assert protected.services.calls == []

    token = mint("solicitacoes:read", "pessoas:read", "servicos:read", "catalogo:read")
    whole = await client.get(path, headers={"Authorization": f"Bearer {token}"})
    assert whole.status_code == 200
    assert whole.json()["solicitante"]["nome_pessoa"] == "João Silva"
    assert {call.authorization for call in protected.services.calls} == {f"Bearer {token}"}


async def test_references_are_checked_with_the_callers_own_rights(protected: Applications, services: Services) -> None:
    body = await SOLICITACOES.body(services)
    row = await builders.solicitacao(services)
    client = protected.services.solicitacoes
    protected.services.calls.clear()
    headers = bearer("solicitacoes:write", "pessoas:read", "servicos:read")

    created = await client.post(SOLICITACOES.path, json=body, headers=headers)
    changed = await client.patch(SOLICITACOES.at(row), json={"produto_id": 99}, headers=headers)
    assert [created.status_code, changed.status_code] == [403, 403]
    assert created.json()["detail"] == changed.json()["detail"] == "falta o escopo catalogo:read"
    assert protected.services.calls == []

    kept = await client.patch(SOLICITACOES.at(row), json={"pessoa_id": row["pessoa_id"]}, headers=headers)
    assert kept.status_code == 200


async def test_an_idempotency_key_is_its_callers_own(protected: Applications) -> None:
    client, body = protected.services.pessoas, {"nome_pessoa": "Ana"}

    async def post(subject: str) -> httpx2.Response:
        headers = bearer("pessoas:write", sub=subject) | {"Idempotency-Key": "1"}
        return await client.post(PESSOAS.path, json=body, headers=headers)

    first, retried, other = await post("ana"), await post("ana"), await post("bia")

    assert retried.json() == first.json()
    assert "idempotency-replayed" in retried.headers
    assert other.json()["id"] != first.json()["id"]
