"""The real applications in one process. They call one another over real sockets, with the client of production; a test
calls each of them by ASGI."""

from __future__ import annotations

import asyncio
import pkgutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
from fastapi import FastAPI

import gateway.app
import gateway.settings
from chassis.db.database import Database
from chassis.neighbours.dialect import DialectClient
from chassis.serve import application
from chassis.settings import DatabaseSettings, settings_of
from deploy.topology import SERVICES
from tests.neighbours import Call, ServiceNetwork, on_a_socket

URL = "http://{}.test"
PATIENT: dict[str, Any] = {"database_timeout": 30, "neighbour_timeout": 30, "operation_timeout": 60}
"""Settings of any process: long time-outs, so that a busy machine breaks nothing."""


def database_settings(url: str, **given: Any) -> DatabaseSettings:
    """The settings of a process over this database, with long time-outs and a quiet log."""
    return DatabaseSettings.model_validate({**PATIENT, "database_url": url, "log_level": "ERROR", **given})


@asynccontextmanager
async def opened(settings: DatabaseSettings) -> AsyncGenerator[Database]:
    """The database, as a process with these settings has it."""
    database = Database(settings)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@dataclass
class Services:
    """A client for each service, and all requests that have reached the services."""

    clients: dict[str, httpx2.AsyncClient]
    networks: dict[str, ServiceNetwork]
    calls: list[Call] = field(default_factory=list[Call])

    def client(self, name: str) -> httpx2.AsyncClient:
        return self.clients[name]

    @property
    def catalogo(self) -> httpx2.AsyncClient:
        return self.clients["catalogo"]

    @property
    def pessoas(self) -> httpx2.AsyncClient:
        return self.clients["pessoas"]

    @property
    def servicos(self) -> httpx2.AsyncClient:
        return self.clients["servicos"]

    @property
    def solicitacoes(self) -> httpx2.AsyncClient:
        return self.clients["solicitacoes"]

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
    loop: asyncio.AbstractEventLoop
    """On which all of them run."""

    @classmethod
    async def start(cls, stack: AsyncExitStack, database_urls: dict[str, str], **common: Any) -> Self:
        """`common` are settings of every process."""
        calls: list[Call] = []

        async def serve(name: str, app: FastAPI) -> None:
            networks[name] = ServiceNetwork(name, app, calls)
            await stack.enter_async_context(on_a_socket(networks[name]))

        # What a test breaks affects this test only: no breaker remembers it, and no retry hides it. No row is kept,
        # since tests empty the databases without telling anybody, and count requests. The time-out of the database is
        # shorter than others, since some tests wait until it is over.
        common_settings: dict[str, Any] = {"log_level": "ERROR", "retry_budget": 0, "breaker_share": 0, "cache": "off"}
        common_settings |= PATIENT | {"database_timeout": 4} | common

        def urls() -> dict[str, Any]:
            return {f"{name}_url": network.url for name, network in networks.items()}

        networks: dict[str, ServiceNetwork] = {}
        callers: list[tuple[str, DialectClient]] = []
        for service in SERVICES:  # in the order of the table, in which a service comes after those that it asks
            create_app: Callable[..., FastAPI] = pkgutil.resolve_name(application(service.name))
            given: dict[str, Any] = {"database_url": database_urls[service.name], **common_settings, **urls()}
            app = create_app(settings_of(service.name)(**given))
            callers += app.state.coordinator.remotes.items() if service.asks else ()
            await serve(service.name, app)
        gateway_app = gateway.app.create_app(gateway.settings.Settings(**common_settings, **urls()))
        await stack.enter_async_context(gateway_app.router.lifespan_context(gateway_app))
        for name, caller in (*callers, *gateway_app.state.graphql.operations.remotes.items()):
            networks[name].callers.append(caller)

        async def client(name: str, app: FastAPI) -> httpx2.AsyncClient:
            transport = httpx2.ASGITransport(app=app)
            return await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, base_url=URL.format(name), timeout=60)
            )

        clients = {name: await client(name, network.app) for name, network in networks.items()}
        return cls(
            Services(clients, networks, calls),
            Gateway(await client("gateway", gateway_app)),
            gateway_app,
            asyncio.get_running_loop(),
        )

    def clients(self) -> list[httpx2.AsyncClient]:
        """A client for each process."""
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
