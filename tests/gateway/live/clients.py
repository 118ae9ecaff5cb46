"""Clients of live queries without a transport: what they are sent, and how they come back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Self

import httpx2
from fastapi import FastAPI
from graphql import GraphQLSchema

import gateway.app
import gateway.settings
from chassis.identity.rates import RateLimit
from chassis.request import context, deadline
from chassis.request.caller import ANYBODY, Caller
from gateway.endpoint import GraphQLEndpoint
from gateway.execution.operation import Executor
from gateway.live.events import EventBatch
from gateway.live.subscription import OpenSubscription
from gateway.requests import Account, GraphQLRequest
from tests.applications import Services
from tests.chassis.peers import until


class Client:
    """A client that keeps what it is sent. `taken` is false while it reads nothing."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        """The ExecutionResults."""
        self.texts: list[bytes] = []
        self.cursors: list[str] = []
        self.errors: list[dict[str, Any]] | None = None
        self.ended = False
        self.reads = True
        self.unread = 0
        self.handle: OpenSubscription | None = None

    def send(self, batch: EventBatch) -> None:
        assert not self.ended
        assert self.handle, "nothing is sent before the subscription is open"
        for _, cursor, text in batch.events:
            self.texts.append(text)
            self.events.append(json.loads(text))
            self.cursors.append(cursor)
            if not self.reads:
                self.unread += len(text)

    def end(self, errors: bytes | None, cursor: str) -> None:
        assert not self.ended
        self.ended = True
        self.errors = None if errors is None else json.loads(errors)
        self.cursors.append(cursor)

    def unsent(self) -> int:
        return self.unread

    @property
    def seqs(self) -> list[int]:
        """The numbers of the changes that it was told."""
        ends = 1 if self.ended else 0
        return [int(cursor.rsplit(":", 1)[1]) for cursor in self.cursors[: len(self.cursors) - ends]]

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The root field of each event."""
        return [next(iter(event["data"].values())) for event in self.events]

    async def has(self, count: int) -> None:
        await until(lambda: len(self.events) >= count or self.ended, f"{count} events")
        assert not self.ended, self.errors
        assert len(self.events) == count

    async def end_comes(self) -> dict[str, Any]:
        """The error that ends the subscription."""
        await until(lambda: self.ended, "the subscription ends")
        assert self.errors
        [error] = self.errors
        return error

    def leave(self) -> str:
        """Unsubscribes. Returns where to go on."""
        assert self.handle
        cursor = self.cursors[-1] if self.ended else self.handle.cursor
        self.handle.close()
        return cursor


def patient_gateway(services: Services, **settings: Any) -> FastAPI:
    """A gateway with settings of its own, and with time-outs so long that a busy machine breaks nothing."""
    urls: dict[str, Any] = {f"{name}_url": network.url for name, network in services.networks.items()}
    given: dict[str, Any] = {
        "log_level": "ERROR",
        "breaker_share": 0,
        "cache": "off",  # the databases are emptied without telling anybody
        "neighbour_timeout": 30,
        "operation_timeout": 60,
        **settings,
    }
    return gateway.app.create_app(gateway.settings.Settings(**given, **urls))


class LiveGateway:
    """A gateway of its own over the services that all tests share."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.endpoint: GraphQLEndpoint = app.state.graphql

    @classmethod
    @asynccontextmanager
    async def started(cls, services: Services, **settings: Any) -> AsyncGenerator[Self]:
        app = patient_gateway(services, **settings)
        async with app.router.lifespan_context(app):
            yield cls(app)

    def serve(self, schema: GraphQLSchema) -> None:
        """Serves another schema from now on."""
        executor, subscriptions = (
            Executor(schema, self.endpoint.operations.executor.limits),
            self.endpoint.subscriptions,
        )
        self.endpoint.operations.executor = subscriptions._executor = executor  # pyright: ignore[reportPrivateUsage]

    async def query(self, query: str) -> dict[str, Any]:
        """The data of a query."""
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://gateway.test", timeout=60) as client:
            answer = (await client.post("/graphql", json={"query": query})).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.endpoint.subscriptions._groups)  # pyright: ignore[reportPrivateUsage]

    async def open(
        self,
        query: str,
        caller: Caller = ANYBODY,
        last_event_id: str | None = None,
        client: Client | None = None,
        address: str = "203.0.113.1",
        rates: RateLimit | None = None,
        **variables: Any,
    ) -> Client:
        """Raises what the opening raises."""
        client = client or Client()
        account = Account(rates, {"client": (address, 1)})
        document, operation = await self.endpoint.operations.find(GraphQLRequest(query, None, variables), account)
        before = context.enter(context.RequestContext(deadline=deadline.compute(60), caller=caller))
        try:
            client.handle = await self.endpoint.subscriptions.open(
                document, operation, variables, client, account=account, last_event_id=last_event_id
            )
        finally:
            context.leave(before)
        return client
