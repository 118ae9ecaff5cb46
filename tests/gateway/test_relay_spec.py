"""Connections against the algorithm of Relay's specification (https://relay.dev/graphql/connections.htm), written out.

In one point we are exact where the specification allows less: `hasNextPage` and `hasPreviousPage` say whether the list,
with its filter, has an item beyond the page in that direction, whichever way the page was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.text import fold
from tests import builders
from tests.applications import Gateway, Services

NAMES = ["Ana", "ana", "Ána", "Bia", "Zoé"]
"""Some fold alike, so that the id must decide."""
ORDERS = ["ID_ASC", "ID_DESC", "NOME_PESSOA_ASC", "NOME_PESSOA_DESC"]
PAGE = """
query ($first: Int, $after: String, $last: Int, $before: String, $filter: PessoaFilter, $order: PessoaOrder!) {
  pessoas(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    edges { cursor node { id } }
    nodes { id }
  }
}
"""


@dataclass(frozen=True)
class Asked:
    """A page: `names` are the rows, `after` and `before` the places of edges in the ordered and filtered list."""

    names: list[str]
    order: str
    contains: str | None
    first: int | None
    last: int | None
    after: int | None
    before: int | None


def place() -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, 6)


@st.composite
def asked(draw: st.DrawFn) -> Asked:
    size = draw(st.integers(0, 8))
    first, last = draw(st.sampled_from([(None, None), (size, None), (None, size)]))
    return Asked(
        names=draw(st.lists(st.sampled_from(NAMES), max_size=7)),
        order=draw(st.sampled_from(ORDERS)),
        contains=draw(st.sampled_from([None, "ANA", "b"])),
        first=first,
        last=last,
        after=draw(place()),
        before=draw(place()),
    )


def whole(page: Asked) -> list[str]:
    """The ids of the list that is paged through."""
    rows = [(fold(name), id) for id, name in enumerate(page.names, start=1)]
    rows = [row for row in rows if fold(page.contains or "") in row[0]]
    by_name = page.order.startswith("NOME")
    rows.sort(key=lambda row: row if by_name else row[1:], reverse=page.order.endswith("DESC"))
    return [str(id) for _, id in rows]


def edges_to_return(edges: list[str], page: Asked) -> list[str]:
    """EdgesToReturn of the specification, over ApplyCursorsToEdges."""
    start = 0 if page.after is None else page.after + 1
    end = len(edges) if page.before is None else page.before
    edges = edges[start:end] if start < end else []
    if page.first is not None and len(edges) > page.first:
        edges = edges[: page.first]
    if page.last is not None and len(edges) > page.last:
        edges = edges[len(edges) - page.last :]
    return edges


async def read(gateway: Gateway, page: Asked, **arguments: Any) -> dict[str, Any]:
    filtered = {"filter": {"nomePessoa": {"contains": page.contains}}} if page.contains else {}
    found: dict[str, Any] = (await gateway.data(PAGE, order=page.order, **filtered, **arguments))["pessoas"]
    return found


def refill(database_url: str, names: list[str]) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE pessoa RESTART IDENTITY")
    builders.insert_pessoas(database_url, names)


@given(page=asked())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_page_is_the_one_that_relays_algorithm_returns(
    gateway: Gateway, services: Services, database_urls: dict[str, str], page: Asked
) -> None:
    refill(database_urls["pessoas"], page.names)
    everything = await read(gateway, page, first=1000)
    cursors = [edge["cursor"] for edge in everything["edges"]]
    ids = [edge["node"]["id"] for edge in everything["edges"]]
    assert ids == whole(page)
    arguments = {name: size for name in ("first", "last") if (size := getattr(page, name)) is not None}
    places = {name: at for name in ("after", "before") if (at := getattr(page, name)) is not None and at < len(ids)}
    if len(places) < (page.after is not None) + (page.before is not None):
        return  # the list has no such edge

    found = await read(gateway, page, **arguments, **{name: cursors[at] for name, at in places.items()})

    expected = edges_to_return(ids, page)
    info = found["pageInfo"]
    assert [edge["node"]["id"] for edge in found["edges"]] == [node["id"] for node in found["nodes"]] == expected
    assert found["totalCount"] == len(ids)
    assert [edge["cursor"] for edge in found["edges"]] == [cursors[ids.index(id)] for id in expected]
    if not expected:
        assert (info["startCursor"], info["endCursor"]) == (None, None)
        return
    assert (info["startCursor"], info["endCursor"]) == (found["edges"][0]["cursor"], found["edges"][-1]["cursor"])
    assert info["hasPreviousPage"] == (expected[0] != ids[0])
    assert info["hasNextPage"] == (expected[-1] != ids[-1])
