"""What `make faults` finds in what a follower was told."""

from __future__ import annotations

import pytest

from tests.faults.followers import Change, differences

KEPT: list[Change] = [(1, "pessoa", 1, "created"), (2, "pessoa", 1, "updated"), (3, "pessoa", 1, "deleted")]


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([1, 2], []),
        ([2], ["lost (2,"]),
        ([1, 1, 2], ["twice or never made: (2,"]),
        ([2, 1], ["in another order"]),
    ],
    ids=["all of them", "one is lost", "one comes twice", "another order"],
)
def test_a_change_that_is_lost_or_told_twice_or_too_early_is_seen(told: list[int], found: list[str]) -> None:
    wrong = differences("pessoas", [KEPT[n] for n in told], KEPT[1:])

    assert len(wrong) == len(found)
    assert all(expected in line for expected, line in zip(found, wrong, strict=True))
