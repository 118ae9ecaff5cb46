"""Tests of what only catalogo has: a produto and its categoria."""

from tests import builders
from tests.applications import Services
from tests.resources import PRODUTOS


async def test_deleting_a_categoria_deletes_its_produtos(services: Services) -> None:
    row = await builders.produto(services)

    await services.catalogo.delete(f"/api/categorias/{row['categoria']['id']}/")

    assert await PRODUTOS.stored(services, row["id"]) is None


async def test_a_produto_shows_its_categoria_and_is_written_with_its_id(services: Services) -> None:
    row = await builders.produto(services)

    assert row == {
        "id": row["id"],
        "nome_produto": "Notebook",
        "categoria": {"id": row["categoria"]["id"], "nome_categoria": "Eletrônicos"},
    }


async def test_a_produto_written_back_with_another_categoria_shown_is_refused_by_name(services: Services) -> None:
    row = await builders.produto(services)
    row["categoria"]["nome_categoria"] = "Outra"

    answer = await services.catalogo.put(PRODUTOS.at(row), json=row)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "categoria")


async def test_a_produto_of_an_unknown_categoria_is_422_and_nothing_is_stored(services: Services) -> None:
    answer = await services.catalogo.post(PRODUTOS.path, json={"nome_produto": "X", "categoria_id": 42})

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"field": "categoria_id", "code": "NOT_FOUND", "message": "categoria 42 não existe"}
    ]
    assert (await services.catalogo.get(PRODUTOS.path)).json() == []


async def test_a_bad_name_and_a_categoria_that_does_not_exist_are_named_at_once(services: Services) -> None:
    row = await builders.produto(services)
    wrong = {"categoria_id": 99, "nome_produto": " "}

    created = await services.catalogo.post("/api/produtos/", json=wrong)
    replaced = await services.catalogo.put(f"/api/produtos/{row['id']}/", json=wrong)
    merged = await services.catalogo.patch(f"/api/produtos/{row['id']}/", json=wrong)
    missing = await services.catalogo.post("/api/produtos/", json={"nome_produto": " "})

    for answer in (created, replaced, merged):
        assert answer.status_code == 422
        assert answer.json()["errors"] == [
            {"field": "nome_produto", "code": "BLANK", "message": "não pode ficar em branco"},
            {"field": "categoria_id", "code": "NOT_FOUND", "message": "categoria 99 não existe"},
        ]
    assert [(error["field"], error["code"]) for error in missing.json()["errors"]] == [
        ("nome_produto", "BLANK"),
        ("categoria_id", "REQUIRED"),
    ]


async def test_the_bodies_are_the_tutorials_to_the_letter(services: Services) -> None:
    categoria = await services.catalogo.post("/api/categorias/", json={"nome_categoria": "Eletrônicos"})
    produto = await services.catalogo.post("/api/produtos/", json={"nome_produto": "Smartphone", "categoria_id": 1})

    assert categoria.json() == {"id": 1, "nome_categoria": "Eletrônicos"}
    assert produto.json() == {
        "id": 1,
        "nome_produto": "Smartphone",
        "categoria": {"id": 1, "nome_categoria": "Eletrônicos"},
    }
    assert (await services.catalogo.get("/api/produtos/")).json() == [produto.json()]


async def test_produtos_filter_by_categoria(services: Services) -> None:
    first, second = await builders.produto(services, "Mesa"), await builders.produto(services, "Fogão")

    rows = (await services.catalogo.get(PRODUTOS.path, params={"categoria_id": second["categoria"]["id"]})).json()

    assert rows == [second]
    assert first not in rows


async def test_a_produto_moves_to_another_categoria(services: Services) -> None:
    row, other = await PRODUTOS.add(services), await builders.categoria(services, "Outra")

    moved = await services.catalogo.patch(PRODUTOS.at(row), json={"categoria_id": other["id"]})

    assert moved.json() == row | {"categoria": other}
