"""A gateway that keeps rows in memory, over the services of `services`, whose paths can be held up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

import gateway.app
from chassis.neighbours.row_cache import Caches, ServiceCache
from gateway.settings import Settings
from tests.applications import URL, Gateway, Services
from tests.chassis.peers import until

FEED = "/api/changes/"


class HeldPaths:
    """The application of a service, whose answers can be held back by their path."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.held: dict[str, asyncio.Event] = {}
        self.waiting = 0
        """How many answers are held back."""

    def hold(self, path: str) -> None:
        """Holds back the answers of this path, until `release`. The work is done, and its answer waits."""
        self.held[path] = asyncio.Event()

    def release(self) -> None:
        for event in self.held.values():
            event.set()
        self.held.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope.get("path", "")

        async def held_send(message: Any) -> None:
            if event := self.held.get(path):
                self.waiting += 1
                await event.wait()
                self.waiting -= 1
            await send(message)

        await self.app(scope, receive, held_send)


@pytest.fixture
def held(services: Services) -> Iterator[dict[str, HeldPaths]]:
    """The services, by name, with answers that can be held back."""
    apps = {name: network.app for name, network in services.networks.items()}
    made = {name: HeldPaths(app) for name, app in apps.items()}
    for name, network in services.networks.items():
        network.app = made[name]
    yield made
    for name, network in services.networks.items():
        made[name].release()
        network.app = apps[name]


@dataclass
class KeepingGateway(Gateway):
    """A gateway that keeps rows."""

    app: FastAPI
    services: Services

    @property
    def caches(self) -> Caches:
        found: Caches = self.app.state.graphql.operations.caches
        return found

    def cache(self, service: str) -> ServiceCache:
        return self.caches.services[service]

    def calls(self) -> list[str]:
        """What the services were asked since the last call of this, without the polls."""
        asked = [str(call) for call in self.services.calls if call.path != FEED]
        self.services.calls.clear()
        return asked

    async def followed(self, *names: str) -> None:
        """Returns when these services' changes are known here, by default those of all services."""
        for name in names or self.caches.services:
            await until(partial(self.cache(name).serves, None), f"the changes of {name} are known")
        await self.told(*names)

    async def told(self, *names: str) -> None:
        """Returns when all that has been committed in these services, by default in all, is known here."""
        for name in names or self.caches.services:
            last = (await self.services.client(name).get(FEED)).json()["last"]
            await until(partial(self._has_been_told, name, last), f"the changes of {name} are told")
        self.services.calls.clear()

    def _has_been_told(self, service: str, last: int) -> bool:
        position = self.cache(service).follower.position
        return position is not None and position.seq >= last


Keep = Callable[..., AbstractAsyncContextManager[KeepingGateway]]


@pytest.fixture
def keep(services: Services) -> Keep:
    """Starts a gateway that keeps rows, with these settings. It shows them also when the machine is too busy to tell it
    every second that there were no changes."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncGenerator[KeepingGateway]:
        given: dict[str, Any] = {"log_level": "ERROR", "retry_budget": 0, "breaker_share": 0}
        given |= {"cache": "on", "cache_staleness": 60, "neighbour_timeout": 30, "operation_timeout": 60}
        given |= {f"{name}_url": network.url for name, network in services.networks.items()}
        app = gateway.app.create_app(Settings.model_validate(given | settings))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(app.router.lifespan_context(app))
            transport = httpx2.ASGITransport(app=app)
            client = httpx2.AsyncClient(transport=transport, base_url=URL.format("gateway"), timeout=60)
            yield KeepingGateway(await stack.enter_async_context(client), app, services)

    return start


@pytest_asyncio.fixture
async def keeping(keep: Keep) -> AsyncIterator[KeepingGateway]:
    """A gateway that keeps rows and knows the changes of all services."""
    async with keep() as started:
        await started.followed()
        yield started
