"""What `make faults` finds in what clients of live queries were told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests import builders
from tests.applications import Services
from tests.faults.live import OPERATIONS, SUBSCRIPTIONS, LiveClient, LiveControl, Page

CURSOR = "solicitacoes:0d7e1b52-3c1f-4c0e-9b0a-5a3f6f1f7a10"
NAMES = {ours: theirs for theirs, ours in OPERATIONS.items()}
[FILTERED] = [one for one in SUBSCRIPTIONS if one.admits]


@pytest.fixture
def solicitacoes(services: Services, database_urls: dict[str, str]) -> Iterator[psycopg.Connection]:
    """The changes of three solicitacoes, of which the filter lets the first pass, and the third until it is deleted."""
    builders.insert_solicitacoes(database_urls["solicitacoes"], [(1, 1, 2), (1, 1, 3), (1, 1, 4)])
    with psycopg.connect(database_urls["solicitacoes"], autocommit=True) as connection:
        connection.execute("DELETE FROM solicitacao WHERE produto_id = 4")
        connection.execute("SELECT number_changes()")
        yield connection


def told(connection: psycopg.Connection, *which: int) -> LiveClient:
    """A client with a filter that was told these of the changes."""
    client = LiveClient(FILTERED, 0, LiveControl())
    kept = connection.execute("SELECT seq, entity, op FROM change ORDER BY seq").fetchall()
    client.began = kept[0][0] - 1
    for seq, entity, op in (kept[one] for one in which):
        change = {"cursor": f"{CURSOR}:{seq}", "id": str(entity), "operacao": NAMES[op]}
        client.take_event({"data": {"mudou": change | {"row": None if op == "deleted" else {"produtoId": "2"}}}})
    return client


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ([0, 2, 3], []),
        ([0, 3], []),  # the third was deleted before its creation could be told
        ([0, 2], ["lost"]),
        ([2, 3], ["lost"]),
        ([0, 1, 2, 3], ["twice or never made"]),
        ([0, 2, 2, 3], ["twice or never made"]),
        ([2, 0, 3], ["in another order"]),
    ],
)
def test_what_the_filter_lets_pass_must_be_told_once_and_in_order(
    solicitacoes: psycopg.Connection, which: list[int], found: list[str]
) -> None:
    wrong = told(solicitacoes, *which).judge(solicitacoes)

    assert len(wrong) == len(found)
    assert all(expected in line for expected, line in zip(found, wrong, strict=True))


def test_a_subscription_that_ends_without_a_cursor_is_seen(solicitacoes: psycopg.Connection) -> None:
    client = told(solicitacoes, 0, 2, 3)

    client.take_end([{"message": "", "extensions": {"code": "GONE"}}])

    assert len(client.judge(solicitacoes)) == 1


def test_a_page_that_misses_what_came_after_its_query_is_seen(
    services: Services, database_urls: dict[str, str]
) -> None:
    builders.insert_pessoas(database_urls["pessoas"], ["Ana", "Rui"])
    with psycopg.connect(database_urls["pessoas"], autocommit=True) as connection:
        connection.execute("SELECT number_changes()")
        rows = connection.execute("SELECT seq, entity, nome_pessoa FROM change JOIN pessoa ON pessoa.id = entity")
        (first, ana, _), (second, rui, _) = rows.fetchall()
        page = Page(0, LiveControl())
        page.begin_at(f"pessoas:x:{first}", {ana: "Ana"})

        missing = page.judge(connection)
        change = {"cursor": f"pessoas:x:{second}", "id": str(rui), "operacao": "CRIADA", "row": {"nomePessoa": "Rui"}}
        page.take_event({"data": {"mudou": change}})

        assert len(missing) == 2, json.dumps(missing)
        assert page.judge(connection) == []
