"""A short part of `make scale-test`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.load import PATIENCE, Record
from tests.faults.verdict import Verdict
from tests.scale import scenarios, stage
from tests.scale.run import Course, Scenario, run, unexcused
from tests.scale.stage import ADDRESSES, ManyOfEach
from tests.store import with_a_store

RATE = 20


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManyOfEach]:
    with stage.running(tmp_path_factory.mktemp("scale")) as running:
        yield running


@pytest.mark.system
@with_a_store
@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.killed("killed", lambda system: [system.gateways[0], system.services[2]]),
        scenarios.frozen("frozen", lambda system: [system.services[3]], 3),
        scenarios.rolled(lambda system: [system.gateways[1], system.services[4]]),
        scenarios.GREEDY,
    ],
    ids=["killed", "frozen", "restarted", "one caller asks too much"],
)
async def test_nobody_notices_what_happens_to_one_of_many(system: ManyOfEach, scenario: Scenario) -> None:
    result = await run(system, scenario, rate=RATE, callers=ADDRESSES, slack=PATIENCE)

    assert result.reads > 0
    assert result.acknowledged > 0
    assert result.told > 0
    assert result.wrong == []


@pytest.mark.parametrize(
    ("status", "sent", "ended", "excused"),
    [
        (503, 9.8, 10.9, True),
        (502, 9.8, 10.1, True),
        (502, 10.01, 10.06, True),
        (503, 9.8, 11.1, False),
        (504, 9.8, 10.5, False),
        (200, 9.8, 10.5, False),
        (503, 9.8, 9.9, False),
        (502, 10.1, 10.2, False),
    ],
    ids=[
        "refused",
        "refused by the edge",
        "sent while it ended",
        "too late",
        "another status",
        "a null field",
        "before the kill",
        "after it",
    ],
)
def test_only_a_quick_refusal_of_what_was_under_way_in_a_killed_process_is_excused(
    status: int, sent: float, ended: float, excused: bool
) -> None:
    course = Course(None, lambda: 0, kills=[(10.0, 10.05)])  # pyright: ignore[reportArgumentType]
    read = Record(sent, "/graphql", True, ended=ended, status=status, verdict=Verdict(unavailable=True))

    assert (unexcused(read, course) == "") is excused
