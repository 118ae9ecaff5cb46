"""Whatever clients send, the number of series is bounded: each costs memory in the process and in Prometheus."""

from __future__ import annotations

from itertools import count

from tests.applications import Gateway, Services
from tests.scraped import Scrape, scrape

NEW = count()
MORE_THAN_ANY_BOUND = 250


async def series(gateway: Gateway, services: Services) -> set[tuple[str, tuple[tuple[str, str], ...]]]:
    """Every series of the gateway and the services. In tests they are one process."""
    scraped: Scrape = await scrape(gateway.client)
    return {(sample.name, tuple(sorted(sample.labels.items()))) for sample in scraped.samples}


async def ask_in_new_ways(gateway: Gateway, services: Services) -> None:
    """Sends what nobody has sent before, in everything that a client may choose."""
    for _ in range(MORE_THAN_ANY_BOUND):
        new = f"N{next(NEW)}"
        headers = {"User-Agent": f"{new}/1", "graphql-client-name": new, "X-Request-ID": new}
        query = f"query {new} {{ {new}: pessoas(first: 1) {{ nodes {{ nomePessoa }} }} }}"
        await gateway.client.post("/graphql", json={"query": query}, headers=headers)
        await gateway.client.post("/graphql", json={"query": f"query {new} {{ {new} }}"}, headers=headers)
        await gateway.client.get(f"/{new}", headers=headers)
        await services.pessoas.request(new, "/api/pessoas/", headers=headers)
        await services.pessoas.get(f"/api/pessoas/{new}/{new}/", headers=headers)
        await services.pessoas.get(f"/api/{new}/?{new}={new}", headers=headers)


async def test_what_clients_choose_makes_no_more_series(gateway: Gateway, services: Services) -> None:
    await ask_in_new_ways(gateway, services)
    before = await series(gateway, services)

    await ask_in_new_ways(gateway, services)

    assert await series(gateway, services) == before
    assert len(before) < 20_000
