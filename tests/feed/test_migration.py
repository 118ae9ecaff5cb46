"""The migration that begins the feed runs while others write: no write of theirs fails, and each later one is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import dropwhile

import psycopg
import pytest
from alembic import command

from chassis.db.migrate import config
from chassis.db.migrate import connect as connect_to_migrate
from deploy.local import ROOT
from deploy.postgres import Cluster
from tests.deploy.processes import WAIT_SECONDS, eventually
from tests.feed.conftest import connect
from tests.release import run

Told = tuple[str, int, str]
Writes = Callable[[psycopg.Connection], Iterator[list[Told]]]
"""Writes again and again; each step is one write, and gives what the feed must tell of it."""
WRITERS = 4
PAUSE_SECONDS = 0.003
MORE = 20
"""Writes of each writer before something else happens."""


def insert(connection: psycopg.Connection, table: str, **values: object) -> int:
    names, places = ", ".join(values), ", ".join(["%s"] * len(values))
    sql = f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id"
    row = connection.execute(sql.encode(), list(values.values())).fetchone()
    assert row
    return row[0]


def catalogo(connection: psycopg.Connection) -> Iterator[list[Told]]:
    while True:
        categoria = insert(connection, "categoria", nome_categoria="A", nome_busca="a")
        yield [("categoria", categoria, "created")]
        produto = insert(connection, "produto", nome_produto="A", nome_busca="a", categoria_id=categoria)
        yield [("produto", produto, "created")]
        connection.execute("UPDATE categoria SET nome_categoria = 'B' WHERE id = %s", [categoria])
        yield [("categoria", categoria, "updated"), ("produto", produto, "updated")]
        connection.execute("DELETE FROM categoria WHERE id = %s", [categoria])
        yield [("categoria", categoria, "deleted"), ("produto", produto, "deleted")]


def solicitacoes(connection: psycopg.Connection) -> Iterator[list[Told]]:
    while True:
        solicitacao = insert(connection, "solicitacao", servico_id=1, pessoa_id=1, produto_id=1)
        yield [("solicitacao", solicitacao, "created")]
        connection.execute("UPDATE solicitacao SET produto_id = 2 WHERE id = %s", [solicitacao])
        yield [("solicitacao", solicitacao, "updated")]
        connection.execute("DELETE FROM solicitacao WHERE id = %s", [solicitacao])
        yield [("solicitacao", solicitacao, "deleted")]


class Writer(threading.Thread):
    """Writes again and again until `ended`. A write that fails ends it."""

    def __init__(self, url: str, writes: Writes, migrated: threading.Event, ended: threading.Event) -> None:
        super().__init__(daemon=True)
        self._url, self._writes, self._migrated, self._ended = url, writes, migrated, ended
        self.done: list[list[Told]] = []
        self.later: list[list[Told]] = []
        """Those of `done` that began when the migration had ended."""
        self.failure: psycopg.Error | None = None

    def run(self) -> None:
        try:
            with connect(self._url) as connection:
                connection.autocommit = True
                writes = self._writes(connection)
                while not self._ended.is_set():
                    migrated = self._migrated.is_set()
                    events = next(writes)
                    self.done.append(events)
                    time.sleep(PAUSE_SECONDS)
                    if migrated:
                        self.later.append(events)
        except psycopg.Error as failure:
            self.failure = failure


def all_told(url: str) -> list[tuple[int, Told]]:
    with connect(url) as connection:
        while connection.execute("SELECT complete_at FROM number_changes()").fetchone() == (None,):
            pass
        rows = connection.execute("SELECT seq, kind, entity, op FROM change ORDER BY seq").fetchall()
    return [(seq, (kind, entity, op)) for seq, kind, entity, op in rows]


@pytest.mark.parametrize("writes", [catalogo, solicitacoes])
def test_the_feed_begins_while_others_write_and_a_transaction_is_open_and_all_later_writes_are_told(
    cluster: Cluster, writes: Writes
) -> None:
    service = writes.__name__
    [file] = (ROOT / service / "migrations").glob("*_feed.py")
    url = cluster.create_database(f"{service}_without_a_feed")
    with connect_to_migrate(url) as connection:
        command.upgrade(config(service, connection), f"{int(file.name[:4]) - 1:04d}")
    migrated, ended = threading.Event(), threading.Event()
    writers = [Writer(url, writes, migrated, ended) for _ in range(WRITERS)]

    def go_on() -> None:
        """Returns when each writer has written more."""
        before = [len(writer.done) for writer in writers]
        eventually(
            lambda: all(
                len(writer.done) >= n + MORE or writer.failure for writer, n in zip(writers, before, strict=True)
            ),
            lambda: f"each writer goes on: {[len(writer.done) for writer in writers]}, {before} before",
        )

    with connect(url) as long:
        next(writes(long))
        for writer in writers:
            writer.start()
        go_on()
        step = run(ROOT, "chassis.db.migrate", service, DATABASE_URL=url)
        guard = threading.Timer(3 * WAIT_SECONDS, step.kill)
        guard.start()
        assert step.stdout
        waited = step.stdout.readline()
        go_on()  # the transaction is still open, and the migration will try again
        long.commit()
    _, errors = step.communicate()
    guard.cancel()
    migrated.set()
    go_on()
    ended.set()
    for writer in writers:
        writer.join(WAIT_SECONDS)

    assert "a lock that the migration needs is held by process" in waited
    assert (step.returncode, errors) == (0, "")
    assert [writer.failure for writer in writers] == [None] * WRITERS
    numbered = all_told(url)
    assert [seq for seq, _ in numbered] == list(range(1, len(numbered) + 1))
    told = {event for _, event in numbered}
    assert len(told) == len(numbered)
    expected = set[Told]()
    for writer in writers:
        since = list(dropwhile(lambda events: told.isdisjoint(events), writer.done))
        assert len(writer.later) >= MORE - 1, "one may have been under way"
        assert since[-len(writer.later) :] == writer.later
        expected |= {event for events in since for event in events}
    assert told == expected, "from its first write that is told on, each writer's writes are told"
