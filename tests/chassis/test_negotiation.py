"""The weight of a media type in an Accept header, whatever a client writes there."""

import pytest

from chassis.negotiation import quality
from tests.applications import Services
from tests.resources import PESSOAS


@pytest.mark.parametrize("weight", ["²", "x", ".", "-1", "1.2.3", ""])
def test_a_weight_that_is_no_number_counts_as_one(weight: str) -> None:
    assert quality(f"application/json;q={weight}", "application/json") == 1


def test_the_most_specific_range_decides() -> None:
    accept = "text/html, application/json;q=0.4, application/*;q=0.6, */*;q=0.8"

    assert [quality(accept, one) for one in ("application/json", "application/xml", "image/png")] == [0.4, 0.6, 0.8]


async def test_an_empty_accept_asks_for_nothing_in_particular(services: Services) -> None:
    assert (await services.pessoas.get(PESSOAS.path, headers={"Accept": ""})).status_code == 200
