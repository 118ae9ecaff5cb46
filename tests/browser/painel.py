"""One person at the painel: what they see and do there, by what a screen reader would call it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psutil
from playwright.async_api import Locator, expect

from tests.browser.visit import Visit
from tests.deploy.processes import WAIT_SECONDS
from tests.system import System


class Person:
    """Somebody at the painel at `url`."""

    def __init__(self, visit: Visit, url: str) -> None:
        self.page, self.url, self._visit = visit.page, url, visit

    @property
    def urls(self) -> list[str]:
        """What the page has asked for."""
        return [url for url in self._visit.urls if not url.startswith("data:")]

    @property
    def trouble(self) -> list[str]:
        """What the browser complains about. A question is broken off when it is no longer of interest, which is no
        trouble."""
        return [one for one in self._visit.trouble if "net::ERR_ABORTED" not in one]

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.url}{path}")
        await expect(self.page.get_by_role("heading", level=1)).to_be_visible()

    @property
    def rows(self) -> Locator:
        return self.page.locator("tbody tr")

    @property
    def count(self) -> Locator:
        return self.page.locator(".count")

    @property
    def alert(self) -> Locator:
        return self.page.get_by_role("alert")

    @property
    def window(self) -> Locator:
        return self.page.get_by_role("dialog").or_(self.page.get_by_role("alertdialog"))

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def picker(self, name: str) -> Locator:
        return self.page.get_by_role("combobox", name=name)

    async def choose(self, name: str, text: str, option: str) -> None:
        """Types `text` into a look-ahead field, and takes an option that it offers."""
        await self.picker(name).fill(text)
        await self.page.get_by_role("option", name=option).first.click()
        await expect(self.picker(name)).to_have_value(option)


def ask(system: System, query: str, **variables: object) -> Any:
    """The data with which the gateway answers somebody else."""
    body = answer(system, query, **variables)
    assert body.get("errors") is None
    return body["data"]


def answer(system: System, query: str, **variables: object) -> Any:
    """What the gateway answers somebody else, perhaps with errors in it."""
    status, body = system.ask("gateway", "POST", "/graphql", {"query": query, "variables": variables})
    assert status == 200
    return body


def create(system: System, pessoa: int, servico: int = 1, produto: int = 1) -> str:
    """The id of a solicitação that somebody else creates."""
    mutation = """mutation ($input: CriarSolicitacaoInput!) {
        criarSolicitacao(input: $input) { solicitacao { id } errors { code } } }"""
    given = {"pessoaId": pessoa, "servicoId": servico, "produtoId": produto}
    return ask(system, mutation, input=given)["criarSolicitacao"]["solicitacao"]["id"]


@asynccontextmanager
async def killed(system: System, name: str) -> AsyncGenerator[None]:
    """Kills a service, and again whenever the launcher has started it again, until the end of the block. Then waits
    until it is ready."""

    async def kill() -> None:
        while True:
            for process in system.processes(name):
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            await asyncio.sleep(0.05)

    killing = asyncio.create_task(kill())
    try:
        yield
    finally:
        killing.cancel()
        await asyncio.to_thread(system.ask, name, "GET", "/health/ready")  # waits in the socket's queue


async def give_up_on_pessoas(system: System) -> None:
    """Asks the gateway for pessoas, which do not answer, until it does not ask them any more."""
    unknown = iter(range(900_000, 1_000_000))
    known = "{ pessoa(id: 1) { nomePessoa } }"
    async with asyncio.timeout(WAIT_SECONDS):
        while "stale" not in (await asyncio.to_thread(answer, system, known)).get("extensions", {}):
            questions = [f"{{ pessoa(id: {next(unknown)}) {{ nomePessoa }} }}" for _ in range(10)]
            await asyncio.gather(*(asyncio.to_thread(answer, system, question) for question in questions))


async def forget(system: System) -> None:
    """Replaces the gateway by one that has no rows in its memory."""
    gateway = system.process("gateway")
    gateway.kill()
    await asyncio.to_thread(gateway.wait)
    await asyncio.to_thread(system.ask, "gateway", "GET", "/health/live")  # waits in the socket's queue
