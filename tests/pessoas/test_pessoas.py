"""Tests of what only pessoas has: its bodies, exactly as in the tutorial."""

from tests.applications import Services


async def test_the_bodies_are_the_tutorials_to_the_letter(services: Services) -> None:
    created = await services.pessoas.post("/api/pessoas/", json={"nome_pessoa": "João Silva"})

    assert created.json() == {"id": 1, "nome_pessoa": "João Silva"}
    assert (await services.pessoas.get("/api/pessoas/1/")).json() == created.json()
    assert (await services.pessoas.get("/api/pessoas/")).json() == [created.json()]


async def test_what_is_unknown_is_said_in_portuguese(services: Services) -> None:
    answer = await services.pessoas.get("/api/pessoas/7/")

    assert answer.json()["detail"] == "pessoa 7 não existe"
