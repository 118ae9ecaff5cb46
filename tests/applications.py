"""The real applications in one process. They call one another over real sockets, with the client of production; a test
calls each of them by ASGI."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
from fastapi import FastAPI

import catalogo.app
import gateway.app
import gateway.settings
import pessoas.app
import servicos.app
import solicitacoes.app
from chassis.settings import DatabaseSettings
from tests.neighbours import Call, ServiceNetwork, on_a_socket

URL = "http://{}.test"
SERVICE_APPS = {
    "catalogo": catalogo.app.create_app,
    "pessoas": pessoas.app.create_app,
    "servicos": servicos.app.create_app,
}


@dataclass
class Services:
    """A client for each service, and all requests that have reached the services."""

    catalogo: httpx2.AsyncClient
    pessoas: httpx2.AsyncClient
    servicos: httpx2.AsyncClient
    solicitacoes: httpx2.AsyncClient
    networks: dict[str, ServiceNetwork]
    calls: list[Call] = field(default_factory=list[Call])

    def client(self, name: str) -> httpx2.AsyncClient:
        found: httpx2.AsyncClient = getattr(self, name)
        return found

    def cut(self, *names: str) -> None:
        """These services can no longer be reached by the gateway and by each other."""
        for name in names:
            self.networks[name].cut = True


@dataclass
class Gateway:
    """GraphQL over the services."""

    client: httpx2.AsyncClient

    async def run(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole answer to an operation."""
        answer = await self.client.post("/graphql", json={"query": query, "variables": variables})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation that must not have errors."""
        answer = await self.run(query, **variables)
        assert "errors" not in answer, answer["errors"]
        found: dict[str, Any] = answer["data"]
        return found


@dataclass
class Applications:
    services: Services
    gateway: Gateway
    gateway_app: FastAPI
    """The application behind `gateway`."""

    @classmethod
    async def start(cls, stack: AsyncExitStack, database_urls: dict[str, str], **common: Any) -> Self:
        """`common` are settings of all five."""
        calls: list[Call] = []

        async def serve(name: str, app: FastAPI) -> None:
            networks[name] = ServiceNetwork(name, app, calls)
            await stack.enter_async_context(on_a_socket(networks[name]))

        # What a test breaks affects this test only: no breaker remembers it, and no retry hides it. The time-outs are
        # long, so that a busy machine breaks nothing.
        common_settings: dict[str, Any] = {"log_level": "ERROR", "retry_budget": 0, "breaker_share": 0, **common}
        common_settings |= {"neighbour_timeout": 30, "operation_timeout": 60}

        def settings(name: str) -> dict[str, Any]:
            return {"database_url": database_urls[name], **common_settings}

        def urls() -> dict[str, Any]:
            return {f"{name}_url": network.url for name, network in networks.items()}

        networks: dict[str, ServiceNetwork] = {}
        for name, create_app in SERVICE_APPS.items():
            await serve(name, create_app(DatabaseSettings(**settings(name))))
        coordinator = solicitacoes.app.create_app(solicitacoes.app.Settings(**settings("solicitacoes"), **urls()))
        await serve("solicitacoes", coordinator)
        gateway_app = gateway.app.create_app(gateway.settings.Settings(**common_settings, **urls()))
        await stack.enter_async_context(gateway_app.router.lifespan_context(gateway_app))
        for name, network in networks.items():
            network.callers.append(gateway_app.state.graphql.remotes[name])
            if name in SERVICE_APPS:
                network.callers.append(coordinator.state.coordinator.remotes[name])

        async def client(name: str, app: FastAPI) -> httpx2.AsyncClient:
            transport = httpx2.ASGITransport(app=app)
            return await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, base_url=URL.format(name), timeout=60)
            )

        clients = {name: await client(name, network.app) for name, network in networks.items()}
        return cls(
            Services(**clients, networks=networks, calls=calls),
            Gateway(await client("gateway", gateway_app)),
            gateway_app,
        )

    def clients(self) -> list[httpx2.AsyncClient]:
        """A client for each of the five."""
        return [self.gateway.client, *(self.services.client(name) for name in self.services.networks)]

    async def ready(self) -> None:
        """Returns when every process says that it is ready."""
        async with asyncio.timeout(60):
            for client in self.clients():
                while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110  # only the answer says it
                    await asyncio.sleep(0.05)

    def restore(self) -> None:
        """Makes every service reachable again, and forgets the requests counted so far."""
        self.services.calls.clear()
        for network in self.services.networks.values():
            network.cut, network.disturb = False, None
