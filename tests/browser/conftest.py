"""A real Chromium in front of the system's pages, with the rest of the internet cut off."""

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright, expect

from tests.browser.visit import Visit

CHROMIUMS = (
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "google-chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
FLAGS = (
    "--no-sandbox",  # Chromium's sandbox does not work for root; here it only opens our own pages
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

expect.set_options(timeout=20_000)  # a bound for a busy CI machine; it measures nothing


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=executable(playwright), args=FLAGS)
        yield chromium
        await chromium.close()


@asynccontextmanager
async def first_visit(browser: Browser, origin: str) -> AsyncGenerator[Visit]:
    """A first visit, with nothing in localStorage and no way to reach anything but `origin`."""
    context = await browser.new_context(viewport={"width": 1400, "height": 860}, locale="pt-BR")
    within = f"{origin}/"
    await context.route(lambda url: not url.startswith(within), lambda route: route.abort("internetdisconnected"))
    visit = Visit(await context.new_page())
    context.on("request", lambda request: visit.urls.append(request.url))
    context.on("requestfailed", lambda request: visit.trouble.append(f"{request.url}: {request.failure}"))
    context.on("response", lambda got: visit.trouble.append(f"{got.url}: {got.status}") if got.status >= 400 else None)
    context.on("console", lambda said: visit.trouble.append(said.text) if said.type in ("error", "warning") else None)
    context.on("weberror", lambda thrown: visit.trouble.append(str(thrown.error)))
    yield visit
    await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def visit(browser: Browser, gateway_url: str) -> AsyncIterator[Visit]:
    async with first_visit(browser, gateway_url) as visit:
        await visit.open(f"{gateway_url}/graphql")
        yield visit


def executable(playwright: Playwright) -> str:
    """The Chromium to use: CHROMIUM if it is set, else the first one found. If there is none the tests are skipped,
    which fails a run in CI."""
    chosen = os.environ.get("CHROMIUM")
    for candidate in [chosen] if chosen else [*CHROMIUMS, playwright.chromium.executable_path]:
        if found := shutil.which(candidate):
            return found
    pytest.skip(
        "no Chromium: `apt-get install chromium`, or `playwright install chromium`, or set CHROMIUM to its path"
    )
