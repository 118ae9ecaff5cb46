"""A minute of `make check-cache`, and whether the checker would notice that something is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.cache_checker.history import History, Name, Read
from tests.cache_checker.run import run
from tests.cache_checker.stage import BUGS, CheckedStage

ROW = ("pessoa", 7)


@pytest.mark.parametrize(
    ("value", "began", "more", "verdict"),
    [
        ("b", 13.5, {}, ""),
        ("c", 12.5, {}, ""),
        ("b", 12.5, {}, ""),
        ("a", 12.0, {}, "is too old"),
        ("a", 11.5, {}, ""),
        ("c", 9.5, {}, "was not yet written"),
        ("x", 12.0, {}, "never was"),
        (None, 12.0, {}, "never was"),
        ("a", 11.5, {"at_least": 1}, "is from before the client's own write"),
        ("b", 11.5, {"at_least": 1}, ""),
        ("a", 30.0, {"stale": True}, ""),
        ("x", 30.0, {"stale": True}, "never was"),
        ("a", 11.5, {"direct": True}, "is too old"),
        ("b", 14.1, {}, "is too old"),
    ],
)
def test_a_read_is_right_if_a_write_explains_it(value: Name, began: float, more: dict[str, Any], verdict: str) -> None:
    history = History(bound=1.0)
    history.begin(ROW, "a")
    history.write(ROW, "b", 10.0).ended = 11.0
    history.write(ROW, "c", 12.0).ended = 13.0

    history.reads.append(Read(ROW, value, began, began + 0.2, "near", **more))

    found = history.judge()
    assert [line.split(", which ")[1].split(":")[0] for line in found] == ([verdict] if verdict else [])


def test_a_read_is_judged_only_when_the_writes_of_its_time_are_known() -> None:
    history = History(bound=1.0)
    history.reads.append(Read(ROW, "new", 10.0, 10.5, "near"))

    early = history.judge(until=10.2)
    history.write(ROW, "new", 10.1)

    assert (early, history.judge(until=11.0), history.judged) == ([], [], 1)


@pytest_asyncio.fixture(scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CheckedStage]:
    found = CheckedStage(tmp_path_factory.mktemp("checker"))
    async with found.running():
        yield found


@pytest.mark.system
@pytest.mark.parametrize("workers", [1, 2])
async def test_nothing_is_wrong_under_faults(stage: CheckedStage, workers: int) -> None:
    outcome = await run(stage, 30, workers=workers, bug="", seed=workers)

    assert outcome.found == [], outcome.line


@pytest.mark.system
@pytest.mark.parametrize("bug", BUGS)
async def test_a_fault_that_is_built_in_is_found_within_a_minute(stage: CheckedStage, bug: str) -> None:
    outcome = await run(stage, 60, workers=1, bug=bug, seed=1)

    assert outcome.found, outcome.line
