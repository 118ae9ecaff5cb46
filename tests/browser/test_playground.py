"""GraphiQL as a visitor meets it: from the gateway, in Portuguese, ready to run, and in no need of the internet."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from tests.browser.visit import Visit

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "gateway/playground/examples"
OPERATIONS = [
    name
    for example in sorted(EXAMPLES.glob("*.graphql"))
    for name in re.findall(r"^(?:query|mutation) (\w+)", example.read_text(encoding="utf-8"), re.MULTILINE)
]


async def test_the_page_asks_nobody_but_the_gateway_and_nothing_goes_wrong(visit: Visit, gateway_url: str) -> None:
    await visit.run()
    await visit.open_documentation()
    await visit.write_in_a_new_tab("{ solicitac")
    await expect(visit.suggestions.first).to_be_visible()
    await visit.page.wait_for_load_state("networkidle")

    assert {urlsplit(url).netloc for url in visit.urls} == {urlsplit(gateway_url).netloc}
    assert visit.trouble == []


async def test_the_page_speaks_portuguese(visit: Visit) -> None:
    await expect(visit.page).to_have_title("Solicitações · GraphiQL")
    await expect(visit.page.locator("html")).to_have_attribute("lang", "pt-BR")
    await expect(visit.operation).to_contain_text("Bem-vindo!")


async def test_a_first_visit_finds_a_tab_for_every_example_with_the_painel_in_front(visit: Visit) -> None:
    await expect(visit.tabs).to_have_text(OPERATIONS, use_inner_text=True)
    await expect(visit.page.get_by_role("tab", selected=True)).to_contain_text("Painel")


async def test_running_the_painel_shows_who_asked(visit: Visit) -> None:
    _, answer = await visit.run()

    newest = answer["data"]["solicitacoes"]["edges"][0]["node"]
    await expect(visit.response).to_contain_text(f'"nomePessoa": "{newest["pessoa"]["nomePessoa"]}"')


async def test_an_example_brings_its_variables(visit: Visit) -> None:
    await visit.tabs.filter(has_text="PessoasPorNome").click()

    await expect(visit.page.get_by_label("Variables", exact=True)).to_contain_text('{ "trecho": "maria" }')


async def test_typing_a_field_offers_what_the_schema_knows(visit: Visit) -> None:
    await visit.open_documentation()

    await visit.write_in_a_new_tab("{ solicitac")

    await expect(visit.suggestions.filter(has_text="SolicitacaoConnection")).to_be_visible()


async def test_a_header_typed_by_the_visitor_reaches_the_gateway(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Headers").click()
    await visit.page.get_by_label("Headers", exact=True).locator(".view-lines:visible").click()
    await visit.page.keyboard.insert_text('{ "X-Quem": "visitante" }')

    request, _ = await visit.run()

    assert request.headers["x-quem"] == "visitante"


async def test_what_a_visitor_writes_is_still_there_after_a_reload(visit: Visit) -> None:
    await visit.write_in_a_new_tab("query Minha { __typename")
    await visit.saved("query Minha")

    await visit.page.reload()

    await expect(visit.tabs).to_have_text([*OPERATIONS, "Minha"], use_inner_text=True)
    await expect(visit.operation).to_contain_text("query Minha")
