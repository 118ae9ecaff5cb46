"""The painel where tokens are asked for: it asks for one, and offers only what its scopes allow."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from deploy import issue_token
from tests.browser.conftest import first_visit
from tests.browser.painel import Person
from tests.system import System

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def person(browser: Browser, protected_system: System) -> AsyncIterator[Person]:
    url = f"http://localhost:{8000 + protected_system.offset}"
    async with first_visit(browser, url) as visit:
        yield Person(visit, f"{url}/painel")


async def enter(person: Person, token: str) -> None:
    await person.page.get_by_label("Token de acesso").fill(token)
    await person.button("Entrar").click()


async def test_a_token_is_asked_for_and_a_wrong_one_is_said_to_be_wrong(
    person: Person, protected_system: System
) -> None:
    await person.open("/")
    await expect(person.page.get_by_role("navigation")).to_have_count(0)

    await enter(person, "eyJ.nada.nada")
    await enter(person, issue_token.mint(protected_system.directory, seconds=-3600))
    await expect(person.page.get_by_label("Token de acesso")).to_have_accessible_description(re.compile("não vale"))
    await enter(person, issue_token.mint(protected_system.directory))

    await expect(person.rows).to_have_count(50)
    await person.page.reload()
    await expect(person.rows).to_have_count(50)
    await person.button("Sair").click()
    await expect(person.page.get_by_label("Token de acesso")).to_be_visible()


async def test_what_the_scopes_do_not_allow_is_not_offered(person: Person, protected_system: System) -> None:
    scopes = ["solicitacoes:read", "servicos:read", "servicos:write", "catalogo:read"]
    await person.open("/")
    await enter(person, issue_token.mint(protected_system.directory, scopes=scopes))

    await expect(person.rows).to_have_count(50)
    await expect(person.rows.first).to_contain_text("sem permissão para ver")
    await expect(person.page.get_by_role("link", name="Nova solicitação")).to_have_count(0)
    await expect(person.page.get_by_role("navigation").get_by_role("link")).to_have_text(
        ["Solicitações", "Resumo", "Serviços", "Produtos", "Categorias"]
    )
    await person.page.get_by_role("link", name="Produtos").click()
    await expect(person.rows).to_have_count(50)
    await expect(person.button("Novo produto")).to_have_count(0)
    await expect(person.page.get_by_role("button", name=re.compile("Excluir"))).to_have_count(0)
    await person.page.get_by_role("link", name="Serviços").click()
    await expect(person.button("Novo serviço")).to_be_visible()
