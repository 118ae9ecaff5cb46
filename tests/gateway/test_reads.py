"""What a frontend reads: nested objects, connections, filters, reverse edges, and how few calls they cost."""

from typing import Any

import pytest

from tests import builders
from tests.applications import Gateway, Services

NESTED = """
{ solicitacoes(first: 10) { nodes {
    id pessoaId servicoId produtoId
    pessoa { nomePessoa } servico { nomeServico } produto { nomeProduto categoria { nomeCategoria } }
} } }
"""


def asked(services: Services) -> list[str]:
    return sorted(call.service for call in services.calls)


async def test_a_solicitacao_shows_all_it_refers_to(gateway: Gateway, services: Services) -> None:
    row = await builders.solicitacao(services)

    data = await gateway.data(NESTED)

    assert data["solicitacoes"]["nodes"] == [
        {
            "id": str(row["id"]),
            "pessoaId": str(row["pessoa_id"]),
            "servicoId": str(row["servico_id"]),
            "produtoId": str(row["produto_id"]),
            "pessoa": {"nomePessoa": "João Silva"},
            "servico": {"nomeServico": "Reparo"},
            "produto": {"nomeProduto": "Notebook", "categoria": {"nomeCategoria": "Eletrônicos"}},
        }
    ]


async def test_one_dead_service_does_not_empty_the_other_roots(gateway: Gateway, services: Services) -> None:
    await builders.servico(services)
    services.cut("pessoas", "solicitacoes")

    answer = await gateway.run("{ pessoas { totalCount } solicitacoes { totalCount } servicos { totalCount } }")

    assert answer["data"] == {"pessoas": None, "solicitacoes": None, "servicos": {"totalCount": 1}}
    assert [error["path"] for error in answer["errors"]] == [["pessoas"], ["solicitacoes"]]


async def test_a_single_object_is_found_by_id_and_null_when_absent(gateway: Gateway, services: Services) -> None:
    row = await builders.pessoa(services, "Ana")

    data = await gateway.data(
        "query ($id: ID!) { uma: pessoa(id: $id) { id nomePessoa } outra: pessoa(id: 999) { id } }", id=row["id"]
    )

    assert data == {"uma": {"id": str(row["id"]), "nomePessoa": "Ana"}, "outra": None}
    assert asked(services)[-1:] == ["pessoas"]


@pytest.mark.parametrize("id", ["abc", "", "1.5", "1.0", "01", "0", "-1", "+1", " 1", "\uff11", "9223372036854775808"])
async def test_an_id_that_is_none_is_bad_input(gateway: Gateway, services: Services, id: str) -> None:
    answer = await gateway.run("query ($id: ID!) { pessoa(id: $id) { id } }", id=id)

    assert answer["data"] == {"pessoa": None}
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}
    assert services.calls == []


PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: PessoaOrder!) {
  pessoas(first: $first, after: $after, last: $last, before: $before, orderBy: $order) {
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id } }
  }
}
"""


@pytest.mark.parametrize("order", ["ID_ASC", "ID_DESC", "NOME_PESSOA_ASC", "NOME_PESSOA_DESC"])
async def test_connections_page_both_ways_by_the_relay_specification(
    gateway: Gateway, services: Services, database_urls: dict[str, str], order: str
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], [f"Nome {n * 7 % 4}" for n in range(10)])

    async def page(**arguments: Any) -> tuple[list[str], bool, bool, str, str]:
        found = (await gateway.data(PAGE, order=order, **arguments))["pessoas"]
        info = found["pageInfo"]
        cursors = [edge["cursor"] for edge in found["edges"]]
        assert (info["startCursor"], info["endCursor"]) == (cursors[0], cursors[-1])
        ids = [edge["node"]["id"] for edge in found["edges"]]
        return ids, info["hasPreviousPage"], info["hasNextPage"], cursors[0], cursors[-1]

    whole, *_ = await page(first=10)
    first, before_first, after_first, _, end = await page(first=4)
    second, before_second, after_second, start, _ = await page(first=10, after=end)
    back, before_back, after_back, *_ = await page(last=3, before=start)

    assert first + second == whole
    assert (before_first, after_first, before_second, after_second) == (False, True, True, False)
    assert (back, before_back, after_back) == (first[1:], True, True)


@pytest.mark.parametrize("order", ["ID_ASC", "NOME_PESSOA_ASC"])
async def test_a_cursor_keeps_its_place_while_rows_come_and_go(
    gateway: Gateway, services: Services, database_urls: dict[str, str], order: str
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], ["B", "D", "F", "H"])
    query = """query ($after: String, $order: PessoaOrder!) { pessoas(first: 2, after: $after, orderBy: $order) {
        pageInfo { endCursor hasPreviousPage } nodes { nomePessoa }
    } }"""
    first = (await gateway.data(query, order=order))["pessoas"]
    await services.pessoas.delete("/api/pessoas/2/")  # the very row of the cursor
    await services.pessoas.delete("/api/pessoas/1/")
    builders.insert_pessoas(database_urls["pessoas"], ["A", "E"])

    second = (await gateway.data(query, order=order, after=first["pageInfo"]["endCursor"]))["pessoas"]

    assert [node["nomePessoa"] for node in first["nodes"]] == ["B", "D"]
    expected = {"ID_ASC": (["F", "H"], False), "NOME_PESSOA_ASC": (["E", "F"], True)}[order]
    assert ([node["nomePessoa"] for node in second["nodes"]], second["pageInfo"]["hasPreviousPage"]) == expected


async def test_each_row_has_its_own_references_in_the_order_asked(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(1, 8)))
    owners = [7, 3, 5, 3, 1, 6, 2, 99, 7, 4]
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, owner, 1) for owner in owners])

    data = await gateway.data("{ solicitacoes(orderBy: ID_DESC) { nodes { pessoaId pessoa { id nomePessoa } } } }")

    assert data["solicitacoes"]["nodes"] == [
        {"pessoaId": str(one), "pessoa": {"id": str(one), "nomePessoa": f"Pessoa {one}"} if one < 8 else None}
        for one in reversed(owners)
    ]


@pytest.mark.parametrize(
    ("arguments", "field", "code"),
    [
        ("first: 1001", "first", "LIMIT_EXCEEDED"),
        ("first: -1", "first", "BAD_USER_INPUT"),
        ("first: 1, last: 1", "last", "BAD_USER_INPUT"),
        ('after: "x"', "after", "BAD_USER_INPUT"),
        ("filter: {id: {eq: null}}", "filter.id.eq", "BAD_USER_INPUT"),
        ('filter: {id: {in: ["x"]}}', "filter.id.in.0", "BAD_USER_INPUT"),
    ],
)
@pytest.mark.usefixtures("services")
async def test_a_bad_argument_is_an_error_that_names_it(
    gateway: Gateway, arguments: str, field: str, code: str
) -> None:
    answer = await gateway.run(f"{{ pessoas({arguments}) {{ totalCount }} }}")

    assert answer["errors"][0]["extensions"]["code"] == code
    assert answer["errors"][0]["extensions"]["field"] == field


@pytest.mark.usefixtures("many")
async def test_the_count_is_read_only_when_it_is_selected(gateway: Gateway, services: Services) -> None:
    query = """
        query ($no: Boolean!) { solicitacoes(first: 1) { ...F nodes { id } totalCount @include(if: $no) } }
        fragment F on SolicitacaoConnection { pageInfo { hasNextPage } ... @skip(if: true) { totalCount } }
    """

    data = await gateway.data(query, no=False)
    counted = await gateway.data(query, no=True)

    assert "totalCount" not in data["solicitacoes"]
    assert counted["solicitacoes"]["totalCount"] == 30


@pytest.mark.usefixtures("services")
async def test_a_date_that_is_none_is_bad_input_as_a_literal_and_as_a_variable(gateway: Gateway) -> None:
    literal = await gateway.run('{ solicitacoes(filter: {dataSolicitacao: {gte: "ontem"}}) { totalCount } }')
    variable = await gateway.run(
        "query ($d: DateTime) { solicitacoes(filter: {dataSolicitacao: {gte: $d}}) { totalCount } }", d="ontem"
    )

    for answer in (literal, variable):
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
        assert "ontem" in answer["errors"][0]["message"]


async def test_a_connection_without_first_and_last_is_a_page_of_a_hundred(
    gateway: Gateway, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(101)))

    data = await gateway.data("{ pessoas { totalCount pageInfo { hasNextPage } nodes { id } } }")

    assert len(data["pessoas"]["nodes"]) == 100
    assert data["pessoas"]["totalCount"] == 101
    assert data["pessoas"]["pageInfo"] == {"hasNextPage": True}


async def test_introspection_beside_data_is_answered_with_it(gateway: Gateway, services: Services) -> None:
    row = await builders.pessoa(services, "Ana")
    text = """
        query ($name: String!, $id: ID!, $with: Boolean!, $f: PessoaFilter) {
            a: __type(name: $name) { ...T }
            pessoa(id: $id) { nomePessoa }
            b: __type(name: "Nada") { name }
            __schema { queryType { ...T fields @include(if: $with) { name } } }
            pessoas(filter: $f) { totalCount }
        }
        fragment T on __Type { kind name }
    """

    data = await gateway.data(text, **{"name": "Pessoa", "id": row["id"], "with": False, "f": {}})

    assert data == {
        "a": {"kind": "OBJECT", "name": "Pessoa"},
        "pessoa": {"nomePessoa": "Ana"},
        "b": None,
        "__schema": {"queryType": {"kind": "OBJECT", "name": "Query"}},
        "pessoas": {"totalCount": 1},
    }
    assert list(data) == ["a", "pessoa", "b", "__schema", "pessoas"]
