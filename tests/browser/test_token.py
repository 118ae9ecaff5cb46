"""GraphiQL where tokens are asked for: one place to paste one, and the page works from there on."""

import asyncio

import pytest
from playwright.async_api import expect

from deploy import issue_token
from tests.browser.visit import Visit
from tests.deploy.processes import WAIT_SECONDS
from tests.system import System

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def gateway_url(protected_system: System) -> str:
    return f"http://localhost:{8000 + protected_system.offset}"


async def test_a_pasted_token_brings_the_schema_and_serves_every_tab(visit: Visit, protected_system: System) -> None:
    field = visit.page.get_by_label("Token de acesso")
    await expect(field).to_have_attribute("placeholder", "cole aqui o que `make token` escreve")
    _, refused = await visit.run()
    assert [error["extensions"]["code"] for error in refused["errors"]] == ["UNAUTHENTICATED"]

    await field.fill(issue_token.mint(protected_system.directory))

    await visit.open_documentation()
    _, answer = await visit.run()
    assert "errors" not in answer
    await visit.write_in_a_new_tab("{ pessoa(id: 1) { id } }")
    await visit.saved("{ pessoa(id: 1)")
    _, answer = await visit.run()
    assert answer["data"] == {"pessoa": {"id": "1"}}


async def test_a_tabs_own_header_goes_over_the_token(visit: Visit, protected_system: System) -> None:
    await visit.page.get_by_label("Token de acesso").fill(issue_token.mint(protected_system.directory))
    await visit.open_documentation()
    await visit.page.get_by_role("button", name="Cabeçalhos", exact=True).click()
    await visit.page.get_by_label("Cabeçalhos", exact=True).locator(".view-lines:visible").click()
    await visit.page.keyboard.insert_text('{ "Authorization": "Bearer nenhum" }')

    request, _ = await visit.run()

    assert request.headers["authorization"] == "Bearer nenhum"


async def test_the_token_outlives_a_reload_and_is_kept_by_the_browsers_tab_only(
    visit: Visit, protected_system: System
) -> None:
    await visit.page.get_by_label("Token de acesso").fill(issue_token.mint(protected_system.directory))
    await visit.page.reload()
    await visit.open_documentation()

    assert await visit.page.evaluate("Object.values(localStorage).some((one) => one.includes('eyJ'))") is False


async def test_a_subscription_brings_the_token_along(visit: Visit, protected_system: System) -> None:
    await visit.page.get_by_label("Token de acesso").fill(issue_token.mint(protected_system.directory))
    await visit.open_documentation()
    await visit.tabs.filter(has_text="MudancasDePessoas").click()

    acknowledged = asyncio.Event()

    def received(text: str | bytes) -> None:
        if "connection_ack" in str(text):
            acknowledged.set()

    visit.page.on("websocket", lambda socket: socket.on("framereceived", received))

    await visit.page.get_by_role("button", name="Executar a operação").click()

    async with asyncio.timeout(WAIT_SECONDS):
        await acknowledged.wait()
