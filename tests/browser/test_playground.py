"""GraphiQL as a visitor meets it: from the gateway, in Portuguese, ready to run, and in no need of the internet."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from graphql import build_schema
from playwright.async_api import Browser, expect

from tests.browser.conftest import first_visit
from tests.browser.visit import Visit
from tests.deploy.processes import WAIT_SECONDS
from tests.scraped import scrape
from tests.system import System

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = Path(__file__).parents[2] / "gateway/playground/examples"
OPERATIONS = [
    name
    for example in sorted(EXAMPLES.glob("*.graphql"))
    for name in re.findall(r"^(?:query|mutation|subscription) (\w+)", example.read_text(encoding="utf-8"), re.MULTILINE)
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
    await visit.open_documentation()
    for words in ("Tipos raiz", "Todos os tipos"):
        await expect(visit.page.get_by_label("Documentação", exact=True)).to_contain_text(words)
    shown = await visit.page.evaluate("""() => [
        document.body.innerText,
        ...[...document.querySelectorAll("[aria-label]")].map((one) => one.ariaLabel),
        ...[...document.querySelectorAll("[placeholder]")].map((one) => one.placeholder),
    ].join(" ")""")
    assert not re.search(r"\b(query \(|Show|Hide|Search|Root Types|Editor Commands|Close|Headers|Variables)\b", shown)


async def test_a_first_visit_finds_a_tab_for_every_example_with_the_painel_in_front(visit: Visit) -> None:
    await expect(visit.tabs).to_have_text(OPERATIONS, use_inner_text=True)
    await expect(visit.page.get_by_role("tab", selected=True)).to_contain_text("Painel")


async def test_running_the_painel_shows_who_asked(visit: Visit) -> None:
    _, answer = await visit.run()

    newest = answer["data"]["solicitacoes"]["edges"][0]["node"]
    await expect(visit.response).to_contain_text(f'"nomePessoa": "{newest["pessoa"]["nomePessoa"]}"')


async def test_an_example_brings_its_variables(visit: Visit) -> None:
    await visit.tabs.filter(has_text="PessoasPorNome").click()

    await expect(visit.page.get_by_label("Variáveis", exact=True)).to_contain_text('{ "trecho": "maria" }')


async def test_a_subscription_shows_what_others_write_until_it_is_stopped(visit: Visit, system: System) -> None:
    async with httpx2.AsyncClient(base_url=f"http://localhost:{8000 + system.offset}", timeout=WAIT_SECONDS) as gateway:

        async def open_subscriptions(count: int) -> None:
            async with asyncio.timeout(20):  # who is in a group is told all that follows
                while (await scrape(gateway)).value("graphql_subscription_groups") != count:  # noqa: ASYNC110 - it only counts
                    await asyncio.sleep(0.1)

        await visit.tabs.filter(has_text="MudancasDePessoas").click()
        await visit.page.get_by_role("button", name="Executar a operação").click()
        await open_subscriptions(1)
        for nome in ("Ana Ao Vivo", "Rui Ao Vivo"):
            status, _ = await asyncio.to_thread(system.ask, "pessoas", "POST", "/api/pessoas/", {"nome_pessoa": nome})
            assert status == 201
            await expect(visit.response).to_contain_text(f'"nomePessoa": "{nome}"')
        await expect(visit.response).to_contain_text('"operacao": "CRIADA"')
        await visit.page.get_by_role("button", name="Parar a operação").click()
        await open_subscriptions(0)

    assert visit.trouble == []


async def test_typing_a_field_offers_what_the_schema_knows(visit: Visit) -> None:
    await visit.open_documentation()

    await visit.write_in_a_new_tab("{ solicitac")

    await expect(visit.suggestions.filter(has_text="SolicitacaoConnection")).to_be_visible()


async def test_a_header_typed_by_the_visitor_reaches_the_gateway(visit: Visit) -> None:
    await visit.page.get_by_role("button", name="Cabeçalhos", exact=True).click()
    await visit.page.get_by_label("Cabeçalhos", exact=True).locator(".view-lines:visible").click()
    await visit.page.keyboard.insert_text('{ "X-Quem": "visitante" }')

    request, _ = await visit.run()

    assert request.headers["x-quem"] == "visitante"


async def test_what_a_visitor_writes_is_still_there_after_a_reload(visit: Visit) -> None:
    await visit.write_in_a_new_tab("query Minha { __typename")
    await visit.saved("query Minha { __typename")

    await visit.page.reload()

    await expect(visit.tabs).to_have_text([*OPERATIONS, "Minha"], use_inner_text=True)
    await expect(visit.operation).to_contain_text("query Minha")


async def test_the_answers_time_status_size_and_cost_stand_below_it(visit: Visit) -> None:
    _, answer = await visit.run()

    figures = visit.page.get_by_role("status", name="A última resposta")
    await expect(figures).to_have_text(
        re.compile(rf"\d ms200[\d.]+ bytescusto {answer['extensions']['cost']['requested']}$")
    )
    await expect(visit.response).not_to_contain_text("extensions")


async def test_a_link_opens_the_operation_it_brings_beside_the_tabs_of_the_visitor(visit: Visit) -> None:
    await visit.tabs.filter(has_text="PessoasPorNome").click()
    await visit.page.get_by_role("button", name="Copiar um link que abre esta operação").click()
    await expect(visit.page).to_have_url(re.compile(r"/graphql\?query=.*PessoasPorNome.*&variables="))
    link = visit.page.url.replace("PessoasPorNome", "DeOutraPessoa")

    await visit.open(link)

    await expect(visit.page.get_by_role("tab", selected=True)).to_contain_text("DeOutraPessoa")
    await expect(visit.tabs).to_have_count(len(OPERATIONS) + 1)
    _, answer = await visit.run()
    assert answer["data"]["pessoas"]["nodes" if "nodes" in answer["data"]["pessoas"] else "edges"]


async def test_a_link_opens_its_operation_at_a_first_visit_too(browser: Browser, gateway_url: str) -> None:
    async with first_visit(browser, gateway_url) as visit:
        await visit.open(f"{gateway_url}/graphql?query=query Nova {{ __typename }}")

        await expect(visit.page.get_by_role("tab", selected=True)).to_contain_text("Nova")
        await expect(visit.tabs).to_have_text(["Nova", *OPERATIONS], use_inner_text=True)


async def test_the_open_panel_of_the_plan_shows_how_an_operation_was_resolved(visit: Visit) -> None:
    _, silent = await visit.run()
    await visit.page.get_by_role("button", name="Mostrar Plano").click()
    _, told = await visit.run()

    assert "plan" not in silent["extensions"]
    await expect(visit.page.get_by_role("region", name="Plano")).to_contain_text("node.pessoa: reads the distinct keys")
    assert "node.pessoa: reads the distinct keys" in told["extensions"]["plan"]


async def test_the_schema_can_be_downloaded(visit: Visit, tmp_path: Path) -> None:
    await visit.open_documentation()
    async with visit.page.expect_download() as downloading:
        await visit.page.get_by_role("button", name="Baixar o esquema (SDL)").click()

    download = await downloading.value
    await download.save_as(tmp_path / "schema.graphql")
    schema = build_schema((tmp_path / "schema.graphql").read_text(encoding="utf-8"))
    assert download.suggested_filename == "schema.graphql"
    assert {"Solicitacao", "Pessoa", "Servico", "Produto", "Categoria"} <= schema.type_map.keys()


async def test_the_query_builder_writes_the_query(visit: Visit) -> None:
    await visit.open_documentation()
    await visit.write_in_a_new_tab("query Montada { __typename }")
    await visit.page.get_by_role("button", name="Mostrar Construtor de consultas").click()
    builder = visit.page.locator(".docExplorerWrap")
    await builder.locator(".graphiql-explorer-field-view", has_text="categorias").first.click()

    await expect(visit.operation).to_contain_text("categorias")


async def test_on_a_telephone_the_answer_stands_below_the_query(browser: Browser, gateway_url: str) -> None:
    async with first_visit(browser, gateway_url) as visit:
        await visit.page.set_viewport_size({"width": 390, "height": 844})
        await visit.open(f"{gateway_url}/graphql")
        await visit.run()
        await expect(visit.response).to_contain_text("totalCount")

        query, answer = [await part.bounding_box() for part in (visit.operation, visit.response)]
        assert query
        assert answer
        assert answer["y"] >= query["y"] + query["height"]
        for box in (query, answer):
            assert box["x"] >= 0
            assert 300 <= box["width"] <= 390
            assert box["height"] > 150
        assert await visit.page.evaluate("document.documentElement.scrollWidth") == 390
        await visit.open_documentation()
