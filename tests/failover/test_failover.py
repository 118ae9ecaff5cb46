"""A short part of `make ha-test`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.failover.nodes import MISSING, PATIENCE
from tests.failover.run import KILLED, run


@pytest.mark.system
@pytest.mark.skipif(bool(MISSING), reason=MISSING or "all is there")
async def test_nothing_is_lost_or_done_twice_when_another_postgresql_becomes_the_primary(tmp_path: Path) -> None:
    patient = replace(KILLED, most_away=PATIENCE)  # a busy machine causes no failure

    result = await run(patient, tmp_path, rate=10, slack=PATIENCE, margin=5)

    assert result.broken == []
    assert min(result.found.acknowledged, result.found.told, result.found.events, result.read) > 0
