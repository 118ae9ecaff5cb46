"""Connections against the algorithm of Relay's specification (https://relay.dev/graphql/connections.htm), written out.

In one point we are more exact than the specification requires: `hasNextPage` and `hasPreviousPage` say whether the
filtered list has an item beyond the page in that direction, in whichever direction the page was requested.
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

BOUNDED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = ["Ana", "ana", "Ána", "Bia", "Zoé"]
"""Names of which some fold alike, so that the id must decide their order."""
DAYS = ["2025-01-01", "2025-01-02"]

PESSOAS = """
query ($first: Int, $after: String, $last: Int, $before: String, $filter: PessoaFilter, $order: PessoaOrder!) {
  connection: pessoas(
    first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $order
  ) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } }
}
"""
SOLICITACOES = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: SolicitacaoOrder!) {
  pessoas { nodes { connection: solicitacoes(
    first: $first, after: $after, last: $last, before: $before, orderBy: $order
  ) { totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor } edges { cursor node { id } } } } }
}
"""


@dataclass(frozen=True)
class Paging:
    """A connection's arguments; `after` and `before` are places in the whole list, not yet cursors."""

    first: int | None
    last: int | None
    after: int | None
    before: int | None

    def arguments(self, cursors: list[str]) -> dict[str, Any]:
        places = {"after": self.after, "before": self.before}
        sizes = {"first": self.first, "last": self.last}
        given: dict[str, Any] = {name: size for name, size in sizes.items() if size is not None}
        return given | {name: cursors[place] for name, place in places.items() if place is not None}

    def within(self, ids: list[str], own: list[str]) -> Paging:
        """The same arguments for a list of some of the ids."""
        after = None if self.after is None else len([id for id in ids[: self.after + 1] if id in own]) - 1
        before = None if self.before is None else len([id for id in ids[: self.before] if id in own])
        return Paging(self.first, self.last, after, before)


@st.composite
def pagings(draw: st.DrawFn, length: int) -> Paging:
    size = draw(st.integers(0, 8))
    first, last = draw(st.sampled_from([(None, None), (size, None), (None, size)]))
    places = st.none() | st.integers(0, length - 1) if length else st.none()
    return Paging(first, last, draw(places), draw(places))


def edges_to_return(edges: list[str], paging: Paging) -> list[str]:
    """EdgesToReturn of the specification, over its ApplyCursorsToEdges."""
    if paging.before is not None:
        edges = edges[: paging.before]
    if paging.after is not None:
        edges = edges[paging.after + 1 :]
    if paging.first is not None and len(edges) > paging.first:
        edges = edges[: paging.first]
    if paging.last is not None and len(edges) > paging.last:
        edges = edges[len(edges) - paging.last :]
    return edges


def check(found: dict[str, Any], whole: dict[str, Any], ids: list[str], paging: Paging) -> None:
    """`found` is the page of the list `ids` that was asked for; `whole` is the same list, unpaged."""
    info, cursors = found["pageInfo"], {edge["node"]["id"]: edge["cursor"] for edge in whole["edges"]}
    expected = edges_to_return(ids, paging)
    assert [edge["node"]["id"] for edge in found["edges"]] == expected
    assert [edge["cursor"] for edge in found["edges"]] == [cursors[id] for id in expected]
    assert found["totalCount"] == len(ids)
    if expected:
        assert (info["startCursor"], info["endCursor"]) == (cursors[expected[0]], cursors[expected[-1]])
        assert (info["hasPreviousPage"], info["hasNextPage"]) == (expected[0] != ids[0], expected[-1] != ids[-1])
        return
    assert (info["startCursor"], info["endCursor"]) == (None, None)
    start = 0 if paging.after is None else paging.after + 1
    end = len(ids) if paging.before is None else paging.before
    if start <= end:  # the empty page lies between two items, at the end from which the arguments count
        place = start if paging.last is None else end
        assert (info["hasPreviousPage"], info["hasNextPage"]) == (place > 0, place < len(ids))


@given(data=st.data(), names=st.lists(st.sampled_from(NAMES), max_size=7), contains=st.sampled_from([None, "ANA", "b"]))
@BOUNDED
async def test_a_page_of_a_collection_is_the_one_that_relays_algorithm_returns(
    gateway: Gateway,
    services: Services,
    database_urls: dict[str, str],
    data: st.DataObject,
    names: list[str],
    contains: str | None,
) -> None:
    with psycopg.connect(database_urls["pessoas"], autocommit=True) as connection:
        connection.execute("DELETE FROM pessoa; SELECT setval('pessoa_id_seq', 1, false)")
    builders.insert_pessoas(database_urls["pessoas"], names)
    order = data.draw(st.sampled_from(["ID_ASC", "ID_DESC", "NOME_PESSOA_ASC", "NOME_PESSOA_DESC"]))
    rows = [(fold(name) if order.startswith("NOME") else "", id) for id, name in enumerate(names, start=1)]
    rows = sorted(rows, reverse=order.endswith("DESC"))
    ids = [str(id) for _, id in rows if fold(contains or "") in fold(names[id - 1])]
    paging = data.draw(pagings(len(ids)))
    the_list = {"order": order, "filter": {"nomePessoa": {"contains": contains}} if contains else {}}

    whole = (await gateway.data(PESSOAS, **the_list))["connection"]
    cursors = [edge["cursor"] for edge in whole["edges"]]
    found = (await gateway.data(PESSOAS, **the_list, **paging.arguments(cursors)))["connection"]

    check(whole, whole, ids, Paging(None, None, None, None))
    check(found, whole, ids, paging)


@given(data=st.data(), owners=st.lists(st.tuples(st.integers(1, 2), st.sampled_from(DAYS)), max_size=9))
@BOUNDED
async def test_a_page_below_each_parent_is_the_one_that_relays_algorithm_returns(
    gateway: Gateway,
    services: Services,
    database_urls: dict[str, str],
    data: st.DataObject,
    owners: list[tuple[int, str]],
) -> None:
    """One cursor can be used for all parents: it is a place in the order, and its row belongs to only one of them."""
    with psycopg.connect(database_urls["pessoas"], autocommit=True) as connection:
        connection.execute("DELETE FROM pessoa; SELECT setval('pessoa_id_seq', 1, false)")
    builders.insert_pessoas(database_urls["pessoas"], ["Ana", "Bia"])
    with psycopg.connect(database_urls["solicitacoes"], autocommit=True) as connection:
        connection.execute("DELETE FROM solicitacao; SELECT setval('solicitacao_id_seq', 1, false)")
        for owner, day in owners:
            connection.execute(
                "INSERT INTO solicitacao (servico_id, pessoa_id, produto_id, data_solicitacao) VALUES (1, %s, 1, %s)",
                [owner, f"{day}T00:00:00Z"],
            )
    order = data.draw(st.sampled_from(["ID_ASC", "ID_DESC", "DATA_SOLICITACAO_ASC", "DATA_SOLICITACAO_DESC"]))
    rows = [(day if order.startswith("DATA") else "", id) for id, (_, day) in enumerate(owners, start=1)]
    rows = sorted(rows, reverse=order.endswith("DESC"))
    ids = [str(id) for _, id in rows]
    of_parent = [[id for id in ids if owners[int(id) - 1][0] == parent] for parent in (1, 2)]
    paging = data.draw(pagings(len(ids)))

    whole = (await gateway.data(SOLICITACOES, order=order))["pessoas"]["nodes"]
    cursors = {edge["node"]["id"]: edge["cursor"] for node in whole for edge in node["connection"]["edges"]}
    arguments = paging.arguments([cursors[id] for id in ids])
    found = (await gateway.data(SOLICITACOES, order=order, **arguments))["pessoas"]["nodes"]

    for one, own in enumerate(of_parent):
        check(whole[one]["connection"], whole[one]["connection"], own, Paging(None, None, None, None))
        check(found[one]["connection"], whole[one]["connection"], own, paging.within(ids, own))
