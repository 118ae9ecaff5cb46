"""The painel as people use it: ten tasks in a real Chromium, against the running system, with services killed and back.

Each task ends with what a person sees. `trouble` is what the browser has to complain about: a task that breaks nothing
must have none.
"""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Request, WebSocketRoute, expect

from tests.browser.conftest import first_visit
from tests.browser.painel import Person, ask, create, forget, give_up_on_pessoas, killed
from tests.chassis.peers import until
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.system import System, free_offset

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system with its demo data, exactly as `make run` starts it: where a service is away, its callers wait
    for as long as people would."""
    running = System(tmp_path_factory.mktemp("system"), free_offset(), demo=1)
    running.says("open GraphiQL")
    yield running
    running.stop(signal.SIGTERM)


@pytest_asyncio.fixture(loop_scope="module")
async def person(browser: Browser, gateway_url: str) -> AsyncIterator[Person]:
    async with first_visit(browser, gateway_url) as visit:
        yield Person(visit, f"{gateway_url}/painel")


async def test_the_newest_are_first_and_the_list_goes_on_as_far_as_one_scrolls(person: Person) -> None:
    await person.open("/")
    await expect(person.count).to_contain_text(re.compile(r"^5\.0\d\d solicitações"))
    await expect(person.rows).to_have_count(50)

    for seen in (100, 150):
        await person.page.mouse.wheel(0, 100_000)
        await expect(person.rows).to_have_count(seen)

    dates = await person.rows.locator("time").evaluate_all("all => all.map((one) => one.dateTime)")
    assert dates == sorted(dates, reverse=True)
    ids = await person.rows.locator("a").all_inner_texts()
    assert len(set(ids)) == 150
    assert person.trouble == []


async def test_filters_need_no_accents_stand_in_the_url_and_the_back_button_takes_them_away(
    person: Person, browser: Browser, gateway_url: str
) -> None:
    await person.open("/")
    await person.page.get_by_label("Pessoa", exact=True).fill("conceicao")
    await expect(person.page).to_have_url(re.compile(r"\?pessoa=conceicao$"))
    await person.page.get_by_label("Categoria").fill("energia")
    await person.page.get_by_label("De", exact=True).fill("2025-10-01")
    await person.page.get_by_label("Até").fill("2025-12-31")
    await expect(person.count).to_have_text("3 solicitações com estes filtros")
    await expect(person.rows).to_have_count(3)
    await expect(person.rows.first).to_contain_text("Conceição")
    await expect(person.rows.first).to_contain_text("Energia Solar")

    async with first_visit(browser, gateway_url) as other:  # somebody to whom the URL is sent
        await other.page.goto(person.page.url)
        await expect(other.page.locator("tbody tr")).to_have_count(3)
        await expect(other.page.get_by_label("Categoria")).to_have_value("energia")

    await person.page.go_back()
    await person.page.go_back()
    await person.page.go_back()
    await expect(person.page).to_have_url(re.compile(r"\?pessoa=conceicao$"))
    await expect(person.page.get_by_label("Categoria")).to_have_value("")
    await person.page.go_back()
    await expect(person.rows).to_have_count(50)
    assert person.trouble == []


@pytest.mark.parametrize("sockets", [True, False], ids=["by a subscription", "without WebSockets"])
async def test_what_somebody_else_creates_appears_by_itself(person: Person, system: System, sockets: bool) -> None:
    if not sockets:
        await person.page.route_web_socket("**/graphql", lambda socket: socket.close())
    await person.open("/")
    await expect(person.rows).to_have_count(50)
    await person.page.mouse.wheel(0, 100_000)
    await expect(person.rows).to_have_count(100)

    id = create(system, pessoa=2)

    await expect(person.rows.first).to_contain_text(id)
    await expect(person.rows.first).to_contain_text("Conceição Araújo")
    await expect(person.count).to_contain_text("1 nova desde que a página foi aberta")
    assert await person.rows.count() >= 100
    assert person.trouble == []


async def test_a_view_asks_once_more_when_its_subscription_is_surely_open(person: Person) -> None:
    asked: list[str] = []
    held: list[tuple[WebSocketRoute, str | bytes]] = []
    connects = asyncio.Event()

    def hold(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        socket.on_message(lambda sent: server.send(sent) if connects.is_set() else held.append((server, sent)))
        server.on_message(lambda said: acknowledge(socket, said))

    def acknowledge(socket: WebSocketRoute, said: str | bytes) -> None:
        if '"connection_ack"' in str(said):
            asked.clear()  # what was asked without a connection
        socket.send(said)

    await person.page.route_web_socket("**/graphql", hold)
    await person.open("/")
    await expect(person.rows).to_have_count(50)
    person.page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/graphql") else None)
    connects.set()
    for server, sent in held:
        server.send(sent)

    async with asyncio.timeout(20):  # beside a subscription it asks every half minute
        await until(lambda: len(asked) >= 2, "it asks when it is connected, and then")


async def test_one_is_shown_in_full_and_leads_to_the_others_of_its_pessoa(person: Person) -> None:
    await person.open("/?pessoa=conceicao&categoria=energia&de=2025-10-01&ate=2025-12-31")
    await person.rows.first.get_by_role("link").click()

    await expect(person.page.get_by_role("heading", level=1)).to_have_text("Solicitação 4929")
    await expect(person.page).to_have_title("Solicitação 4929 · Painel")
    shown = person.page.locator("dl")
    for text in ("Conceição Queirós", "Painel Fotovoltaico Avançado", "Energia Solar"):
        await expect(shown).to_contain_text(text)
    await person.page.get_by_role("link", name="Todas as solicitações de Conceição Queirós").click()
    await expect(person.rows.first).to_contain_text("Conceição Queirós")
    assert person.trouble == []


async def test_creating_one_says_beside_each_field_what_is_missing_and_offers_what_is_typed(
    person: Person, system: System
) -> None:
    await person.open("/")
    await person.page.get_by_role("link", name="Nova solicitação").click()
    await person.button("Criar").click()
    for name, error in (("Pessoa", "uma pessoa"), ("Serviço", "um serviço"), ("Produto", "um produto")):
        await expect(person.picker(name)).to_have_accessible_description(re.compile(f"Escolha {error} da lista"))

    await person.choose("Pessoa", "joao da si", "João da Silva")
    await person.choose("Serviço", "orcamento com", "Orçamento Comercial")
    await person.choose("Produto", "fotovoltaico r", "Painel Fotovoltaico Robusto")
    await person.button("Criar").click()

    await expect(person.page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Solicitação \d+"))
    await expect(person.page.get_by_text("A solicitação foi criada.")).to_be_visible()
    await expect(person.page.locator("dl")).to_contain_text("Orçamento Comercial")
    newest = ask(system, "{ solicitacoes(first: 1, orderBy: ID_DESC) { nodes { pessoa { nomePessoa } } } }")
    assert newest["solicitacoes"]["nodes"][0]["pessoa"]["nomePessoa"] == "João da Silva"
    assert person.trouble == []


async def test_everything_for_a_new_one_can_be_done_by_the_keyboard_alone(person: Person) -> None:
    keyboard = person.page.keyboard
    focused = person.page.locator(":focus")
    await person.open("/")

    await keyboard.press("Tab")
    await expect(focused).to_have_text("Ir para o conteúdo")
    await keyboard.press("Enter")
    await keyboard.press("Tab")
    await expect(focused).to_have_text("Nova solicitação")
    await keyboard.press("Enter")
    await expect(person.page.get_by_role("heading", level=1)).to_be_focused()
    for name, text in (("Pessoa", "maria das gracas"), ("Serviço", "conserto ind"), ("Produto", "gerador a diesel b")):
        await keyboard.press("Tab")
        await expect(person.picker(name)).to_be_focused()
        await keyboard.type(text)
        option = person.page.get_by_role("option")
        await expect(option).to_have_count(1)
        offered = (await option.inner_text()).splitlines()[0]
        await keyboard.press("ArrowDown")
        await expect(option).to_have_attribute("data-focused", "true")
        await keyboard.press("Enter")
        await expect(person.picker(name)).to_have_value(offered)
    await keyboard.press("Tab")
    await keyboard.press("Tab")
    await expect(focused).to_have_text("Criar")
    await keyboard.press("Enter")

    await expect(person.page.get_by_text("A solicitação foi criada.")).to_be_visible()
    await expect(person.page.locator("dl")).to_contain_text("Maria das Graças")
    assert person.trouble == []


async def test_a_row_says_that_its_pessoa_cannot_be_fetched_and_recovers_by_itself(
    person: Person, system: System
) -> None:
    async with killed(system, "pessoas"):
        await forget(system)
        await person.open("/")
        await expect(person.rows).to_have_count(50)
        await expect(person.rows.first).to_contain_text("indisponível agora")
        await expect(person.rows.first.get_by_role("cell").nth(3)).not_to_be_empty()

    await expect(person.page.get_by_text("indisponível agora")).to_have_count(0)
    pessoa = person.rows.first.get_by_role("cell").nth(2)
    await expect(pessoa).to_have_text(re.compile(r"^\S+ \S"))
    name = await pessoa.inner_text()

    async with killed(system, "pessoas"):
        await forget(system)
        await person.rows.first.get_by_role("link").click()
        await expect(person.page.locator("dl")).to_contain_text(f"{name} (de antes; indisponível agora)")
    await expect(person.page.get_by_text("indisponível agora")).to_have_count(0)
    await expect(person.page.locator("dl")).to_contain_text(name)


async def test_rows_that_the_gateway_remembers_of_a_service_that_is_away_are_shown_as_such_until_it_is_back(
    person: Person, system: System, gateway_url: str
) -> None:
    newest = "{ solicitacoes(first: 10, orderBy: DATA_SOLICITACAO_DESC) { nodes { pessoa { id nomePessoa } } } }"
    await forget(system)  # so it will remember some of the pessoas on the page
    kept = re.compile(r'cache_rows{.*service="pessoas".*} [1-9]')

    def metrics() -> str:
        return httpx2.get(f"{gateway_url}/metrics", timeout=WAIT_SECONDS).text

    await asyncio.to_thread(
        eventually,
        lambda: bool(ask(system, newest) and kept.search(metrics())),
        lambda: "the gateway keeps pessoas",
    )
    ask(system, "{ pessoa(id: 1) { nomePessoa } }")
    ask(system, newest)  # it keeps all of these now
    notice = person.page.get_by_text("Fora do ar agora, e mostrado como era: pessoas (há ")

    async with killed(system, "pessoas"):
        await give_up_on_pessoas(system)
        await person.open("/")
        await expect(notice).to_be_visible()
        await expect(person.rows).to_have_count(50)
        await expect(person.rows.first.get_by_role("cell").nth(2)).to_have_text(re.compile(r"^\S+ \S"))
        await expect(person.page.get_by_text("indisponível agora").first).to_be_visible()
        for operation in ("Incompletas", "Solicitacoes"):
            async with person.page.expect_response(lambda one, name=operation: asks(one.request, name)):
                pass
            await expect(notice).to_be_visible()
    await expect(notice).to_have_count(0)
    await expect(person.page.get_by_text("indisponível agora")).to_have_count(0)


def asks(request: Request, operation: str) -> bool:
    return f'"operationName":"{operation}"' in (request.post_data or "")


async def test_what_was_filled_in_outlives_an_outage_and_is_written_once(person: Person, system: System) -> None:
    same = "{pessoaId: {eq: 7}, servicoId: {eq: 7}, produtoId: {eq: 7}}"
    alike = f"{{ solicitacoes(filter: {same}) {{ totalCount }} }}"
    nome = ask(system, "{ pessoa(id: 7) { nomePessoa } }")["pessoa"]["nomePessoa"]
    servico = ask(system, "{ servico(id: 7) { nomeServico } }")["servico"]["nomeServico"]
    produto = ask(system, "{ produto(id: 7) { nomeProduto } }")["produto"]["nomeProduto"]
    before = ask(system, alike)["solicitacoes"]["totalCount"]
    keys = set[str]()
    person.page.on("request", lambda one: keys.add(one.headers.get("idempotency-key", "")))
    await person.open("/nova")
    await person.choose("Pessoa", nome, nome)
    await person.choose("Serviço", servico, servico)
    await person.choose("Produto", produto, produto)

    async with killed(system, "solicitacoes"):
        await person.button("Criar").click()
        await expect(person.page.get_by_text("tentando de novo")).to_be_visible()
        await expect(person.alert).to_contain_text("Sem resposta.", timeout=60_000)
        await expect(person.alert).to_contain_text("Nada do que foi preenchido se perdeu")
        await expect(person.picker("Pessoa")).to_have_value(nome)
    await person.button("Tentar de novo").click()

    await expect(person.page.get_by_text("A solicitação foi criada.")).to_be_visible()
    assert ask(system, alike)["solicitacoes"]["totalCount"] == before + 1
    assert len(keys - {""}) == 1


async def test_a_categoria_is_added_renamed_and_deleted_with_its_produtos_after_a_warning(
    person: Person, system: System
) -> None:
    await person.open("/categorias")
    await person.button("Nova categoria").click()
    await person.window.get_by_label("Nome").fill("   ")
    await person.button("Gravar").click()
    await expect(person.window.get_by_label("Nome")).to_have_accessible_description("não pode ficar em branco")
    await person.window.get_by_label("Nome").fill("Livros")
    await person.button("Gravar").click()
    await expect(person.page.get_by_text("“Livros” foi criada.")).to_be_visible()

    await person.button("Mudar Livros").click()
    await person.window.get_by_label("Nome").fill("Livros e Papéis")
    await person.button("Gravar").click()
    await expect(person.rows.filter(has_text="Livros e Papéis")).to_have_count(1)

    await person.page.get_by_role("link", name="Produtos").click()
    await person.button("Novo produto").click()
    await person.window.get_by_label("Nome").fill("Dicionário")
    await person.choose("Categoria", "papeis", "Livros e Papéis")
    await person.button("Gravar").click()
    await expect(person.page.get_by_text("“Dicionário” foi criado.")).to_be_visible()
    produto = ask(system, '{ produtos(filter: {nomeProduto: {eq: "Dicionário"}}) { nodes { id } } }')
    solicitacao = create(system, pessoa=1, produto=int(produto["produtos"]["nodes"][0]["id"]))

    await person.page.get_by_role("link", name="Categorias").click()
    await person.button("Excluir Livros e Papéis").click()
    await expect(person.window).to_contain_text("O produto dela também será excluído. 1 solicitação continua na lista")
    await person.window.get_by_role("button", name="Excluir").click()
    await expect(person.page.get_by_text("“Livros e Papéis” foi excluída.")).to_be_visible()
    await expect(person.button("Excluir Livros e Papéis")).to_have_count(0)
    await person.page.get_by_role("link", name="Solicitações").click()
    await expect(person.rows.filter(has=person.page.get_by_text(solicitacao, exact=True))).to_contain_text(
        "não existe mais"
    )
    assert person.trouble == []


async def test_a_conflict_is_told_from_an_outage(person: Person, system: System) -> None:
    ask(system, 'mutation { criarPessoa(input: {nomePessoa: "Zulmira Efêmera"}) { errors { code } } }')
    id = ask(system, '{ pessoas(filter: {nomePessoa: {eq: "Zulmira Efêmera"}}) { nodes { id } } }')["pessoas"]["nodes"]
    await person.open("/pessoas?nome=zulmira")
    await person.button("Mudar Zulmira Efêmera").click()
    await person.window.get_by_label("Nome").fill("Zulmira Duradoura")

    ask(system, "mutation ($id: ID!) { excluirPessoa(id: $id) { errors { code } } }", id=id[0]["id"])
    await person.button("Gravar").click()

    await expect(person.alert).to_contain_text("Conflito: outra pessoa foi mais rápida.")
    await expect(person.alert).to_contain_text("não existe")
    await expect(person.window.get_by_label("Nome")).to_have_value("Zulmira Duradoura")
    assert person.trouble == []


async def test_the_summary_has_the_figures_of_the_services_and_costs_a_bounded_number_of_calls(
    person: Person, system: System
) -> None:
    asked: list[str] = []
    person.page.on("request", lambda one: asked.append(one.post_data or "") if one.url.endswith("/graphql") else None)
    await person.open("/resumo?ate=2025-12-10")
    await expect(person.page.get_by_role("heading", name="Por serviço")).to_be_visible()
    calls = len(asked)  # later it asks again

    days = person.page.locator(".columns tbody tr")
    shown = [int(text) for text in await days.locator("td span").all_inner_texts()]
    counted = [await stored_on(person, system, day) for day in ("2025-11-27", "2025-12-10")]
    assert [shown[0], shown[-1]] == counted
    await expect(person.count).to_contain_text(f"{sum(shown)} solicitações no período")
    for heading in ("Por categoria", "Por serviço"):
        section = person.page.locator("section").filter(has=person.page.get_by_role("heading", name=heading))
        await section.get_by_role("button").click()
        figures = [int(text) for text in await section.locator("td span").all_inner_texts()]
        assert sum(figures) == sum(shown)
        assert figures == sorted(figures, reverse=True)
    assert len(set(asked)) == calls == 4, "the newest one, the days, the produtos and the serviços"
    assert person.trouble == []


async def stored_on(person: Person, system: System, day: str) -> int:
    """How many solicitações the service has of a day, which begins when it begins for the browser."""
    first, last = await person.page.evaluate(
        "(day) => [0, 86399999].map((later) => new Date(+new Date(`${day}T00:00`) + later).toISOString())", day
    )
    period = {"data_solicitacao__gte": first, "data_solicitacao__lte": last}
    url = f"http://localhost:{8004 + system.offset}/api/solicitacoes/"
    answer = httpx2.get(url, params={"page_size": 1, "count": "true", **period}, timeout=30)
    return int(answer.headers["X-Total-Count"])


async def test_nothing_is_asked_of_anybody_else_and_the_first_load_is_small(person: Person, gateway_url: str) -> None:
    sizes: list[int] = []

    async def weigh(url: str) -> None:
        answer = await person.page.request.get(url, headers={"Accept-Encoding": "gzip"})
        sizes.append(int(answer.headers["content-length"]))

    await person.open("/")
    await expect(person.rows).to_have_count(50)
    for url in dict.fromkeys(url for url in person.urls if not url.endswith("/graphql")):
        await weigh(url)

    assert {urlsplit(url).netloc for url in person.urls} == {urlsplit(gateway_url).netloc}
    assert len(sizes) > 3
    assert sum(sizes) < 250_000
    assert person.trouble == []
