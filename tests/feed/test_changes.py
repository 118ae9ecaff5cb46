"""The changes of a service: what is told, in which order, and what a reader gets who asks for them."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import psycopg
import pytest

from tests import builders
from tests.applications import Services
from tests.feed.conftest import connect
from tests.resources import ALL, CATEGORIAS, Resource, short_name

CHANGES = "/api/changes/"
Item = dict[str, Any]


async def position(client: httpx2.AsyncClient) -> int:
    """Where the feed ends now."""
    found: int = (await client.get(CHANGES)).json()["last"]
    return found


async def changes(client: httpx2.AsyncClient, after: int, **more: Any) -> list[Item]:
    answer = await client.get(CHANGES, params={"after": after, **more})
    assert answer.status_code == 200, answer.text
    items: list[Item] = answer.json()["items"]
    return items


def told(items: list[Item]) -> list[tuple[str, int, str]]:
    return [(item["kind"], item["id"], item["op"]) for item in items]


@pytest.mark.parametrize("resource", ALL, ids=short_name)
async def test_what_is_created_updated_and_deleted_is_told_in_this_order(
    services: Services, resource: Resource
) -> None:
    client, body = resource.client(services), await resource.body(services)
    before = await position(client)

    row = (await client.post(resource.path, json=body)).json()
    await client.put(resource.at(row), json=body)
    await client.delete(resource.at(row))

    items = await changes(client, before)
    assert told(items) == [(resource.noun, row["id"], op) for op in ("created", "updated", "deleted")]
    assert [item["seq"] for item in items] == [before + 1, before + 2, before + 3]


async def test_without_a_position_there_are_no_items_but_where_to_begin(services: Services) -> None:
    await builders.pessoa(services)

    answer = (await services.pessoas.get(CHANGES)).json()

    assert (answer["items"], set(answer)) == ([], {"items", "last", "epoch", "as_of"})
    assert await changes(services.pessoas, answer["last"]) == []


async def test_a_limited_answer_says_where_to_go_on_and_does_not_claim_to_be_complete(services: Services) -> None:
    before = await position(services.pessoas)
    rows = [await builders.pessoa(services) for _ in range(3)]

    first = (await services.pessoas.get(CHANGES, params={"after": before, "limit": 2})).json()
    second = (await services.pessoas.get(CHANGES, params={"after": first["last"], "limit": 2})).json()

    assert [item["id"] for item in first["items"] + second["items"]] == [row["id"] for row in rows]
    assert (first["last"], "as_of" in first) == (before + 2, False)
    assert (second["last"], "as_of" in second) == (before + 3, True)


async def test_the_produtos_that_are_deleted_with_their_categoria_are_told(services: Services) -> None:
    produtos = [await builders.produto(services)]
    categoria = produtos[0]["categoria"]
    produtos += [await builders.produto(services, "Mouse", categoria["id"])]
    before = await position(services.catalogo)

    await services.catalogo.delete(CATEGORIAS.at(categoria))

    expected = {("produto", produto["id"], "deleted") for produto in produtos}
    assert set(told(await changes(services.catalogo, before))) == {("categoria", categoria["id"], "deleted"), *expected}


async def test_the_produtos_that_show_a_renamed_categoria_have_changed_too(services: Services) -> None:
    produto, other = await builders.produto(services), await builders.produto(services, "Mesa")
    before = await position(services.catalogo)

    await services.catalogo.patch(CATEGORIAS.at(produto["categoria"]), json={"nome_categoria": "Outra"})

    items = told(await changes(services.catalogo, before))
    assert set(items) == {
        ("categoria", produto["categoria"]["id"], "updated"),
        ("produto", produto["id"], "updated"),
    }
    assert ("produto", other["id"], "updated") not in items


async def test_of_a_categoria_with_very_many_produtos_only_itself_is_told(
    services: Services, database_urls: dict[str, str]
) -> None:
    categoria = await builders.categoria(services)
    with connect(database_urls["catalogo"]) as connection:
        connection.execute(
            "INSERT INTO produto (nome_produto, nome_busca, categoria_id)"
            " SELECT 'x', 'x', %s FROM generate_series(1, 1001)",
            [categoria["id"]],
        )
    before = await position(services.catalogo)

    await services.catalogo.patch(CATEGORIAS.at(categoria), json={"nome_categoria": "Outra"})

    assert told(await changes(services.catalogo, before)) == [("categoria", categoria["id"], "updated")]


async def test_bulk_writes_by_psql_are_told_row_by_row(services: Services, database_urls: dict[str, str]) -> None:
    before = await position(services.pessoas)

    with connect(database_urls["pessoas"]) as connection:
        connection.autocommit = True
        with connection.cursor().copy("COPY pessoa (nome_pessoa, nome_busca) FROM STDIN") as copy:
            for n in range(50):
                copy.write_row((f"P{n}", f"p{n}"))
        connection.execute("UPDATE pessoa SET nome_pessoa = 'X' WHERE id <= 10")
        connection.execute(
            "INSERT INTO pessoa (id, nome_pessoa, nome_busca) VALUES (1, 'A', 'a'), (60, 'B', 'b')"
            " ON CONFLICT (id) DO UPDATE SET nome_pessoa = excluded.nome_pessoa"
        )
        connection.execute("DELETE FROM pessoa")

    items = told(await changes(services.pessoas, before))
    assert items[:50] == [("pessoa", id, "created") for id in range(1, 51)]
    assert items[50:60] == [("pessoa", id, "updated") for id in range(1, 11)]
    assert set(items[60:62]) == {("pessoa", 60, "created"), ("pessoa", 1, "updated")}
    assert sorted(items[62:]) == [("pessoa", id, "deleted") for id in (*range(1, 51), 60)]


@pytest.mark.parametrize("resource", ALL, ids=short_name)
def test_truncate_is_refused_since_it_would_tell_nobody(resource: Resource, database_urls: dict[str, str]) -> None:
    refused = pytest.raises(psycopg.errors.RaiseException, match="would not be told")
    with connect(database_urls[resource.service]) as connection, refused:
        connection.execute(f"TRUNCATE {resource.noun} CASCADE".encode())


async def test_what_is_rolled_back_is_not_told_and_leaves_no_gap(
    services: Services, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    with connect(database_urls["pessoas"]) as connection:
        connection.execute("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('A', 'a')")
        connection.rollback()

    row = await builders.pessoa(services)

    items = await changes(services.pessoas, before)
    assert (told(items), items[0]["seq"]) == ([("pessoa", row["id"], "created")], before + 1)


# -- the traps: each of these fails on a simpler way to read or to write the changes -------------------------------


INSERT = "INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('A', 'a') RETURNING id"


async def test_a_change_that_is_committed_after_a_later_one_is_not_lost(
    services: Services, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    with connect(database_urls["pessoas"]) as slow:
        first = slow.execute(INSERT).fetchone()
        second = await builders.pessoa(services)
        seen = await changes(services.pessoas, before)
        slow.commit()

    later = await changes(services.pessoas, seen[-1]["seq"])

    assert first
    assert [item["id"] for item in seen] == [second["id"]]
    assert [item["id"] for item in later] == [first[0]]


async def test_changes_of_one_row_keep_their_order_whoever_began_first(
    services: Services, database_urls: dict[str, str]
) -> None:
    row = await builders.pessoa(services)
    before = await position(services.pessoas)
    delete, url = "DELETE FROM pessoa WHERE id = %s", database_urls["pessoas"]
    with connect(url) as early, connect(url) as late:
        early.execute("INSERT INTO idempotency (key, fingerprint) VALUES ('early', '')")  # it has its xid now
        late.execute("UPDATE pessoa SET nome_pessoa = 'Late' WHERE id = %s", [row["id"]])
        late.commit()
        early.execute(delete, [row["id"]])
        early.commit()

    assert told(await changes(services.pessoas, before)) == [
        ("pessoa", row["id"], "updated"),
        ("pessoa", row["id"], "deleted"),
    ]


async def test_a_transaction_that_is_open_delays_nothing_in_this_database_or_another(
    services: Services, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    with (
        connect(database_urls["servicos"]) as elsewhere,
        connect(database_urls["pessoas"]) as here,
    ):
        elsewhere.execute("INSERT INTO servico (nome_servico, nome_busca) VALUES ('A', 'a')")
        here.execute("INSERT INTO idempotency (key, fingerprint) VALUES ('open', '')")
        row = await builders.pessoa(services)

        items = await changes(services.pessoas, before)

    assert told(items) == [("pessoa", row["id"], "created")]


async def test_readers_who_number_at_once_give_each_change_one_number(
    services: Services, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)

    async def write() -> None:
        for _ in range(20):
            await builders.pessoa(services)

    async def read() -> None:
        for _ in range(20):
            await changes(services.pessoas, before)

    await asyncio.gather(*(write() for _ in range(4)), *(read() for _ in range(4)))

    items = await changes(services.pessoas, before)
    assert [item["seq"] for item in items] == list(range(before + 1, before + 81))
    assert len({item["id"] for item in items}) == 80


async def test_a_produto_that_is_added_while_its_categoria_is_renamed_is_told_with_the_new_name(
    services: Services, database_urls: dict[str, str]
) -> None:
    categoria, url = await builders.categoria(services), database_urls["catalogo"]
    before = await position(services.catalogo)
    rename = "UPDATE categoria SET nome_categoria = 'Nova', nome_busca = 'nova' WHERE id = %s"
    waits = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
    with connect(url) as adding, connect(url) as renaming, connect(url) as observer:
        [produto] = adding.execute(
            "INSERT INTO produto (nome_produto, nome_busca, categoria_id) VALUES ('A', 'a', %s) RETURNING id",
            [categoria["id"]],
        ).fetchone() or [None]

        def rename_and_commit() -> None:
            renaming.execute(rename, [categoria["id"]])
            renaming.commit()

        renamed = asyncio.create_task(asyncio.to_thread(rename_and_commit))
        observer.autocommit = True
        async with asyncio.timeout(30):
            while observer.execute(waits, [renaming.info.backend_pid]).fetchone() != (1,):
                assert not renamed.done(), "the rename did not wait for the produto, and so cannot tell it"
                await asyncio.sleep(0.01)
        adding.commit()
        await renamed

    items = told(await changes(services.catalogo, before))
    assert items[0] == ("produto", produto, "created")
    assert set(items[1:]) == {("produto", produto, "updated"), ("categoria", categoria["id"], "updated")}


# -- positions that lead no further ----------------------------------------------------------------------------------


async def test_a_position_beyond_the_last_change_is_gone(services: Services) -> None:
    answer = await services.pessoas.get(CHANGES, params={"after": await position(services.pessoas) + 1})

    assert (answer.status_code, answer.json()["code"]) == (410, "GONE")


async def test_a_position_of_another_epoch_is_gone(services: Services, database_urls: dict[str, str]) -> None:
    begin = (await services.pessoas.get(CHANGES)).json()
    where = {"after": begin["last"], "epoch": begin["epoch"]}
    same = await services.pessoas.get(CHANGES, params=where)
    with connect(database_urls["pessoas"]) as connection:
        connection.execute("UPDATE feed_head SET epoch = DEFAULT")

    other = await services.pessoas.get(CHANGES, params=where)

    assert (same.status_code, other.status_code, other.json()["code"]) == (200, 410, "GONE")


@pytest.mark.parametrize(
    ("parameters", "field", "code"),
    [
        ({"after": "-1"}, "after", "OUT_OF_RANGE"),
        ({"after": "x"}, "after", "NOT_AN_INTEGER"),
        ({"after": "1", "limit": "0"}, "limit", "OUT_OF_RANGE"),
        ({"after": "1", "limit": "1001"}, "limit", "OUT_OF_RANGE"),
        ({"after": "1", "wait": "31"}, "wait", "OUT_OF_RANGE"),
        ({"after": "1", "wait": "-0.5"}, "wait", "OUT_OF_RANGE"),
        ({"after": "1", "wait": "30.001"}, "wait", "OUT_OF_RANGE"),
        ({"after": "1", "wait": "1e300"}, "wait", "OUT_OF_RANGE"),
        ({"after": "1", "wait": "1e400"}, "wait", "OUT_OF_RANGE"),
        ({"after": "1", "wait": "NaN"}, "wait", "INVALID"),
        ({"after": "1", "wait": ""}, "wait", "INVALID"),
        ({"after": "1", "wait": ["1", "2"]}, "wait", "REPEATED_PARAMETER"),
        ({"after": "1", "epoch": "x"}, "epoch", "INVALID"),
        ({"since": "1"}, "since", "UNKNOWN_PARAMETER"),
    ],
)
async def test_a_wrong_parameter_is_named(
    services: Services, parameters: dict[str, Any], field: str, code: str
) -> None:
    answer = await services.pessoas.get(CHANGES, params=parameters)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(field, code)]


async def test_the_path_behaves_like_every_other(services: Services) -> None:
    client = services.pessoas

    assert (await client.get("/api/changes")).status_code == 200
    assert (await client.head(CHANGES)).content == b""
    assert (await client.options(CHANGES)).headers["allow"] == "GET, HEAD, OPTIONS"
    assert (await client.post(CHANGES, json={})).status_code == 405
    assert (await client.get(CHANGES, headers={"Accept": "text/html"})).status_code == 406
