"""Takes the documents' pictures of the painel: `make pictures`, which starts the system with fresh demo data for it."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path
from typing import Literal

from playwright.async_api import Browser, async_playwright, expect

from deploy.local import ROOT
from tests.browser.conftest import FLAGS, executable, first_visit
from tests.browser.painel import Person
from tests.system import System, free_offset

PICTURES: tuple[tuple[str, str, int, int, Literal["light", "dark"]], ...] = (
    ("painel", "/", 1200, 700, "light"),
    ("painel-resumo", "/resumo", 1200, 900, "light"),
    ("painel-celular", "/?pessoa=conceicao", 390, 700, "dark"),
)
"""The name of each picture, the view, the size of the window, and the colours."""


async def take(browser: Browser, origin: str) -> None:
    for name, view, width, height, colours in PICTURES:
        async with first_visit(browser, origin) as visit:
            person = Person(visit, f"{origin}/painel")
            await person.page.set_viewport_size({"width": width, "height": height})
            await person.page.emulate_media(color_scheme=colours)
            await person.open(view)
            await expect(person.page.get_by_role("table").first).to_be_visible()
            path = ROOT / "docs" / f"{name}.png"
            await person.page.screenshot(path=path)
            print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB")


async def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        system = System(Path(directory), free_offset(), demo=1)
        try:
            await asyncio.to_thread(system.says, "open GraphiQL")
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=executable(playwright), args=FLAGS)
                await take(browser, f"http://localhost:{8000 + system.offset}")
                await browser.close()
        finally:
            system.stop(signal.SIGTERM)


if __name__ == "__main__":
    asyncio.run(main())
