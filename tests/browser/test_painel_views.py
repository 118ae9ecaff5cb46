"""Every view of the painel, narrow and wide, light and dark: axe finds nothing serious, and nothing is cut off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.conftest import first_visit
from tests.browser.painel import Person
from tests.clients.node import install

pytestmark = pytest.mark.asyncio(loop_scope="module")

PLAYGROUND = Path(__file__).parents[2] / "gateway" / "playground"
VIEWS = (
    "/",
    "/?pessoa=conceicao",
    "/solicitacoes/1",
    "/solicitacoes/999999",
    "/nova",
    "/resumo",
    "/nada",
    "/pessoas",
    "/produtos",
)


@pytest.fixture(scope="module")
def axe() -> str:
    install(PLAYGROUND)
    return (PLAYGROUND / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest_asyncio.fixture(loop_scope="module")
async def person(browser: Browser, gateway_url: str) -> AsyncIterator[Person]:
    async with first_visit(browser, gateway_url) as visit:
        yield Person(visit, f"{gateway_url}/painel")


async def judge(person: Person, axe: str, *, excused: tuple[str, ...] = ()) -> list[str]:
    """What axe finds serious on the view, and whether something is wider than the window."""
    await person.page.evaluate(axe)
    rules = {rule: {"enabled": False} for rule in excused}
    results = await person.page.evaluate("(rules) => axe.run({ resultTypes: ['violations'], rules })", rules)
    found = [
        f"{one['impact']} {one['id']}: {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in results["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    if await person.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append("something is wider than the window")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440])
async def test_no_view_has_a_serious_fault_at_any_width_in_any_colours(
    person: Person, axe: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    await person.page.set_viewport_size({"width": width, "height": 900})
    await person.page.emulate_media(color_scheme=scheme)
    for path in VIEWS:
        await person.open(path)
        await expect(person.page.get_by_text("Carregando…")).to_have_count(0)
        await expect(person.page.get_by_text("Contando…")).to_have_count(0)
        assert (path, await judge(person, axe)) == (path, [])


@pytest.mark.parametrize("width", [390, 1440])
async def test_no_dialog_and_no_open_list_has_a_serious_fault(person: Person, axe: str, width: int) -> None:
    await person.page.set_viewport_size({"width": width, "height": 900})
    await person.open("/nova")
    await person.button("Criar").click()
    await person.picker("Pessoa").fill("conceicao")
    await expect(person.page.get_by_role("option", name="Adriana Conceição")).to_be_visible()
    # While a list of options is open, React Aria hides the rest from screen readers. The rest can take the focus, but
    # then the list closes.
    assert await judge(person, axe, excused=("aria-hidden-focus",)) == []
    await person.open("/produtos")
    for button in ("Novo produto", "Mudar Andaime Tubular Básico", "Excluir Andaime Tubular Básico"):
        await person.button(button).click()
        await expect(person.window).to_be_visible()
        assert (button, await judge(person, axe)) == (button, [])
        await person.page.keyboard.press("Escape")
        await expect(person.window).to_have_count(0)
