"""Live queries without a transport: real services, real PostgreSQL, and a gateway's application."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.applications import Services
from tests.gateway.live.clients import LiveGateway


@pytest_asyncio.fixture
async def live(services: Services) -> AsyncIterator[LiveGateway]:
    async with LiveGateway.started(services) as made:
        yield made
