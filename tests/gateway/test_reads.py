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


async def test_what_no_longer_exists_is_null_without_an_error(gateway: Gateway, services: Services) -> None:
    row = await builders.solicitacao(services)
    await services.pessoas.delete(f"/api/pessoas/{row['pessoa_id']}/")

    node = (await gateway.data(NESTED))["solicitacoes"]["nodes"][0]

    assert node["pessoa"] is None
    assert node["pessoaId"] == str(row["pessoa_id"])
    assert node["servico"] == {"nomeServico": "Reparo"}


async def test_a_neighbour_that_is_down_is_null_and_an_error_at_its_path_and_the_rest_is_whole(
    gateway: Gateway, services: Services
) -> None:
    await builders.solicitacao(services)
    services.cut("pessoas")

    answer = await gateway.run(NESTED)

    node = answer["data"]["solicitacoes"]["nodes"][0]
    assert node["pessoa"] is None
    assert node["produto"] == {"nomeProduto": "Notebook", "categoria": {"nomeCategoria": "Eletrônicos"}}
    assert [(error["path"], error["extensions"]) for error in answer["errors"]] == [
        (["solicitacoes", "nodes", 0, "pessoa"], {"code": "UNAVAILABLE", "service": "pessoas"})
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


@pytest.mark.parametrize("id", ["abc", "", "1.5", "9223372036854775808"])
async def test_an_id_that_is_none_is_bad_input(gateway: Gateway, services: Services, id: str) -> None:
    answer = await gateway.run("query ($id: ID!) { pessoa(id: $id) { id } }", id=id)

    assert answer["data"] == {"pessoa": None}
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "id"}
    assert services.calls == []


async def test_one_id_asked_for_twice_is_fetched_once(gateway: Gateway, services: Services) -> None:
    row = await builders.solicitacao(services)
    await builders.solicitacao(services, **{key: row[key] for key in ("pessoa_id", "servico_id", "produto_id")})
    services.calls.clear()

    await gateway.data(
        """query ($id: ID!) {
            solicitacoes { nodes { pessoa { id } } } a: pessoa(id: $id) { id } b: pessoa(id: $id) { id }
        }""",
        id=row["pessoa_id"],
    )

    assert len([call for call in services.calls if call.service == "pessoas"]) <= 2


@pytest.fixture
async def many(services: Services, database_urls: dict[str, str]) -> list[int]:
    """Three pessoas, three produtos in two categorias, one servico, and thirty solicitacoes among them."""
    names = ["Maria Souza", "João Lima", "Mária Dias"]
    pessoas = [(await builders.pessoa(services, name))["id"] for name in names]
    first = await builders.produto(services, "Mesa")
    second = await builders.produto(services, "Cadeira", first["categoria"]["id"])
    third = await builders.produto(services, "Fogão")
    servico = (await builders.servico(services))["id"]
    produtos = [first["id"], second["id"], third["id"]]
    rows = [(servico, pessoas[n % 3], produtos[n // 10]) for n in range(30)]
    builders.insert_solicitacoes(database_urls["solicitacoes"], rows)
    services.calls.clear()
    return pessoas


@pytest.mark.usefixtures("many")
async def test_solicitacoes_filter_by_what_their_pessoa_and_produto_are(gateway: Gateway, services: Services) -> None:
    data = await gateway.data(
        """{ solicitacoes(first: 3, orderBy: ID_DESC, filter: {
            pessoa: {nomePessoa: {contains: "MARIA"}}, produto: {categoriaId: {eq: "1"}}
        }) { totalCount pageInfo { hasNextPage } nodes { id pessoa { nomePessoa } } } }"""
    )

    found = data["solicitacoes"]
    assert found["totalCount"] == 13
    assert found["pageInfo"] == {"hasNextPage": True}
    assert [node["id"] for node in found["nodes"]] == ["19", "18", "16"]
    assert asked(services) == ["catalogo", "pessoas", "pessoas", "solicitacoes"]


@pytest.mark.usefixtures("many")
async def test_nested_filters_combine_with_and_or_not(gateway: Gateway) -> None:
    data = await gateway.data(
        """{ solicitacoes(filter: {or: [
            {pessoa: {nomePessoa: {eq: "João Lima"}}, produto: {nomeProduto: {eq: "Mesa"}}},
            {not: {produto: {nomeProduto: {in: ["Mesa", "Cadeira"]}}}, pessoaId: {in: ["1"]}}
        ]}) { nodes { id } } }"""
    )

    assert [int(node["id"]) for node in data["solicitacoes"]["nodes"]] == [2, 5, 8, 22, 25, 28]


async def test_a_nested_filter_that_matches_too_much_is_a_typed_error(
    gateway: Gateway, services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(5001)))

    answer = await gateway.run('{ solicitacoes(filter: {pessoa: {nomePessoa: {contains: "pessoa"}}}) { totalCount } }')

    assert answer["data"] == {"solicitacoes": None}
    assert answer["errors"][0]["extensions"] == {"code": "LIMIT_EXCEEDED", "field": "filter.pessoa"}
    assert "solicitacoes" not in asked(services)


async def test_reverse_edges_of_a_page_of_parents_cost_one_call(
    gateway: Gateway, services: Services, many: list[int]
) -> None:
    data = await gateway.data(
        """{ pessoas { nodes { id solicitacoes(first: 2, orderBy: ID_DESC) {
            totalCount pageInfo { hasNextPage } nodes { id produto { nomeProduto categoria { nomeCategoria } } }
        } } } }"""
    )

    found = [node["solicitacoes"] for node in data["pessoas"]["nodes"]]
    assert [[int(node["id"]) for node in one["nodes"]] for one in found] == [[28, 25], [29, 26], [30, 27]]
    assert all(one["totalCount"] == 10 and one["pageInfo"]["hasNextPage"] for one in found)
    assert asked(services) == ["catalogo", "pessoas", "solicitacoes"]


@pytest.mark.usefixtures("many")
async def test_every_reverse_edge_goes_back(gateway: Gateway) -> None:
    data = await gateway.data(
        """{
            categorias { nodes { produtos { nodes { nomeProduto solicitacoes(first: 0) { totalCount } } } } }
            servicos { nodes { solicitacoes { totalCount } } }
        }"""
    )

    produtos = [
        [(node["nomeProduto"], node["solicitacoes"]["totalCount"]) for node in categoria["produtos"]["nodes"]]
        for categoria in data["categorias"]["nodes"]
    ]
    assert produtos == [[("Mesa", 10), ("Cadeira", 10)], [("Fogão", 10)]]
    assert data["servicos"]["nodes"] == [{"solicitacoes": {"totalCount": 30}}]


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


@pytest.mark.parametrize(
    ("arguments", "field", "code"),
    [
        ("first: 1001", "first", "LIMIT_EXCEEDED"),
        ("first: -1", "first", "BAD_USER_INPUT"),
        ("first: 1, last: 1", "last", "BAD_USER_INPUT"),
        ('after: "x"', "after", "BAD_USER_INPUT"),
        ("filter: {id: {eq: null}}", "filter.id.eq", "BAD_USER_INPUT"),
        ('filter: {id: {in: ["x"]}}', "filter.id.in", "BAD_USER_INPUT"),
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
