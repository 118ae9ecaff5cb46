"""A short part of `make faults`: no write is lost or done twice, and every failure is one that is promised."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.faults import scenarios
from tests.faults.journal import PESSOA
from tests.faults.load import PATIENCE
from tests.faults.run import run
from tests.faults.stage import Stage
from tests.faults.verdict import Answer, Fault, graphql

RATE = 20
PATIENT = {"NEIGHBOUR_TIMEOUT": 5, "OPERATION_TIMEOUT": 12, "DATABASE_TIMEOUT": 5}
"""On a busy machine a write may take long. A client waits no longer than 15 s for its answer."""
SHORT = (
    "kill -9 of all four services",
    "gateway killed mid-mutation",
    "kill -9 of PostgreSQL",
    "database connections terminated, 4 times a second",
    "first answer to every write lost after the commit",
    "pessoas answers garbage",
    "10 % of connections refused",
    "followers' connections cut, 10 times a second",
    "clients of live queries do not read",
    "connections of live queries cut, 150 times",
)


@pytest_asyncio.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The whole system with its demo data, and a gateway behind proxies."""
    found = Stage(tmp_path_factory.mktemp("faults"), **PATIENT)
    async with found.running():
        yield found


@pytest.mark.system
@pytest.mark.parametrize("name", SHORT)
async def test_nothing_is_lost_or_done_twice(name: str, stage: Stage) -> None:
    [scenario] = [one for one in (*scenarios.everywhere(), scenarios.live_cut(150)) if one.name == name]

    result = await run(stage, scenario, rate=RATE, slack=PATIENCE)  # so long that a busy machine causes no failure

    assert result.acknowledged > 0
    assert result.broken_promises == []


@pytest.mark.system
async def test_a_write_that_is_lost_and_one_that_is_done_twice_are_seen(stage: Stage) -> None:
    await run(stage, scenarios.NOTHING, rate=RATE, slack=PATIENCE)
    [id, *_] = stage.journal.known(PESSOA)
    async with await stage.connect("pessoas") as connection:
        select = "SELECT nome_pessoa FROM pessoa WHERE id = %s"
        [(name,)] = await (await connection.execute(select, [id])).fetchall()

        await connection.execute("UPDATE pessoa SET nome_pessoa = 'Outra' WHERE id = %s", [id])
        lost, _ = stage.lost_and_doubled()
        await connection.execute("UPDATE pessoa SET nome_pessoa = %s WHERE id = %s", [name, id])
        insert = "INSERT INTO pessoa (nome_pessoa, nome_busca) VALUES (%s, '') RETURNING id"
        [(more,)] = await (await connection.execute(insert, [name])).fetchall()
        _, doubled = stage.lost_and_doubled()
        await connection.execute("DELETE FROM pessoa WHERE id = %s", [more])

    assert len(lost) == len(doubled) == 1
    assert stage.lost_and_doubled() == ([], [])


FAILED = {"message": "", "path": ["pessoa"], "extensions": {"code": "UNAVAILABLE", "service": "pessoas"}}


@pytest.mark.parametrize(
    ("answer", "hurt", "good"),
    [
        ({"data": {"pessoa": None, "servico": 1}, "errors": [FAILED]}, "pessoas", True),
        ({"data": {"pessoa": None, "servico": 1}, "errors": [FAILED]}, "servicos", False),
        ({"data": {"pessoa": None, "servico": 1}}, "pessoas", False),
        ({"data": {"pessoa": 1, "servico": None}, "errors": [FAILED]}, "pessoas", False),
        ({"data": {"pessoa": 1, "servico": 2}}, "pessoas", False),
    ],
    ids=["as promised", "a healthy service is blamed", "silence", "error elsewhere", "another value"],
)
def test_only_the_failures_that_are_promised_are_excused(answer: Any, hurt: str, good: bool) -> None:
    judge = graphql({"pessoa": 1, "servico": 1})

    verdict = judge(Answer(200, json.dumps(answer).encode()), Fault(frozenset({hurt})))

    assert (verdict.wrong == []) is good
