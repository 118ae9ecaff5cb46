"""The coordinator's view of a solicitacao shows rows from memory; its checks on write never do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest_asyncio

import solicitacoes.routes
from chassis.neighbours.row_cache import ServiceCache
from solicitacoes.coordinator import Coordinator
from solicitacoes.settings import Settings
from tests import builders
from tests.applications import PATIENT, URL, Services
from tests.cache.conftest import FEED, HeldPaths
from tests.chassis.peers import until
from tests.resources import SOLICITACOES


class KeepingCoordinator:
    """A process of solicitacoes that keeps rows."""

    def __init__(self, client: httpx2.AsyncClient, coordinator: Coordinator, services: Services) -> None:
        self.client, self.coordinator, self._services = client, coordinator, services

    def cache(self, service: str) -> ServiceCache:
        caches = self.coordinator.caches
        assert caches
        return caches.services[service]

    async def view(self, row: dict[str, Any], **headers: str) -> dict[str, Any]:
        answer = await self.client.get(SOLICITACOES.at(row), headers=headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def calls(self) -> list[str]:
        asked = [str(call) for call in self._services.calls if call.path != FEED]
        self._services.calls.clear()
        return asked


@pytest_asyncio.fixture
async def keeping(services: Services, database_urls: dict[str, str]) -> AsyncIterator[KeepingCoordinator]:
    given = {**PATIENT, "database_url": database_urls["solicitacoes"], "log_level": "ERROR", "cache": "on"}
    given |= {f"{name}_url": services.networks[name].url for name in ("catalogo", "pessoas", "servicos")}
    given |= {"breaker_share": 0, "cache_staleness": 60}
    app = solicitacoes.routes.create_app(Settings.model_validate(given))
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=URL.format("solicitacoes"), timeout=60) as client,
    ):
        made = KeepingCoordinator(client, app.state.coordinator, services)
        for name in ("catalogo", "pessoas", "servicos"):
            cache = made.cache(name)
            await until(lambda cache=cache: cache.serves(None), "its changes are known")
        yield made


async def test_a_second_view_asks_nobody(keeping: KeepingCoordinator, services: Services) -> None:
    row = await builders.solicitacao(services)
    await told(keeping, services)

    first, asked = await keeping.view(row), keeping.calls()
    second = await keeping.view(row)

    assert (len(asked), keeping.calls(), first) == (3, [], second)
    assert first["produto_associado"]["categoria"]["nome_categoria"] == "Eletrônicos"


async def told(keeping: KeepingCoordinator, services: Services) -> None:
    """Returns when all changes so far have been told."""
    for name in ("catalogo", "pessoas", "servicos"):
        last = (await services.client(name).get(FEED)).json()["last"]
        follower = keeping.cache(name).follower
        await until(lambda follower=follower, last=last: (follower.position or ("", -1))[1] >= last, "all is told")
    services.calls.clear()


async def test_a_view_shows_what_has_changed_and_what_is_gone_when_it_has_been_told(
    keeping: KeepingCoordinator, services: Services
) -> None:
    row = await builders.solicitacao(services)
    await told(keeping, services)
    before = await keeping.view(row)

    categoria = before["produto_associado"]["categoria"]["id"]
    await services.catalogo.put(f"/api/categorias/{categoria}/", json={"nome_categoria": "Outra"})
    await services.pessoas.delete(f"/api/pessoas/{row['pessoa_id']}/")
    await told(keeping, services)
    after = await keeping.view(row)

    assert after["produto_associado"]["categoria"] == {"id": categoria, "nome_categoria": "Outra"}
    assert (before["solicitante"] is None, after["solicitante"]) == (False, None)


async def test_who_names_his_write_sees_it_though_it_has_not_been_told(
    keeping: KeepingCoordinator, services: Services, held: dict[str, HeldPaths]
) -> None:
    row = await builders.solicitacao(services)
    await told(keeping, services)
    await keeping.view(row)
    held["pessoas"].hold(FEED)

    path, prefer = f"/api/pessoas/{row['pessoa_id']}/", {"Prefer": "read-after"}
    written = await services.pessoas.put(path, json={"nome_pessoa": "Depois"}, headers=prefer)
    view = await keeping.view(row, **{"Read-After": f"pessoas:{written.headers['read-after']}"})

    assert view["solicitante"]["nome_pessoa"] == "Depois"


async def test_a_position_that_is_none_is_refused(keeping: KeepingCoordinator, services: Services) -> None:
    row = await builders.solicitacao(services)

    answer = await keeping.client.get(SOLICITACOES.at(row), headers={"Read-After": "gateway:x:1"})

    assert (answer.status_code, answer.json()["code"], "Read-After" in answer.json()["detail"]) == (
        400,
        "MALFORMED",
        True,
    )


async def test_the_checks_of_a_write_ask_the_owners_each_time(keeping: KeepingCoordinator, services: Services) -> None:
    row = await builders.solicitacao(services)
    await told(keeping, services)
    await keeping.view(row)
    keeping.calls()

    body = {name: row[name] for name in ("servico_id", "pessoa_id", "produto_id")}
    created = await keeping.client.post(SOLICITACOES.path, json=body)

    assert (created.status_code, len(keeping.calls())) == (201, 3)
