"""Demo data: the same every time, plausible, skewed, and only into empty databases."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import psycopg
import pytest

from chassis.db.migrate import upgrade
from chassis.text import NAME_MAX, fold
from deploy.demo import Table, load, read_size, tables
from deploy.postgres import Cluster
from deploy.topology import SERVICES


@pytest.fixture
def urls(cluster: Cluster) -> dict[str, str]:
    """Four migrated, empty databases."""
    found = {service.name: cluster.create_database(service.name) for service in SERVICES}
    for service, url in found.items():
        upgrade(service, url)
    return found


def column(name: str, table: str) -> list[Any]:
    [found] = [candidate for candidate in tables() if candidate.name == table]
    rows = list(found.rows)
    assert len(rows) == found.count
    return [row[found.columns.index(name)] for row in rows]


def count(url: str, table: Table) -> int:
    with psycopg.connect(url) as connection:
        return len(connection.execute(f"SELECT id FROM {table.name}").fetchall())


def test_it_is_the_same_every_time_and_as_much_as_promised() -> None:
    assert [list(table.rows) for table in tables()] == [list(table.rows) for table in tables()]
    assert {table.name: len(list(table.rows)) for table in tables()} == {
        "categoria": 20,
        "produto": 200,
        "pessoa": 500,
        "servico": 50,
        "solicitacao": 5000,
    }


@pytest.mark.parametrize("table", ["categoria", "produto", "pessoa", "servico"])
def test_names_are_unique_and_stored_with_their_folded_form(table: str) -> None:
    names = column(f"nome_{table}", table)
    assert len(set(names)) == len(names)
    assert all(0 < len(name) <= NAME_MAX for name in names)
    assert column("nome_busca", table) == [fold(name) for name in names]
    assert any(not name.isascii() for name in names)


def test_dates_rise_with_the_ids_through_the_year_2025() -> None:
    assert column("id", "solicitacao") == list(range(1, 5001))
    dates = column("data_solicitacao", "solicitacao")
    assert all(earlier < later for earlier, later in pairwise(dates))
    assert dates[0] >= datetime(2025, 1, 1, tzinfo=UTC)
    assert dates[-1] < datetime(2026, 1, 1, tzinfo=UTC)
    assert {date.month for date in dates} == set(range(1, 13))


def test_references_exist_and_a_few_pessoas_ask_most_while_some_never_do() -> None:
    assert set(column("produto_id", "solicitacao")) == set(column("id", "produto"))
    assert set(column("servico_id", "solicitacao")) == set(column("id", "servico"))
    assert set(column("categoria_id", "produto")) == set(column("id", "categoria"))
    asked = Counter(column("pessoa_id", "solicitacao"))
    assert set(asked) < set(column("id", "pessoa"))
    assert sum(times for _, times in asked.most_common(10)) > 5000 / 3


def test_it_fills_empty_databases_once_and_new_rows_get_the_next_id(urls: dict[str, str]) -> None:
    assert load(urls) == 5770
    assert load(urls) == 0
    for table in tables():
        assert count(urls[table.service], table) == table.count
    with psycopg.connect(urls["pessoas"]) as connection:
        inserted = connection.execute("INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES ('Zé', 'ze') RETURNING id")
        assert inserted.fetchone() == (501,)


def test_a_larger_size_has_more_pessoas_and_solicitacoes_and_every_reference_exists() -> None:
    found = {table.name: list(table.rows) for table in tables(40_000)}
    assert {name: len(rows) for name, rows in found.items()} == {
        "categoria": 20,
        "produto": 200,
        "pessoa": 4000,
        "servico": 50,
        "solicitacao": 40_000,
    }
    assert len({row[1] for row in found["pessoa"]}) == 4000
    assert {row[2] for row in found["solicitacao"]} <= {row[0] for row in found["pessoa"]}


@pytest.mark.parametrize("size", ["", "0", "999", "1000001", "5e3", "-5000", "٥٠٠٠", "9" * 5000])
def test_a_size_that_is_none_is_refused_by_name(size: str) -> None:
    with pytest.raises(ValueError, match=r"^DEMO_SIZE must be a whole number from 1000 to 1000000"):
        read_size(size)


def test_it_leaves_everything_alone_when_one_database_has_data(urls: dict[str, str]) -> None:
    with psycopg.connect(urls["servicos"]) as connection:
        connection.execute("INSERT INTO servico (nome_servico, nome_busca) VALUES ('Meu', 'meu')")
    assert load(urls) == 0
    assert [count(urls[table.service], table) for table in tables()] == [0, 0, 0, 1, 0]
