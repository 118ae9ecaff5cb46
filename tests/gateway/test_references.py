"""The rows to which a solicitacao refers may exist, be deleted, or be unreachable: every combination, at every depth.

A deleted row is null. An unreachable one is null with one error, at its path and with the service that failed; the rest
of the answer is complete.
"""

from itertools import product
from typing import Any

import httpx2
import pytest

from tests import builders
from tests.applications import Gateway, Services

FIELDS = "pessoa { nomePessoa } servico { nomeServico } produto { nomeProduto categoria { nomeCategoria } }"
OWNERS = {"pessoa": "pessoas", "servico": "servicos", "produto": "catalogo"}
THERE: dict[str, Any] = {
    "pessoa": {"nomePessoa": "João Silva"},
    "servico": {"nomeServico": "Reparo"},
    "produto": {"nomeProduto": "Notebook", "categoria": {"nomeCategoria": "Eletrônicos"}},
}
COMBINATIONS = [dict(zip(OWNERS, states, strict=True)) for states in product(["there", "gone", "down"], repeat=3)]
States = dict[str, str]


async def in_states(services: Services, states: States) -> dict[str, Any]:
    """A solicitacao whose references are in these states."""
    row = await builders.solicitacao(services)
    for reference, owner in OWNERS.items():
        if states[reference] == "gone":
            path = f"/api/{reference}s/{row[f'{reference}_id']}/"
            assert (await services.client(owner).delete(path)).status_code == 204
        if states[reference] == "down":
            services.cut(owner)
    return row


def expected(states: States) -> dict[str, Any]:
    return {name: THERE[name] if state == "there" else None for name, state in states.items()}


def errors(answer: dict[str, Any]) -> list[tuple[list[str | int], dict[str, str]]]:
    return [(error["path"], error["extensions"]) for error in answer.get("errors", [])]


def unavailable(states: States, *path: str | int) -> list[tuple[list[str | int], dict[str, str]]]:
    return [
        ([*path, name], {"code": "UNAVAILABLE", "service": OWNERS[name]})
        for name, state in states.items()
        if state == "down"
    ]


@pytest.mark.parametrize("states", COMBINATIONS, ids=lambda states: "-".join(states.values()))
async def test_references_in_a_list_in_one_row_and_in_a_mutations_answer(
    gateway: Gateway, services: Services, states: States
) -> None:
    row = await in_states(services, states)

    in_a_list = await gateway.run(f"{{ solicitacoes {{ edges {{ node {{ {FIELDS} }} }} }} }}")
    in_one_row = await gateway.run(f"query ($id: ID!) {{ solicitacao(id: $id) {{ {FIELDS} }} }}", id=row["id"])
    written = await gateway.run(
        f"mutation ($id: ID!) {{ m: atualizarSolicitacao(id: $id, input: {{}}) {{ solicitacao {{ {FIELDS} }} }} }}",
        id=row["id"],
    )

    assert in_a_list["data"] == {"solicitacoes": {"edges": [{"node": expected(states)}]}}
    assert errors(in_a_list) == unavailable(states, "solicitacoes", "edges", 0, "node")
    assert in_one_row["data"] == {"solicitacao": expected(states)}
    assert errors(in_one_row) == unavailable(states, "solicitacao")
    assert written["data"] == {"m": {"solicitacao": expected(states)}}
    assert errors(written) == unavailable(states, "m", "solicitacao")


BELOW = [(via, states) for states in COMBINATIONS for via, state in states.items() if state == "there"]


@pytest.mark.parametrize(
    ("via", "states"), BELOW, ids=lambda one: one if isinstance(one, str) else "-".join(one.values())
)
async def test_references_below_a_reverse_edge(gateway: Gateway, services: Services, via: str, states: States) -> None:
    await in_states(services, states)

    answer = await gateway.run(f"{{ {via}s {{ nodes {{ solicitacoes {{ nodes {{ {FIELDS} }} }} }} }} }}")

    assert answer["data"] == {f"{via}s": {"nodes": [{"solicitacoes": {"nodes": [expected(states)]}}]}}
    assert errors(answer) == unavailable(states, f"{via}s", "nodes", 0, "solicitacoes", "nodes", 0)


async def test_each_row_of_a_list_has_its_own_path_and_its_own_state(gateway: Gateway, services: Services) -> None:
    """Three rows: one is complete, one has a deleted pessoa, one has a deleted produto; then servicos goes down."""
    whole = await builders.solicitacao(services)
    no_pessoa = await builders.solicitacao(services, servico_id=whole["servico_id"], produto_id=whole["produto_id"])
    no_produto = await builders.solicitacao(services, servico_id=whole["servico_id"], pessoa_id=whole["pessoa_id"])
    await services.pessoas.delete(f"/api/pessoas/{no_pessoa['pessoa_id']}/")
    await services.catalogo.delete(f"/api/produtos/{no_produto['produto_id']}/")
    services.cut("servicos")

    answer = await gateway.run(f"{{ solicitacoes {{ nodes {{ id {FIELDS} }} }} }}")

    assert answer["data"]["solicitacoes"]["nodes"] == [
        {"id": "1", **THERE, "servico": None},
        {"id": "2", **THERE, "servico": None, "pessoa": None},
        {"id": "3", **THERE, "servico": None, "produto": None},
    ]
    assert errors(answer) == [
        (["solicitacoes", "nodes", n, "servico"], {"code": "UNAVAILABLE", "service": "servicos"}) for n in range(3)
    ]


async def test_a_reverse_edge_that_cannot_be_read_is_null_and_its_parent_stays(
    gateway: Gateway, services: Services
) -> None:
    await builders.solicitacao(services)
    services.cut("solicitacoes")

    answer = await gateway.run(
        "{ categorias { nodes { id produtos { nodes { nomeProduto solicitacoes { totalCount } } } } } }"
    )

    produto = {"nomeProduto": "Notebook", "solicitacoes": None}
    assert answer["data"] == {"categorias": {"nodes": [{"id": "1", "produtos": {"nodes": [produto]}}]}}
    assert errors(answer) == [
        (
            ["categorias", "nodes", 0, "produtos", "nodes", 0, "solicitacoes"],
            {"code": "UNAVAILABLE", "service": "solicitacoes"},
        )
    ]


async def test_an_owner_that_does_not_answer_in_time_is_a_timeout(gateway: Gateway, services: Services) -> None:
    def late(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        raise httpx2.ReadTimeout("late by a test")

    await builders.solicitacao(services)
    services.networks["pessoas"].disturb = late

    answer = await gateway.run(f"{{ solicitacoes {{ nodes {{ {FIELDS} }} }} }}")

    assert answer["data"] == {"solicitacoes": {"nodes": [{**THERE, "pessoa": None}]}}
    assert errors(answer) == [(["solicitacoes", "nodes", 0, "pessoa"], {"code": "TIMEOUT", "service": "pessoas"})]
