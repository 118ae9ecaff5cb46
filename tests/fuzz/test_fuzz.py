"""Schemathesis sends a few hundred good and bad requests to each service, with all checks. `make fuzz-rest` runs
longer."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from deploy import topology
from tests.fuzz import campaign
from tests.system import PATIENT_VARIABLES, System, free_offset

pytestmark = pytest.mark.system

SEED, EXAMPLES = 1, 10
CASES, GOOD_ANSWERS = 300, 5
"""The lowest number of good answers of each service, and of each operation; an operation that is always refused has not
been tested."""


@pytest.fixture(scope="module")
def offset(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The PORT_OFFSET of a running system with long time-outs, so that a busy machine does not disturb it."""
    system = System(tmp_path_factory.mktemp("fuzz"), free_offset(), demo=1, **PATIENT_VARIABLES)
    try:
        system.says("open GraphiQL")
        yield system.offset
    finally:
        system.stop(signal.SIGTERM)


@pytest.mark.parametrize("service", [one.name for one in topology.SERVICES])
def test_a_service_answers_good_and_bad_requests_as_its_document_says(service: str, offset: int) -> None:
    verdict = campaign.run(service, offset, seed=SEED, examples=EXAMPLES)

    assert verdict.passed, verdict.said
    assert verdict.cases >= CASES
    assert min(answers.get("2xx", 0) for answers in verdict.counts.values()) >= GOOD_ANSWERS, verdict.counts
