"""Mutations: what is written is seen at once, what a caller can mend comes as `errors`, and retries are safe."""

from typing import Any

import pytest

from tests import builders
from tests.applications import Gateway, Services

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "Pessoa": ({"nomePessoa": "Ana"}, {"nomePessoa": "Bia"}),
    "Servico": ({"nomeServico": "Reparo"}, {"nomeServico": "Troca"}),
    "Categoria": ({"nomeCategoria": "Móveis"}, {"nomeCategoria": "Livros"}),
    "Produto": ({"nomeProduto": "Mesa", "categoriaId": "1"}, {"nomeProduto": "Banco"}),
    "Solicitacao": ({"servicoId": "1", "pessoaId": "1", "produtoId": "1"}, {"pessoaId": "2"}),
}


@pytest.mark.parametrize("noun", CASES)
async def test_each_resource_is_created_changed_and_deleted(gateway: Gateway, services: Services, noun: str) -> None:
    await builders.solicitacao(services)
    await builders.pessoa(services)
    given, change = CASES[noun]
    field = noun.lower()

    created = await gateway.data(
        f"mutation ($input: Criar{noun}Input!) {{ criar{noun}(input: $input)"
        f" {{ {field} {{ id }} errors {{ code }} }} }}",
        input=given,
    )
    payload = created[f"criar{noun}"]
    assert payload["errors"] == []
    id = payload[field]["id"]

    changed = await gateway.data(
        f"mutation ($id: ID!, $input: Atualizar{noun}Input!) {{ atualizar{noun}(id: $id, input: $input)"
        f" {{ {field} {{ {' '.join(change)} }} errors {{ code }} }} }}",
        id=id,
        input=change,
    )
    assert changed[f"atualizar{noun}"] == {field: change, "errors": []}

    deleted = await gateway.data(
        f"mutation ($id: ID!) {{ excluir{noun}(id: $id) {{ {field} {{ id }} errors {{ code }} }} }}", id=id
    )
    assert deleted[f"excluir{noun}"] == {field: {"id": id}, "errors": []}
    assert await gateway.data(f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}", id=id) == {field: None}


async def test_what_a_caller_can_mend_comes_in_the_payload(gateway: Gateway, services: Services) -> None:
    await builders.pessoa(services)
    answer = await gateway.run(
        """mutation {
            a: criarPessoa(input: {nomePessoa: "  "}) { pessoa { id } errors { code field message } }
            b: criarProduto(input: {nomeProduto: "X", categoriaId: "42"}) { produto { id } errors { code field } }
            c: atualizarPessoa(id: "1", input: {nomePessoa: null}) { pessoa { id } errors { code field } }
            d: excluirPessoa(id: "999") { pessoa { id } errors { code field } }
            e: excluirPessoa(id: "abc") { pessoa { id } errors { code field } }
            f: criarProduto(input: {nomeProduto: "X", categoriaId: "x"}) { produto { id } errors { code field } }
        }"""
    )

    assert "errors" not in answer
    data = answer["data"]
    assert data["a"] == {
        "pessoa": None,
        "errors": [{"code": "BLANK", "field": "nomePessoa", "message": "não pode ficar em branco"}],
    }
    assert data["b"]["errors"] == [{"code": "NOT_FOUND", "field": "categoriaId"}]
    assert data["c"]["errors"] == [{"code": "NULL", "field": "nomePessoa"}]
    assert data["d"]["errors"] == [{"code": "NOT_FOUND", "field": "id"}]
    assert data["e"]["errors"] == [{"code": "INVALID_ID", "field": "id"}]
    assert data["f"]["errors"] == [{"code": "INVALID_ID", "field": "categoriaId"}]


async def test_trouble_in_the_system_is_a_top_level_error(gateway: Gateway, services: Services) -> None:
    services.cut("pessoas")

    answer = await gateway.run('mutation { criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { id } errors { code } } }')

    assert answer["data"] == {"criarPessoa": None}
    assert answer["errors"][0]["path"] == ["criarPessoa"]
    assert answer["errors"][0]["extensions"] == {"code": "UNAVAILABLE", "service": "pessoas"}


async def test_a_mutations_selection_goes_on_into_nested_objects_and_sees_its_own_write(
    gateway: Gateway, services: Services
) -> None:
    row = await builders.solicitacao(services)

    data = await gateway.data(
        """mutation ($id: ID!, $pessoa: ID!) {
            antes: atualizarSolicitacao(id: $id, input: {}) { solicitacao { pessoa { nomePessoa } } }
            atualizarPessoa(id: $pessoa, input: {nomePessoa: "Novo Nome"}) { pessoa { nomePessoa } }
            depois: atualizarSolicitacao(id: $id, input: {}) { solicitacao { pessoa { nomePessoa } } }
        }""",
        id=row["id"],
        pessoa=row["pessoa_id"],
    )

    assert data["antes"]["solicitacao"]["pessoa"] == {"nomePessoa": "João Silva"}
    assert data["depois"]["solicitacao"]["pessoa"] == {"nomePessoa": "Novo Nome"}


async def test_several_mutations_run_in_the_order_written(gateway: Gateway) -> None:
    fields = " ".join(f'm{n}: criarPessoa(input: {{nomePessoa: "P{n}"}}) {{ pessoa {{ id }} }}' for n in range(5))

    data = await gateway.data(f"mutation {{ {fields} }}")

    assert [payload["pessoa"]["id"] for payload in data.values()] == ["1", "2", "3", "4", "5"]


async def test_the_requests_idempotency_key_makes_the_whole_operation_safe_to_retry(
    gateway: Gateway, services: Services
) -> None:
    query = """mutation {
        a: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } }
        b: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } }
    }"""

    answers = [
        await gateway.client.post("/graphql", json={"query": query}, headers={"Idempotency-Key": "k" * 255})
        for _ in "12"
    ]

    assert answers[0].json()["data"] == {"a": {"pessoa": {"id": "1"}}, "b": {"pessoa": {"id": "2"}}}
    assert answers[1].json() == answers[0].json()
    assert len((await services.pessoas.get("/api/pessoas/")).json()) == 2
