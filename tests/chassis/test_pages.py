"""Lists: keyset pages, order, search, filters, bulk reads, and the richer read by POST."""

import re
from typing import Any

import httpx2
import pytest

from chassis.pagination import cursor
from tests import builders
from tests.applications import Services
from tests.resources import ALL, PESSOAS, SOLICITACOES, Resource, named

every = pytest.mark.parametrize("resource", ALL, ids=named)
NAMES = ["bia", "Álvaro", "Zé", "alvaro", "Ana", "ANA", "éder", "Eder", "zeca", "Bia"]


def link(answer: httpx2.Response, relation: str) -> str | None:
    found = re.search(rf'<([^>]*)>; rel="{relation}"', answer.headers.get("link", ""))
    return found[1] if found else None


async def walk(client: httpx2.AsyncClient, url: str, relation: str = "next") -> list[Any]:
    """Every row from `url` on, page by page."""
    rows: list[Any] = []
    following: str | None = url
    while following:
        answer = await client.get(following)
        assert answer.status_code == 200, answer.text
        rows = [*rows, *answer.json()] if relation == "next" else [*answer.json(), *rows]
        following = link(answer, relation)
    return rows


@pytest.fixture
async def pessoas(services: Services, database_urls: dict[str, str]) -> httpx2.AsyncClient:
    """The pessoas service with ten names in no order."""
    builders.insert_pessoas(database_urls["pessoas"], NAMES)
    return services.pessoas


@pytest.mark.parametrize("ordering", ["id", "-id", "nome_pessoa", "-nome_pessoa"])
@pytest.mark.parametrize("page_size", [1, 3, 10])
async def test_pages_joined_are_the_whole_list_forwards_and_backwards(
    pessoas: httpx2.AsyncClient, ordering: str, page_size: int
) -> None:
    whole = (await pessoas.get(PESSOAS.path, params={"ordering": ordering})).json()
    sized = f"{PESSOAS.path}?ordering={ordering}&page_size={page_size}"

    field = ordering.removeprefix("-")
    last = cursor(field, whole[-1][field], whole[-1]["id"])

    assert await walk(pessoas, sized) == whole
    assert await walk(pessoas, f"{sized}&before={last}", "prev") == whole[:-1]


async def test_names_order_without_case_and_accents_then_by_id(pessoas: httpx2.AsyncClient) -> None:
    rows = (await pessoas.get(PESSOAS.path, params={"ordering": "nome_pessoa"})).json()

    expected = ["Álvaro", "alvaro", "Ana", "ANA", "bia", "Bia", "éder", "Eder", "Zé", "zeca"]
    assert [row["nome_pessoa"] for row in rows] == expected


async def test_links_end_where_the_list_ends(pessoas: httpx2.AsyncClient) -> None:
    first = await pessoas.get(PESSOAS.path, params={"page_size": 6})
    second = await pessoas.get(link(first, "next") or "")

    assert (link(first, "prev"), link(second, "next")) == (None, None)
    assert len(second.json()) == 4
    assert (await pessoas.get(link(second, "prev") or "")).json() == first.json()


async def test_a_page_is_stable_while_rows_come_and_go(pessoas: httpx2.AsyncClient) -> None:
    first = await pessoas.get(PESSOAS.path, params={"page_size": 4, "ordering": "nome_pessoa"})
    place = first.json()[-1]
    await pessoas.delete(PESSOAS.at(place))
    await pessoas.post(PESSOAS.path, json={"nome_pessoa": "Aaa, antes de tudo"})

    second = await pessoas.get(link(first, "next") or "")

    assert [row["nome_pessoa"] for row in second.json()] == ["bia", "Bia", "éder", "Eder"]


async def test_the_count_comes_only_when_asked_for(pessoas: httpx2.AsyncClient) -> None:
    silent = await pessoas.get(PESSOAS.path, params={"page_size": 2})
    counted = await pessoas.get(PESSOAS.path, params={"page_size": 2, "count": "true", "search": "ana"})

    assert "x-total-count" not in silent.headers
    assert counted.headers["x-total-count"] == "2"


@pytest.mark.parametrize("search", ["éD", "ED", "ed"])
async def test_search_finds_a_part_without_case_and_accents(pessoas: httpx2.AsyncClient, search: str) -> None:
    rows = (await pessoas.get(PESSOAS.path, params={"search": search})).json()

    assert {row["nome_pessoa"] for row in rows} == {"éder", "Eder"}


@pytest.mark.parametrize("search", ["%", "_", "\\", "a%a"])
async def test_search_takes_wildcards_literally(pessoas: httpx2.AsyncClient, search: str) -> None:
    await pessoas.post(PESSOAS.path, json={"nome_pessoa": f"com {search} dentro"})

    rows = (await pessoas.get(PESSOAS.path, params={"search": search})).json()

    assert [row["nome_pessoa"] for row in rows] == [f"com {search} dentro"]


@every
async def test_a_bulk_read_answers_those_that_exist(services: Services, resource: Resource) -> None:
    rows = [await resource.add(services) for _ in range(3)]

    found = await resource.client(services).get(resource.path, params={"id": f"{rows[2]['id']},999,{rows[0]['id']}"})

    assert found.json() == [rows[0], rows[2]]


async def test_a_bulk_read_of_a_thousand_ids_is_one_answer(services: Services, database_urls: dict[str, str]) -> None:
    builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(1100)))

    thousand = await services.pessoas.get(PESSOAS.path, params={"id": ",".join(map(str, range(1, 1001)))})
    more = await services.pessoas.get(PESSOAS.path, params={"id": ",".join(map(str, range(1, 1002)))})

    assert len(thousand.json()) == 1000
    assert "link" not in thousand.headers
    assert (more.status_code, more.json()["errors"][0]["code"]) == (422, "TOO_MANY")


async def test_solicitacoes_filter_by_reference_and_by_date(services: Services, database_urls: dict[str, str]) -> None:
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, pessoa, 7) for pessoa in (1, 2, 3, 1)])
    everything = (await services.solicitacoes.get(SOLICITACOES.path)).json()
    third = everything[2]["data_solicitacao"]

    async def ids(**params: str) -> list[int]:
        rows = (await services.solicitacoes.get(SOLICITACOES.path, params=params)).json()
        return [row["id"] for row in rows]

    assert await ids(pessoa_id="1,2") == [1, 2, 4]
    assert await ids(pessoa_id="1", produto_id="8") == []
    assert await ids(data_solicitacao__gte=third) == [3, 4]
    assert await ids(data_solicitacao__lte=third, ordering="-data_solicitacao") == [3, 2, 1]


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("page_size=0", "page_size", "OUT_OF_RANGE"),
        ("page_size=1001", "page_size", "OUT_OF_RANGE"),
        ("page_size=-1", "page_size", "OUT_OF_RANGE"),
        ("page_size=x", "page_size", "NOT_AN_INTEGER"),
        ("page_size=5&page_size=6", "page_size", "REPEATED_PARAMETER"),
        ("pagesize=5", "pagesize", "UNKNOWN_PARAMETER"),
        ("%ff=5", "?", "UNKNOWN_PARAMETER"),
        ("search=a%ff", "search", "INVALID_CHARACTER"),
        ("ordering=nome", "ordering", "INVALID_CHOICE"),
        ("count=yes", "count", "NOT_A_BOOLEAN"),
        ("id=", "id", "NOT_AN_INTEGER"),
        ("id=1,,2", "id", "NOT_AN_INTEGER"),
        ("id=9223372036854775808", "id", "OUT_OF_RANGE"),
        ("cursor=!", "cursor", "INVALID_CURSOR"),
        ("cursor=WyJpZCIsMV0&ordering=nome_pessoa", "cursor", "INVALID_CURSOR"),
        ("cursor=WyJpZCIsMV0&before=WyJpZCIsMV0", "before", "CONTRADICTION"),
        ("search=%00", "search", "INVALID_CHARACTER"),
        ("search=" + "x" * 201, "search", "TOO_LONG"),
    ],
)
async def test_a_bad_parameter_is_422_and_named(services: Services, query: str, field: str, code: str) -> None:
    answer = await services.pessoas.get(f"{PESSOAS.path}?{query}")

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]


REFUSED: list[tuple[Any, str, str]] = [
    ({"first": 1001}, "first", "OUT_OF_RANGE"),
    ({"first": -1}, "first", "OUT_OF_RANGE"),
    ({"first": 1, "last": 1}, "corpo", "CONTRADICTION"),
    ({"ids": [1], "first": 1}, "corpo", "CONTRADICTION"),
    ({"ids": [None]}, "ids.0", "NULL"),
    ({"filter": {"nada": {"eq": 1}}}, "filter.nada", "UNKNOWN_FIELD"),
    ({"filter": {"id": {"eq": "1"}}}, "filter.id.eq", "NOT_AN_INTEGER"),
    ({"filter": {"nome_pessoa": {"contains": None}}}, "filter.nome_pessoa.contains", "NULL"),
    ({"ordering": "-nada"}, "ordering", "INVALID_CHOICE"),
    ({"after": "x"}, "after", "INVALID_CURSOR"),
    ({"per": {"field": "id", "ids": [1]}}, "per", "UNKNOWN_FIELD"),
    ({"filter": {"or": []}}, "filter.or", "TOO_FEW"),
    ({"filter": {"or": [{} for _ in range(201)]}}, "filter", "LIMIT_EXCEEDED"),
]


class TestTheRicherRead:
    """POST …/query/: what does not fit into a URL, in an envelope."""

    async def ask(self, client: httpx2.AsyncClient, **query: Any) -> Any:
        answer = await client.post(f"{PESSOAS.path}query/", json=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def test_reads_up_to_five_thousand_ids(self, services: Services, database_urls: dict[str, str]) -> None:
        builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(5100)))

        found = await self.ask(services.pessoas, ids=list(range(1, 5001)))
        refused = await services.pessoas.post(f"{PESSOAS.path}query/", json={"ids": list(range(1, 5002))})

        assert [row["id"] for row in found["items"]] == list(range(1, 5001))
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "ids")

    async def test_combines_filters_with_and_or_not(self, pessoas: httpx2.AsyncClient) -> None:
        name = "nome_pessoa"
        query = {
            "or": [{name: {"contains": "ana"}}, {name: {"starts_with": "ZE"}}],
            "not": {name: {"eq": "ANA"}},
        }

        found = await self.ask(pessoas, filter=query, ordering=name, count=True)

        assert [row[name] for row in found["items"]] == ["Ana", "Zé", "zeca"]
        assert found["count"] == 3

    async def test_pages_from_the_end(self, pessoas: httpx2.AsyncClient) -> None:
        whole = (await self.ask(pessoas, first=10))["items"]

        found = await self.ask(pessoas, last=3)
        before = await self.ask(pessoas, last=3, before=cursor("id", None, found["items"][0]["id"]))

        assert found == {"items": whole[7:], "has_next": False, "has_previous": True}
        assert before == {"items": whole[4:7], "has_next": True, "has_previous": True}

    async def test_knows_on_both_sides_whether_there_is_more(self, pessoas: httpx2.AsyncClient) -> None:
        first = await self.ask(pessoas, first=3)
        rest = await self.ask(pessoas, first=7, after=cursor("id", None, 3))
        beyond = await self.ask(pessoas, first=7, after=cursor("id", None, 10), count=True)
        between = await self.ask(pessoas, first=2, after=cursor("id", None, 2), before=cursor("id", None, 5))

        assert (first["has_previous"], first["has_next"]) == (False, True)
        assert (rest["has_previous"], rest["has_next"]) == (True, False)
        assert beyond == {"items": [], "has_previous": True, "has_next": False, "count": 10}
        assert ([row["id"] for row in between["items"]], between["has_next"]) == ([3, 4], True)

    async def test_selects_only_ids(self, pessoas: httpx2.AsyncClient) -> None:
        found = await self.ask(pessoas, select="ids", filter={"nome_pessoa": {"contains": "bia"}})

        assert found == {"ids": [1, 10], "has_next": False}

    async def test_answers_the_top_n_of_each_parent_in_one_go(
        self, services: Services, database_urls: dict[str, str]
    ) -> None:
        rows = [(1, 1 + n % 3, 9) for n in range(10)]
        builders.insert_solicitacoes(database_urls["solicitacoes"], rows)
        query = {
            "per": {"field": "pessoa_id", "ids": [3, 1, 77]},
            "first": 3,
            "ordering": "-data_solicitacao",
            "count": True,
        }

        answer = await services.solicitacoes.post(f"{SOLICITACOES.path}query/", json=query)

        found = [
            (group["id"], [row["id"] for row in group["items"]], group["has_next"], group["count"])
            for group in answer.json()["groups"]
        ]
        assert found == [(3, [9, 6, 3], False, 3), (1, [10, 7, 4], True, 4), (77, [], False, 0)]

    @pytest.mark.parametrize(("query", "field", "code"), REFUSED, ids=str)
    async def test_refuses_by_name(self, services: Services, query: Any, field: str, code: str) -> None:
        answer = await services.pessoas.post(f"{PESSOAS.path}query/", json=query)

        assert answer.status_code == 422
        assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]
