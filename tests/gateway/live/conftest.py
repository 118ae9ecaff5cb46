"""Gateways for live queries, over real services and PostgreSQL: an application without a transport, and served ones."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.applications import Services
from tests.gateway.live.clients import LiveGateway
from tests.gateway.live.transports import ServedGateway, serving_gateway
from tests.issuer import Issuer


@pytest_asyncio.fixture
async def live(services: Services) -> AsyncIterator[LiveGateway]:
    async with LiveGateway.started(services) as made:
        yield made


@pytest_asyncio.fixture
async def served(services: Services) -> AsyncIterator[ServedGateway]:
    async with serving_gateway(services) as served:
        yield served


@pytest_asyncio.fixture
async def guarded(services: Services, issuer: Issuer) -> AsyncIterator[ServedGateway]:
    """A gateway that asks for tokens."""
    async with serving_gateway(services, **issuer.settings()) as served:
        yield served
