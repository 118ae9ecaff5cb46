"""Mutations: a write is seen at once, mistakes that a caller can correct come as `errors`, and retries are safe."""

import json
from typing import Any

import httpx2
import pytest

from bench.gateway.python.reference.executor import ReferenceExecutor
from gateway.context import Context
from gateway.execution.operation import Executor
from gateway.loaders import Loaders
from tests import builders
from tests.applications import Applications, Gateway, Services
from tests.neighbours import Disturbance
from tests.resources import ALL

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


NO_ID = "não é um id: deve ser um número inteiro positivo de até 64 bits"


async def test_a_form_hears_of_all_that_is_wrong_with_it_at_once_in_its_own_order(
    gateway: Gateway, services: Services
) -> None:
    row = await builders.solicitacao(services)
    produto = await builders.produto(services)

    answer = await gateway.run(
        """mutation ($s: ID!, $p: ID!) {
            a: criarSolicitacao(input: {produtoId: "99", pessoaId: "x", servicoId: "98"}) { ...E }
            b: criarProduto(input: {categoriaId: "x", nomeProduto: " "}) { ...F }
            c: criarProduto(input: {categoriaId: "99", nomeProduto: " "}) { ...F }
            d: atualizarSolicitacao(id: $s, input: {produtoId: "99", pessoaId: "0", servicoId: null}) { ...G }
            e: atualizarProduto(id: $p, input: {categoriaId: "-1", nomeProduto: null}) { ...H }
            f: atualizarProduto(id: "x", input: {categoriaId: "y", nomeProduto: " "}) { ...H }
            g: atualizarProduto(id: "999", input: {categoriaId: "y"}) { ...H }
            h: atualizarSolicitacao(id: "1e3", input: {produtoId: null, pessoaId: "1"}) { ...G }
        }
        fragment E on CriarSolicitacaoPayload { solicitacao { id } errors { field code message } }
        fragment F on CriarProdutoPayload { produto { id } errors { field code message } }
        fragment G on AtualizarSolicitacaoPayload { solicitacao { id } errors { field code message } }
        fragment H on AtualizarProdutoPayload { produto { id } errors { field code message } }""",
        s=row["id"],
        p=produto["id"],
    )

    assert "errors" not in answer
    assert {key: [tuple(error.values()) for error in payload["errors"]] for key, payload in answer["data"].items()} == {
        "a": [
            ("servicoId", "NOT_FOUND", "serviço 98 não existe"),
            ("pessoaId", "INVALID_ID", NO_ID),
            ("produtoId", "NOT_FOUND", "produto 99 não existe"),
        ],
        "b": [("nomeProduto", "BLANK", "não pode ficar em branco"), ("categoriaId", "INVALID_ID", NO_ID)],
        "c": [
            ("nomeProduto", "BLANK", "não pode ficar em branco"),
            ("categoriaId", "NOT_FOUND", "categoria 99 não existe"),
        ],
        "d": [
            ("servicoId", "NULL", "não pode ser nulo"),
            ("pessoaId", "INVALID_ID", NO_ID),
            ("produtoId", "NOT_FOUND", "produto 99 não existe"),
        ],
        "e": [("nomeProduto", "NULL", "não pode ser nulo"), ("categoriaId", "INVALID_ID", NO_ID)],
        "f": [
            ("id", "INVALID_ID", NO_ID),
            ("nomeProduto", "BLANK", "não pode ficar em branco"),
            ("categoriaId", "INVALID_ID", NO_ID),
        ],
        "g": [("id", "NOT_FOUND", "produto 999 não existe"), ("categoriaId", "INVALID_ID", NO_ID)],
        "h": [("id", "INVALID_ID", NO_ID), ("produtoId", "NULL", "não pode ser nulo")],
    }
    assert (await services.catalogo.get(f"/api/produtos/?id={produto['id']}")).json() == [produto]


async def test_an_id_that_is_none_is_told_also_when_the_service_is_away(gateway: Gateway, services: Services) -> None:
    services.cut("catalogo")

    answer = await gateway.run(
        'mutation { m: criarProduto(input: {nomeProduto: "X", categoriaId: "x"}) { errors { field code } } }'
    )

    assert answer == {"data": {"m": {"errors": [{"field": "categoriaId", "code": "INVALID_ID"}]}}}


async def test_a_code_that_this_gateway_does_not_know_comes_as_invalid_with_its_message(
    gateway: Gateway, services: Services
) -> None:
    """A newer service may answer like this."""

    def disturbed(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
        error = {"field": "nome_pessoa", "code": "TOO_LOUD", "message": "grita demais"}
        return httpx2.Response(422, json={"code": "INVALID", "detail": "nome_pessoa: grita demais", "errors": [error]})

    services.networks["pessoas"].disturb = disturbed

    data = await gateway.data('mutation { m: criarPessoa(input: {nomePessoa: "A"}) { errors { code field message } } }')

    assert data["m"]["errors"] == [{"code": "INVALID", "field": "nomePessoa", "message": "grita demais"}]


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


def lost(failure: type[Exception] | int) -> Disturbance:
    """A write is done, but its answer is lost on the way, or is the answer to another request."""

    def disturbed(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.method != "PATCH":
            return answer
        assert answer.status_code == 200
        if isinstance(failure, int):
            return httpx2.Response(failure, json={"code": "ANY", "detail": ""})
        raise failure("lost")

    return disturbed


@pytest.mark.parametrize("failure", [httpx2.ReadError, httpx2.ReadTimeout, 307, 409, 503, 504])
@pytest.mark.parametrize("kind", [Executor, ReferenceExecutor])
async def test_what_is_read_after_a_write_whose_answer_was_lost_is_read_anew(
    applications: Applications, services: Services, kind: type[Executor], failure: type[Exception] | int
) -> None:
    """The row was read before the write and might be remembered. It is read twice, since a plan remembers only rows
    that more than one of its parts reads."""
    graphql = applications.gateway_app.state.graphql
    context, executor = (
        Context(Loaders(graphql.operations.remotes)),
        kind(graphql.operations.executor.schema, graphql.operations.executor.limits),
    )

    async def run(text: str) -> Any:
        document = executor.prepare(text)
        found = await executor.run(document, document.operation(None), {}, context)
        assert found.data
        return json.loads(found.data)

    await builders.pessoa(services, "Ana")
    services.networks["pessoas"].disturb = lost(failure)
    read = "{ a: pessoa(id: 1) { nomePessoa } b: pessoa(id: 1) { nomePessoa } }"

    before = await run(read)
    written = await run('mutation { m: atualizarPessoa(id: 1, input: {nomePessoa: "Bia"}) { pessoa { id } } }')
    after = await run(read)

    assert before == {"a": {"nomePessoa": "Ana"}, "b": {"nomePessoa": "Ana"}}
    assert written["m"] in (None, {"pessoa": None}), "nobody knows what became of it"
    assert after == {"a": {"nomePessoa": "Bia"}, "b": {"nomePessoa": "Bia"}}


async def test_several_mutations_run_in_the_order_written(gateway: Gateway) -> None:
    fields = " ".join(f'm{n}: criarPessoa(input: {{nomePessoa: "P{n}"}}) {{ pessoa {{ id }} }}' for n in range(5))

    data = await gateway.data(f"mutation {{ {fields} }}")

    assert [payload["pessoa"]["id"] for payload in data.values()] == ["1", "2", "3", "4", "5"]


async def test_the_requests_idempotency_key_makes_the_whole_operation_safe_to_retry(
    gateway: Gateway, services: Services
) -> None:
    """The operation creates, changes and deletes rows of several services. Before the retry somebody else changes a row
    that it has changed."""
    row = await builders.solicitacao(services)
    other = await builders.pessoa(services, "Outra")
    query = """mutation ($pessoa: ID!, $servico: ID!, $solicitacao: ID!) {
        a: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } errors { code } }
        b: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } errors { code } }
        c: atualizarPessoa(id: $pessoa, input: {nomePessoa: "Nosso"}) { pessoa { nomePessoa } errors { code } }
        d: excluirServico(id: $servico) { servico { id nomeServico } errors { code } }
        e: excluirSolicitacao(id: $solicitacao) { solicitacao { id pessoa { id } } errors { code } }
        f: criarProduto(input: {nomeProduto: "Mesa", categoriaId: 1}) { produto { id } errors { code } }
        g: excluirPessoa(id: "x") { pessoa { id } errors { code } }
        h: criarCategoria(input: {nomeCategoria: "H"}) { categoria { id } errors { code } }
    }"""
    variables = {"pessoa": other["id"], "servico": row["servico_id"], "solicitacao": row["id"]}

    async def send(key: str) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        return (await gateway.client.post("/graphql", json=body, headers={"Idempotency-Key": key})).json()

    first = await send("k" * 255)
    await services.pessoas.patch(f"/api/pessoas/{other['id']}/", json={"nome_pessoa": "De outros"})
    retry = await send("k" * 255)

    data = first["data"]
    assert "errors" not in first
    assert [alias for alias, payload in data.items() if payload["errors"]] == ["g"]
    assert data["a"]["pessoa"] != data["b"]["pessoa"]
    assert data["c"]["pessoa"] == {"nomePessoa": "Nosso"}
    assert data["d"]["servico"] == {"id": str(row["servico_id"]), "nomeServico": "Reparo"}
    assert data["e"]["solicitacao"] == {"id": str(row["id"]), "pessoa": {"id": str(row["pessoa_id"])}}
    assert retry == first
    counts = await gateway.data("{ pessoas { totalCount } produtos { totalCount } categorias { totalCount } }")
    assert [one["totalCount"] for one in counts.values()] == [4, 2, 2]
    stored = (await services.pessoas.get(f"/api/pessoas/{other['id']}/")).json()
    assert stored["nome_pessoa"] == "De outros", "what others have changed since is left alone"

    another = (await send("another"))["data"]
    assert another["c"]["pessoa"] == {"nomePessoa": "Nosso"}
    assert another["d"]["errors"] == another["e"]["errors"] == [{"code": "NOT_FOUND"}]


async def test_a_retry_does_what_had_failed_and_repeats_what_had_not(gateway: Gateway, services: Services) -> None:
    query = """mutation {
        a: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } }
        b: criarServico(input: {nomeServico: "B"}) { servico { id } }
        c: criarPessoa(input: {nomePessoa: "C"}) { pessoa { id } }
    }"""

    async def send() -> dict[str, Any]:
        return (await gateway.client.post("/graphql", json={"query": query}, headers={"Idempotency-Key": "k"})).json()

    services.cut("servicos")
    first = await send()
    services.networks["servicos"].cut = False
    retry = await send()

    assert first["data"] == {"a": {"pessoa": {"id": "1"}}, "b": None, "c": {"pessoa": {"id": "2"}}}
    assert retry == {"data": first["data"] | {"b": {"servico": {"id": "1"}}}}


async def keyed(gateway: Gateway, query: str, key: str = "k", **more: Any) -> dict[str, Any]:
    """The answer to an operation under a key."""
    body = {"query": query, **more}
    return (await gateway.client.post("/graphql", json=body, headers={"Idempotency-Key": key})).json()


async def rows(services: Services) -> dict[str, int]:
    """How many rows there are, by collection."""
    paths = {resource.path: resource.client(services) for resource in ALL}
    return {path: len((await client.get(path)).json()) for path, client in paths.items()}


CREATIONS = {
    "catalogo": 'mutation { m: criarCategoria(input: {nomeCategoria: "A"}) { categoria { id } errors { code } } }',
    "pessoas": 'mutation { m: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } errors { code } } }',
    "servicos": 'mutation { m: criarServico(input: {nomeServico: "A"}) { servico { id } errors { code } } }',
    "solicitacoes": """mutation { m: criarSolicitacao(input: {servicoId: 1, pessoaId: 1, produtoId: 1}) {
        solicitacao { id } errors { code } } }""",
}
REUSED = [{"code": "IDEMPOTENCY_KEY_REUSED"}]


@pytest.mark.parametrize("first", CREATIONS)
async def test_another_operation_under_the_same_key_is_refused_whichever_services_it_writes_to(
    gateway: Gateway, services: Services, first: str
) -> None:
    await builders.solicitacao(services)
    for number in range(8):  # keys that each of the services keeps
        done = await keyed(gateway, CREATIONS[first], f"{number}")
        before = await rows(services)
        others = {name: await keyed(gateway, query, f"{number}") for name, query in CREATIONS.items() if name != first}

        assert done["data"]["m"]["errors"] == []
        assert [one["data"]["m"]["errors"] for one in others.values()] == [REUSED] * 3
        assert await keyed(gateway, CREATIONS[first], f"{number}") == done
        assert await rows(services) == before


async def test_every_write_of_another_operation_is_refused(gateway: Gateway, services: Services) -> None:
    """Writes that are the same as in the first operation are refused too."""
    same = 'a: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } errors { code } }'
    other = 'b: criarServico(input: {nomeServico: "B"}) { servico { id } errors { code } }'
    await keyed(gateway, f"mutation {{ {same} }}")

    answer = await keyed(gateway, f"mutation {{ {same} {other} }}")

    refused = {"a": {"pessoa": None, "errors": REUSED}, "b": {"servico": None, "errors": REUSED}}
    assert answer == {"data": refused}
    assert (await rows(services))["/api/servicos/"] == 0


NAMED = """mutation M($n: String!, $o: Boolean = false) {
    m: criarPessoa(input: {nomePessoa: $n}) { %s errors { code } __typename @include(if: $o) } }"""


@pytest.mark.parametrize(
    "other",
    [
        {"query": NAMED % "pessoa { id }", "variables": {"n": "Bia"}},
        {"query": NAMED % "pessoa { id }", "variables": {"n": "Ana", "o": False}},
        {"query": NAMED % "pessoa { nomePessoa }", "variables": {"n": "Ana"}},
        {"query": (NAMED % "pessoa { id }").replace("M(", "N("), "variables": {"n": "Ana"}},
    ],
    ids=["another variable", "one more variable", "another selection", "another name"],
)
async def test_an_operation_is_its_text_its_name_and_its_variables(
    gateway: Gateway, services: Services, other: dict[str, Any]
) -> None:
    text, ana = NAMED % "pessoa { id }", {"n": "Ana"}
    spaced = "# sent again\n" + text.replace(" ", ",  ")

    done = await keyed(gateway, text, variables=ana)
    again = await keyed(gateway, spaced, variables=ana, operationName="M")
    refused = await keyed(gateway, **other)

    assert done == again == {"data": {"m": {"pessoa": {"id": "1"}, "errors": []}}}
    assert refused == {"data": {"m": {"pessoa": None, "errors": REUSED}}}
    assert (await rows(services))["/api/pessoas/"] == 1


async def test_an_operation_that_was_refused_whole_leaves_its_key_to_the_one_that_is_right(gateway: Gateway) -> None:
    blank = CREATIONS["pessoas"].replace('"A"', '" "')

    answers = [await keyed(gateway, query) for query in (blank, blank, CREATIONS["servicos"], blank)]

    codes = [[error["code"] for error in one["data"]["m"]["errors"]] for one in answers]
    assert codes == [["BLANK"], ["BLANK"], [], ["IDEMPOTENCY_KEY_REUSED"]]


async def test_an_operation_of_which_a_part_may_have_been_done_keeps_its_key(
    gateway: Gateway, services: Services
) -> None:
    def lost(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        if request.url.path == "/api/pessoas/":
            raise httpx2.ReadError("lost by a test")
        return answer

    services.networks["pessoas"].disturb = lost
    unsure = await keyed(gateway, CREATIONS["pessoas"])
    services.networks["pessoas"].disturb = None

    other, again = [await keyed(gateway, CREATIONS[name]) for name in ("catalogo", "pessoas")]

    assert unsure["errors"][0]["extensions"]["code"] == "UNAVAILABLE"
    assert other["data"]["m"]["errors"] == REUSED
    assert again["data"]["m"] == {"pessoa": {"id": "1"}, "errors": []}


@pytest.mark.parametrize("away", CREATIONS)
async def test_who_keeps_a_key_may_be_away_and_the_others_are_written_to_all_the_same(
    gateway: Gateway, services: Services, away: str
) -> None:
    await builders.solicitacao(services)
    written = "pessoas" if away != "pessoas" else "servicos"
    services.cut(away)

    for key in "12345678":
        done, again = [await keyed(gateway, CREATIONS[written], key) for _ in "12"]
        assert done["data"]["m"]["errors"] == []
        assert again == done
    services.networks[away].cut = False

    assert await keyed(gateway, CREATIONS[written], "1") == await keyed(gateway, CREATIONS[written], "1")


async def test_a_key_costs_one_more_request_and_no_key_costs_none(gateway: Gateway, services: Services) -> None:
    two = """mutation {
        a: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } }
        b: criarServico(input: {nomeServico: "B"}) { servico { id } }
    }"""

    await gateway.data(two)
    plain = [str(call) for call in services.calls]
    services.calls.clear()
    await keyed(gateway, two)

    assert plain == ["pessoas POST /api/pessoas/", "servicos POST /api/servicos/"]
    assert [str(call) for call in services.calls][1:] == plain
    assert services.calls[0].path.startswith("/operations/")


async def test_every_write_has_a_key_of_its_own_also_without_the_clients(gateway: Gateway, services: Services) -> None:
    """The keys let the gateway send a write again when its answer was lost; two equal operations still write twice."""
    keys: list[tuple[str, str]] = []

    def note(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
        keys.append((request.method, request.headers.get("Idempotency-Key", "")))
        return answer

    services.networks["pessoas"].disturb = note
    for _ in "12":
        created = await gateway.data('mutation { m: criarPessoa(input: {nomePessoa: "A"}) { pessoa { id } } }')
        await gateway.data(
            """mutation ($id: ID!) {
                a: atualizarPessoa(id: $id, input: {nomePessoa: "B"}) { pessoa { id } }
                b: excluirPessoa(id: $id) { pessoa { id } }
            }""",
            id=created["m"]["pessoa"]["id"],
        )

    assert [method for method, _ in keys] == ["POST", "PATCH", "DELETE"] * 2
    assert len({key for _, key in keys if key}) == 6
