"""One visitor of the playground: the page, what it asked for, what went wrong, and what a visitor does there."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Locator, Page, Request, Response, expect


@dataclass
class Visit:
    page: Page
    urls: list[str] = field(default_factory=list[str])
    trouble: list[str] = field(default_factory=list[str])

    @property
    def tabs(self) -> Locator:
        return self.page.get_by_role("tab")

    @property
    def operation(self) -> Locator:
        return self.page.get_by_label("Editor da operação")

    @property
    def response(self) -> Locator:
        return self.page.locator(".graphiql-response")

    @property
    def suggestions(self) -> Locator:
        return self.page.locator(".suggest-widget").get_by_role("option")

    async def open(self, url: str) -> None:
        """Open the page and wait for the editors, as people do: GraphiQL forgets a click on a tab that comes before
        they are ready."""
        await self.page.goto(url)
        await expect(self.operation).to_contain_text("query")

    async def run(self) -> tuple[Request, dict[str, Any]]:
        """Click the run button; the request that left and the JSON that came back."""
        async with self.page.expect_response(answers_the_visitor) as answered:
            await self.page.get_by_role("button", name="Executar a operação").click()
        response = await answered.value
        return response.request, await response.json()

    async def open_documentation(self) -> None:
        """Open the schema's documentation, which appears only once introspection has been answered."""
        await self.page.get_by_role("button", name="Mostrar Documentação").click()
        await expect(self.page.get_by_label("Documentação", exact=True)).to_contain_text("query: Query")

    async def write_in_a_new_tab(self, text: str) -> None:
        await self.page.get_by_role("button", name="Nova aba").click()
        await self.operation.locator(".view-lines").click()
        await self.page.keyboard.type(text)

    async def saved(self, text: str) -> None:
        """Wait until GraphiQL, which saves with a delay, has stored the text, both as a tab and as the last query: when
        they differ, it opens another tab."""
        async with asyncio.timeout(10):
            await self.page.evaluate(
                """async (text) => {
                    const saved = (key) => localStorage.getItem(`solicitacoes:graphiql:${key}`)?.includes(text);
                    while (!saved("tabState") || !saved("query"))
                        await new Promise((again) => setTimeout(again, 50));
                }""",
                text,
            )


def answers_the_visitor(response: Response) -> bool:
    """Whether this is the answer to an operation that the visitor ran, and not to GraphiQL's own introspection."""
    asked = response.request.post_data
    return asked is not None and "IntrospectionQuery" not in asked
