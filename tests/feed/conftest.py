"""The pessoas service behind its real server, which followers wait at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import psycopg
import pytest
import pytest_asyncio

import pessoas.routes
from chassis.db.database import FOLD_OPTION
from chassis.settings import DatabaseSettings
from tests.applications import PATIENT, Services
from tests.chassis.peers import ServedApplication, serving


def connect(url: str) -> psycopg.Connection:
    """A connection whose rows need not be folded anew, which would be a change of its own."""
    return psycopg.connect(url, options=FOLD_OPTION)


Serve = Callable[..., AbstractAsyncContextManager[ServedApplication]]


@pytest.fixture
def serve(services: Services, application_urls: dict[str, str]) -> Serve:
    """Starts a process of pessoas with these settings, beside that of `services`."""

    @asynccontextmanager
    async def start(**settings: Any) -> AsyncGenerator[ServedApplication]:
        settings = PATIENT | settings
        given = {"database_url": application_urls["pessoas"], "log_level": "ERROR", **settings}
        app = pessoas.routes.create_app(DatabaseSettings.model_validate(given))
        async with serving(app, **settings) as served:
            yield served

    return start


@pytest_asyncio.fixture
async def served(serve: Serve) -> AsyncIterator[ServedApplication]:
    async with serve() as started:
        yield started
