"""How long changes are kept, what the metrics say of them, and what the feed asks of PostgreSQL."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

import httpx2
import psycopg
import pytest
import pytest_asyncio

from chassis.db.database import Database
from chassis.errors import Refusal
from chassis.feed.feed import Feed
from chassis.feed.log import ChangeLog
from chassis.feed.metrics import FOLLOWERS, TRIMMED, UNNUMBERED
from chassis.settings import DatabaseSettings
from deploy.local import ROOT
from tests import builders
from tests.applications import Services, database_settings
from tests.chassis.peers import ServedApplication, until
from tests.deploy.processes import WAIT_SECONDS
from tests.feed.conftest import connect
from tests.feed.test_changes import CHANGES, INSERT, changes, position
from tests.feed.test_waiting import follower
from tests.scraped import scrape

HOUR = 3600.0


@pytest.fixture
def settings(application_urls: dict[str, str]) -> DatabaseSettings:
    return database_settings(application_urls["pessoas"])


@pytest_asyncio.fixture
async def kept(services: Services, settings: DatabaseSettings) -> AsyncIterator[ChangeLog]:
    """The changes of pessoas, of which none is kept from before."""
    database = Database(settings)
    await database.open()
    log = ChangeLog(database)
    await log.number()
    await database.fetch("UPDATE feed_head SET trimmed = last", ())
    yield log
    await database.close()


async def test_what_is_too_old_or_too_much_is_trimmed_and_who_is_behind_it_is_told(
    services: Services, kept: ChangeLog, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    for _ in range(4):
        await builders.pessoa(services)
    await changes(services.pessoas, before)

    nothing = await kept.trim(4, HOUR)
    too_many = await kept.trim(3, HOUR)
    with connect(database_urls["pessoas"]) as connection:
        connection.execute("UPDATE change SET at = at - interval '2 hours' WHERE seq <= %s", [before + 2])
    too_old = await kept.trim(3, HOUR)

    assert (nothing, too_many, too_old) == ([], [before + 1], [before + 2])
    assert (await services.pessoas.get(CHANGES, params={"after": before + 1})).status_code == 410
    assert [item["seq"] for item in await changes(services.pessoas, before + 2)] == [before + 3, before + 4]


async def test_an_old_change_that_was_committed_late_is_not_trimmed_before_those_in_front_of_it(
    services: Services, kept: ChangeLog, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    await builders.pessoa(services)
    assert len(await changes(services.pessoas, before)) == 1, "it has a number now"
    with connect(database_urls["pessoas"]) as connection:
        connection.execute(INSERT)
        connection.execute("UPDATE change SET at = at - interval '2 hours' WHERE seq IS NULL")
    await changes(services.pessoas, before)

    assert await kept.trim(1000, HOUR) == []
    assert len(await changes(services.pessoas, before)) == 2


async def test_the_metrics_say_who_follows_and_how_far_the_feed_is(
    services: Services, served: ServedApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.feed.feed.LINGER_SECONDS", WAIT_SECONDS)
    before = await position(services.pessoas)
    for n in range(2):  # the first may be there before this process looks for the first time
        told_at_once = await follower(served, before + n)
        await builders.pessoa(services)
        await told_at_once.answer()
    waiting = await follower(served, before + 2)

    async with asyncio.timeout(WAIT_SECONDS):
        # Every service of this test process sets it now and then; the one that has a follower does so all the time.
        while (found := await scrape(services.pessoas)).value("feed_last") != before + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    waiting.hang_up()
    await until(lambda: FOLLOWERS.value == 0, "who has left is not counted")

    assert found.value("feed_followers") == 1
    assert found.value("feed_lag_seconds_count") >= 1


async def test_changes_that_cannot_be_numbered_are_counted_and_so_are_those_that_are_trimmed_later(
    kept: ChangeLog, settings: DatabaseSettings, database_urls: dict[str, str]
) -> None:
    insert = "INSERT INTO pessoa (nome_pessoa, nome_busca) SELECT 'A', 'a' FROM generate_series(1, 2500)"
    settings = settings.model_copy(update={"changes_kept": 1000, "database_timeout": 4})
    database, trimmed = Database(settings), TRIMMED.value
    await database.open()
    await ChangeLog(database).number()  # it has a connection
    feed = Feed(database, settings)
    with connect(database_urls["pessoas"]) as holder:
        holder.execute("SELECT FROM feed_head FOR UPDATE")
        with connect(database_urls["pessoas"]) as connection:
            connection.execute(insert)
        with pytest.raises(Refusal):
            await feed.keep_house()
    unnumbered = UNNUMBERED.value

    await feed.keep_house()
    await database.close()

    assert (unnumbered, UNNUMBERED.value, TRIMMED.value - trimmed) == (2500, 0, 1500)


class PooledDatabase(Database):
    """A database behind a pooler in transaction mode: each statement may run on another connection, and nothing that a
    statement sets for its session is there for the next one."""

    url: str

    async def fetch(self, sql: str, values: Sequence[Any], row: Any = None) -> list[Any]:
        async with await psycopg.AsyncConnection.connect(
            self.url, autocommit=True, prepare_threshold=None
        ) as connection:
            cursor = await connection.execute(sql.encode(), values)
            return await cursor.fetchall()


async def test_the_feed_needs_nothing_that_a_pooler_or_a_managed_server_forbids(
    services: Services, settings: DatabaseSettings, database_urls: dict[str, str]
) -> None:
    before = await position(services.pessoas)
    row = await builders.pessoa(services)
    database = PooledDatabase(settings)
    database.url = database_urls["pessoas"]
    feed = Feed(database, settings)

    async with feed.keep_looking():
        _, items = await feed.after(before, None, 10)
    with connect(database.url) as connection:
        rights = connection.execute(
            "SELECT rolsuper OR rolreplication OR rolcreaterole OR rolbypassrls FROM pg_roles"
            " WHERE rolname = current_user"
        ).fetchone()
        slots = connection.execute("SELECT count(*) FROM pg_replication_slots").fetchone()
        extensions = connection.execute("SELECT extname FROM pg_extension").fetchall()

    assert [(item.id, item.op) for item in items] == [(row["id"], "created")]
    assert (rights, slots) == ((False,), (0,))
    assert {name for (name,) in extensions} <= {"plpgsql", "pg_trgm"}


# -- the follower in docs/extending.md -------------------------------------------------------------------------------


class StopFollowing(Exception):
    """Raised by the work of a follower, as if its process had been killed."""


async def test_the_follower_of_the_documents_goes_on_where_it_was_and_begins_anew_when_it_must(
    services: Services, served: ServedApplication, database_urls: dict[str, str]
) -> None:
    page = (ROOT / "docs" / "extending.md").read_text()
    [code] = re.findall(r"^```python\n(import httpx2\n.*?)^```$", page, re.M | re.S)
    names: dict[str, Any] = {}
    exec(compile(code, "docs/extending.md", "exec"), names)
    seen: list[int] = []
    kept: list[dict[str, Any] | None] = [None]
    starts: list[int] = []

    def insert() -> int:
        with connect(database_urls["pessoas"]) as connection:
            row = connection.execute(INSERT).fetchone()
        assert row
        return row[0]

    def work(change: dict[str, Any]) -> None:
        seen.append(change["id"])
        if len(seen) in stops:
            raise StopFollowing

    def start_anew() -> None:
        starts.append(len(seen))
        ids.append(insert())  # what is written meanwhile is told

    def follow() -> None:
        with (
            httpx2.Client(base_url=f"http://127.0.0.1:{served.port}") as client,
            pytest.raises(StopFollowing),
        ):
            names["follow"](client, kept[0], work, kept_position, start_anew)

    def kept_position(position: dict[str, Any]) -> None:
        kept[0] = position
        ids.append(insert())

    ids: list[int] = []
    stops = {3}
    await asyncio.to_thread(follow)
    assert seen == ids[:3]
    stops = {5}
    await asyncio.to_thread(follow)
    assert seen == [*ids[:3], ids[2], ids[3]], "it works again on what it had not kept"
    with connect(database_urls["pessoas"]) as connection:
        connection.execute("UPDATE feed_head SET epoch = DEFAULT")
    stops = {6}
    await asyncio.to_thread(follow)
    assert len(starts) == 2
