"""Every example of the playground, run against the whole system just as a visitor would run it."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.deploy.processes import WAIT_SECONDS

EXAMPLES = Path(__file__).parents[2] / "gateway/playground/examples"
ANSWERED = [
    one for one in sorted(EXAMPLES.glob("*.graphql")) if "\nsubscription " not in one.read_text(encoding="utf-8")
]
"""All but the subscription, which test_playground.py runs."""


def run(gateway_url: str, example: Path, **changes: object) -> dict[str, Any]:
    """The example's data; its own variables come from the JSON beside it, and the changes go over them."""
    beside = example.with_suffix(".json")
    variables: dict[str, object] = json.loads(beside.read_text(encoding="utf-8")) if beside.exists() else {}
    request = {"query": example.read_text(encoding="utf-8"), "variables": variables | changes}
    answer = httpx2.post(f"{gateway_url}/graphql", json=request, timeout=WAIT_SECONDS)
    body = answer.json()
    assert (answer.status_code, body.get("errors")) == (200, None)
    return body["data"]


@pytest.mark.parametrize("example", ANSWERED, ids=lambda example: example.stem)
def test_every_example_runs_and_has_something_to_show(gateway_url: str, example: Path) -> None:
    for shown in run(gateway_url, example).values():
        assert shown is not None
        assert not shown.get("errors")
        assert shown.get("edges") != []


def test_the_paging_example_turns_the_page_as_its_comment_says(gateway_url: str) -> None:
    example = EXAMPLES / "5-produtos-por-pagina.graphql"
    first = run(gateway_url, example)["produtos"]

    second = run(gateway_url, example, depois=first["pageInfo"]["endCursor"])["produtos"]

    shown = [edge["node"]["id"] for page in (first, second) for edge in page["edges"]]
    assert len(shown) == len(set(shown)) > len(first["edges"])
