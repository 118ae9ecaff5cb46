"""`/docs` of the services as a visitor meets it: every operation, ready to be tried, and in no need of the internet."""

from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, expect

from deploy.topology import SERVICES, by_name
from tests.browser.conftest import first_visit
from tests.system import System

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", [service.name for service in SERVICES])
async def test_the_page_shows_the_services_operations_and_asks_nobody_else(
    browser: Browser, system: System, name: str
) -> None:
    origin = f"http://localhost:{by_name(name).port + system.offset}"
    paths = system.ask(name, "GET", "/openapi.json")[1]["paths"]

    async with first_visit(browser, origin) as visit:
        await visit.page.goto(f"{origin}/docs")
        await expect(visit.page.locator(".opblock")).to_have_count(sum(map(len, paths.values())))
        await visit.page.wait_for_load_state("networkidle")

        assert {urlsplit(url).netloc for url in visit.urls if not url.startswith("data:")} == {urlsplit(origin).netloc}
        assert visit.trouble == []


async def test_an_operation_can_be_tried_on_the_page(browser: Browser, system: System) -> None:
    origin = f"http://localhost:{by_name('pessoas').port + system.offset}"

    async with first_visit(browser, origin) as visit:
        await visit.page.goto(f"{origin}/docs")
        one = visit.page.locator(".opblock-get").filter(has_text="/api/pessoas/{id}/")
        await one.locator(".opblock-summary-control").click()
        await one.get_by_role("button", name="Try it out").click()
        await one.get_by_placeholder("id", exact=True).fill("1")
        await one.get_by_role("button", name="Execute").click()

        await expect(one.locator(".live-responses-table tbody .response-col_status").first).to_contain_text("200")
        await expect(one.locator(".live-responses-table tbody").first).to_contain_text("nome_pessoa")
        assert visit.trouble == []
