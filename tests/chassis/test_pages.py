"""Lists: keyset pages, order, search, filters, bulk reads, and the richer read by POST."""

import re
from typing import Any

import httpx2
import psycopg
import pytest

from chassis.query.pagination import cursor
from tests import builders
from tests.applications import Services
from tests.resources import ALL, NAMED, PESSOAS, SOLICITACOES, Resource, short_name

every = pytest.mark.parametrize("resource", ALL, ids=short_name)
NAMES = ["bia", "Álvaro", "Zé", "alvaro", "Ana", "ANA", "éder", "Eder", "zeca", "Bia"]
TYPED = ["2ª via", "2a via", "2b via", "D’Ávila", "D'Avila", "D Avila", "Łódź", "lodz", "Mogi – Guaçu", "mogi - guacu"]
"""Names that people type in several ways. Some fold alike; then the id decides their order."""


def link(answer: httpx2.Response, relation: str) -> str | None:
    found = re.search(rf'<([^>]*)>; rel="{relation}"', answer.headers.get("link", ""))
    return found[1] if found else None


async def walk(client: httpx2.AsyncClient, url: str, relation: str = "next") -> list[Any]:
    """All rows from `url` on, read page by page."""
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


@pytest.mark.parametrize("ordering", ["nome_pessoa", "-nome_pessoa"])
async def test_cursors_lead_through_names_that_are_typed_in_several_ways(
    pessoas: httpx2.AsyncClient, database_urls: dict[str, str], ordering: str
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], TYPED)

    whole = (await pessoas.get(PESSOAS.path, params={"ordering": ordering})).json()

    assert len(whole) == len(NAMES) + len(TYPED)
    assert await walk(pessoas, f"{PESSOAS.path}?ordering={ordering}&page_size=1") == whole


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


@pytest.mark.parametrize("ordering", ["id", "-id", "nome_pessoa", "-nome_pessoa"])
async def test_a_page_beyond_either_end_is_empty_and_leads_back(pessoas: httpx2.AsyncClient, ordering: str) -> None:
    whole = (await pessoas.get(PESSOAS.path, params={"ordering": ordering})).json()
    field, sized = ordering.removeprefix("-"), f"{PESSOAS.path}?ordering={ordering}&page_size=3"
    first, last = (cursor(field, row[field], row["id"]) for row in (whole[0], whole[-1]))

    after, before = await pessoas.get(f"{sized}&cursor={last}"), await pessoas.get(f"{sized}&before={first}")

    assert (after.json(), link(after, "next")) == ([], None)
    assert (before.json(), link(before, "prev")) == ([], None)
    assert (await pessoas.get(link(after, "prev") or "")).json() == whole[-3:]
    assert (await pessoas.get(link(before, "next") or "")).json() == whole[:3]


@pytest.mark.parametrize("ordering", ["data_solicitacao", "-data_solicitacao"])
async def test_a_page_beyond_the_last_of_those_that_were_made_at_once_leads_back(
    services: Services, database_urls: dict[str, str], ordering: str
) -> None:
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, 1, 1)] * 3)
    with psycopg.connect(database_urls["solicitacoes"], autocommit=True) as connection:
        connection.execute("UPDATE solicitacao SET data_solicitacao = '2026-01-31T12:00:00.123456Z'")
    whole = (await services.solicitacoes.get(SOLICITACOES.path, params={"ordering": ordering})).json()
    last = cursor("data_solicitacao", whole[-1]["data_solicitacao"], whole[-1]["id"])

    empty = await services.solicitacoes.get(f"{SOLICITACOES.path}?ordering={ordering}&cursor={last}")

    assert (await services.solicitacoes.get(link(empty, "prev") or "")).json() == whole


async def test_an_empty_page_of_nothing_leads_nowhere(pessoas: httpx2.AsyncClient) -> None:
    for place in ("", "&cursor=WyJpZCIsMV0", "&before=WyJpZCIsMV0"):
        assert "link" not in (await pessoas.get(f"{PESSOAS.path}?search=ninguém{place}")).headers


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


@pytest.mark.parametrize("resource", NAMED, ids=short_name)
@pytest.mark.parametrize(
    ("name", "term"),
    [
        ("2ª via", "2a  VIA"),
        ("2a via", "2ª via"),
        ("Santa\u00a0Bárbara   d’Oeste", " barbara d'oeste\u2003"),
        ("Sta. Bárbara d'Oeste", "Bárbara\u3000d´oeste"),
        ("Łódź – centro", "lodz - c"),
    ],
)
async def test_search_finds_what_was_typed_in_another_way(
    services: Services, resource: Resource, name: str, term: str
) -> None:
    assert resource.name
    client, body = resource.client(services), await resource.body(services)
    added = (await client.post(resource.path, json={**body, resource.name: name})).json()
    await client.post(resource.path, json={**body, resource.name: "outra coisa"})

    async def ids(operator: str, text: str) -> list[int]:
        query = {"filter": {resource.name: {operator: text}}}
        return [row["id"] for row in (await client.post(f"{resource.path}query/", json=query)).json()["items"]]

    assert [row["id"] for row in (await client.get(resource.path, params={"search": term})).json()] == [added["id"]]
    assert await ids("contains", term) == [added["id"]]
    assert await ids("starts_with", f" {name[:6]} ") == [added["id"]]


@pytest.mark.parametrize("resource", NAMED, ids=short_name)
async def test_a_name_is_equal_however_its_accents_were_typed(services: Services, resource: Resource) -> None:
    assert resource.name
    composed, decomposed = "é" * 60, "e\u0301" * 60
    client, body = resource.client(services), await resource.body(services)
    added = (await client.post(resource.path, json={**body, resource.name: decomposed})).json()

    found = [(await client.get(resource.path, params={resource.name: text})).json() for text in (composed, decomposed)]
    asked = [
        (await client.post(f"{resource.path}query/", json={"filter": {resource.name: operators}})).json()["items"]
        for text in (composed, decomposed)
        for operators in ({"eq": text}, {"in": [text]})
    ]

    assert [[row["id"] for row in rows] for rows in (*found, *asked)] == [[added["id"]]] * 6


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
    ({"ids": [1], "ordering": "-id"}, "corpo", "CONTRADICTION"),
    ({"select": "ids", "first": 1}, "corpo", "CONTRADICTION"),
    ({"select": "ids", "last": 1}, "corpo", "CONTRADICTION"),
    ({"select": "ids", "after": "WyJpZCIsMV0"}, "corpo", "CONTRADICTION"),
    ({"select": "ids", "before": "WyJpZCIsMV0"}, "corpo", "CONTRADICTION"),
    ({"select": "ids", "count": True}, "corpo", "CONTRADICTION"),
    ({"select": "ids", "ids": [1]}, "corpo", "CONTRADICTION"),
    ({"ids": [None]}, "ids.0", "NULL"),
    ({"filter": {"nada": {"eq": 1}}}, "filter.nada", "UNKNOWN_FIELD"),
    ({"filter": {"id": {"eq": "1"}}}, "filter.id.eq", "NOT_AN_INTEGER"),
    ({"filter": {"nome_pessoa": {"contains": None}}}, "filter.nome_pessoa.contains", "NULL"),
    ({"ordering": "-nada"}, "ordering", "INVALID_CHOICE"),
    ({"after": "x"}, "after", "INVALID_CURSOR"),
    ({"per": {"field": "id", "ids": [1]}}, "per", "UNKNOWN_FIELD"),
    ({"filter": {"or": None}}, "filter.or", "NULL"),
    (
        {"filter": {"not": {"and": [{}, {"nome_pessoa": {"in": ["a", "x" * 201]}}]}}},
        "filter.not.and.1.nome_pessoa.in.1",
        "TOO_LONG",
    ),
    ({"filter": {"or": [{} for _ in range(201)]}}, "filter", "LIMIT_EXCEEDED"),
]


EMPTY: list[tuple[Any, bool]] = [
    ({}, True),
    ({"and": []}, True),
    ({"or": []}, False),
    ({"not": {}}, False),
    ({"not": {"or": []}}, True),
    ({"id": {}}, True),
    ({"id": {"in": []}}, False),
    ({"not": {"id": {"in": []}}}, True),
    ({"or": [{"and": []}, {"or": []}]}, True),
    ({"and": [{"and": [{}]}, {"not": {"and": []}}]}, False),
]


class TestTheRicherRead:
    """POST …/query/ takes in its body what does not fit into a URL, and wraps its answer in an object."""

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

    @pytest.mark.parametrize(("filter", "holds"), EMPTY, ids=str)
    @pytest.mark.parametrize("resource", ALL, ids=short_name)
    async def test_takes_what_is_empty_as_logic_does(
        self, services: Services, resource: Resource, filter: dict[str, Any], holds: bool
    ) -> None:
        row = await resource.add(services)
        client, path = resource.client(services), f"{resource.path}query/"

        page = (await client.post(path, json={"filter": filter, "count": True})).json()
        ids = (await client.post(path, json={"filter": filter, "select": "ids"})).json()

        assert ([one["id"] for one in page["items"]], page["count"]) == (([row["id"]], 1) if holds else ([], 0))
        assert ids["ids"] == ([row["id"]] if holds else [])

    async def test_names_the_end_that_a_page_per_parent_is_read_from(self, services: Services) -> None:
        query = {"per": {"field": "pessoa_id", "ids": list(range(1, 1001))}, "last": 101}

        refused = (await services.solicitacoes.post(f"{SOLICITACOES.path}query/", json=query)).json()

        assert [error["field"] for error in refused["errors"]] == ["last"]

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

    @pytest.mark.parametrize("ordering", ["id", "-id", "nome_pessoa", "-nome_pessoa"])
    async def test_selects_ids_in_the_order_asked(self, pessoas: httpx2.AsyncClient, ordering: str) -> None:
        filter = {"nome_pessoa": {"contains": "a"}}
        rows = (await self.ask(pessoas, filter=filter, ordering=ordering))["items"]

        found = await self.ask(pessoas, select="ids", filter=filter, ordering=ordering)

        assert found == {"ids": [row["id"] for row in rows], "has_next": False}

    async def test_selects_the_first_five_thousand_ids_of_the_order_asked(
        self, services: Services, database_urls: dict[str, str]
    ) -> None:
        builders.insert_pessoas(database_urls["pessoas"], (f"Pessoa {n}" for n in range(5001)))

        first = await self.ask(services.pessoas, select="ids")
        last = await self.ask(services.pessoas, select="ids", ordering="-id")
        all_but_one = await self.ask(services.pessoas, select="ids", ordering="-id", filter={"id": {"gt": 1}})

        assert first == {"ids": list(range(1, 5001)), "has_next": True}
        assert last == {"ids": list(range(5001, 1, -1)), "has_next": True}
        assert all_but_one == {"ids": list(range(5001, 1, -1)), "has_next": False}

    async def test_answers_a_row_once_however_often_its_id_is_asked_for(
        self, services: Services, database_urls: dict[str, str]
    ) -> None:
        builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, 1 + n % 2, 9) for n in range(5)])
        client, ids = services.solicitacoes, [2, 1, 2, 2, 1]

        async def ask(**query: Any) -> Any:
            return (await client.post(f"{SOLICITACOES.path}query/", json=query)).json()

        grouped = await ask(per={"field": "pessoa_id", "ids": ids}, first=2, count=True)
        filtered = await ask(filter={"pessoa_id": {"in": ids}}, first=2, count=True)
        parameters = {"pessoa_id": "2,1,2", "id": "3,1,3,1,2", "page_size": "2", "count": "true"}
        listed = await client.get(SOLICITACOES.path, params=parameters)

        found = [
            (group["id"], [row["id"] for row in group["items"]], group["has_next"], group["count"])
            for group in grouped["groups"]
        ]
        assert found == [(2, [2, 4], False, 2), (1, [1, 3], True, 3)]
        assert ([row["id"] for row in filtered["items"]], filtered["has_next"], filtered["count"]) == ([1, 2], True, 5)
        assert [row["id"] for row in (await ask(ids=[3, 1, 3]))["items"]] == [1, 3]
        assert ([row["id"] for row in listed.json()], listed.headers["x-total-count"]) == ([1, 2], "3")

    async def test_counts_a_parent_once_however_often_it_is_asked_for(self, services: Services) -> None:
        answer = await services.solicitacoes.post(
            f"{SOLICITACOES.path}query/", json={"per": {"field": "pessoa_id", "ids": [1] * 1000}, "first": 1000}
        )

        assert answer.json()["groups"] == [{"id": 1, "items": [], "has_next": False, "has_previous": False}]

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
