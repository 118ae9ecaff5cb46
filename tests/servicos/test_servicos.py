"""Tests of what only servicos has: its bodies, exactly as in the tutorial."""

from tests.applications import Services


async def test_the_bodies_are_the_tutorials_to_the_letter(services: Services) -> None:
    created = await services.servicos.post("/api/servicos/", json={"nome_servico": "Reparo"})

    assert created.json() == {"id": 1, "nome_servico": "Reparo"}
    assert (await services.servicos.get("/api/servicos/1/")).json() == created.json()
    assert (await services.servicos.get("/api/servicos/")).json() == [created.json()]


async def test_what_is_unknown_is_said_in_portuguese(services: Services) -> None:
    answer = await services.servicos.get("/api/servicos/7/")

    assert answer.json()["detail"] == "serviço 7 não existe"
