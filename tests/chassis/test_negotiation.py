"""The weight of a media type in an Accept header, whatever a client writes there."""

import pytest

from chassis.web.negotiation import is_named, quality
from tests.applications import Gateway, Services
from tests.resources import PESSOAS

JSON, GRAPHQL_JSON, HTML = "application/json", "application/graphql-response+json", "text/html"


@pytest.mark.parametrize("weight", ["²", "x", ".", "-1", "1.2.3", "", "nan", "1e-1", "\u0660", '"x"'])
def test_a_weight_that_is_no_number_counts_as_one(weight: str) -> None:
    assert quality(f"application/json;q={weight}", "application/json") == 1


def test_the_most_specific_range_decides() -> None:
    accept = "text/html, application/json;q=0.4, application/*;q=0.6, */*;q=0.8"

    assert [quality(accept, one) for one in ("application/json", "application/xml", "image/png")] == [0.4, 0.6, 0.8]


@pytest.mark.parametrize(
    ("accept", "weight"),
    [
        ("application/json;q=0.123", 0.123),
        ("application/json ; Q=0.5", 0.5),
        ("APPLICATION/JSON;q=.5", 0.5),
        ('application/json;q="0.5"', 0.5),
        ("application/json;q=0", 0),
        ("application/json;q=0.000", 0),
        ("application/json;q=7", 1),
        ("*/*;q=0.9, application/json;q=0", 0),
        ("application/json;q=0, application/*;q=1, */*", 0),
        ("application/*;q=0, */*", 0),
        ("application/json;q=0.2, application/json;q=0.7", 0.7),
        # Our answers are UTF-8; a range with other parameters means another type.
        ("application/json;charset=utf-8;q=0.3, application/json;q=0.9", 0.3),
        ('application/json; charset="UTF-8"', 1),
        ("application/json;charset=utf-16", 0),
        ("application/json;charset=utf-16;q=0, application/json", 1),
        ("application/json;version=2;q=0, */*;q=0.4", 0.4),
        # Quoted strings may contain commas, semicolons and quotes.
        ('text/plain;a="x, application/json;q=1", */*;q=0.5', 0.5),
        ('text/plain;a="\\", application/json", */*;q=0.5', 0.5),
        ('text/plain;a="never closed, application/json', 0),
        # What is malformed does not count.
        ("json, application/json;q=0.5", 0.5),
        ("*/json, application/json;q=0.5", 0.5),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", 0.2),
        (",,application/json;q=0.5,, ,", 0.5),
        ("application/json;;q=0.5;", 0.5),
        ("application/json;broken;q=0.5", 0.5),
        ("application/json;q=0.5;level=1", 0.5),
        ("text/html", 0),
        ("text/*", 0),
        # Nothing is asked for.
        ("", 1),
        (" , ,", 1),
        ("json", 1),
        (";q=0", 1),
        (";", 1),
        ("application/json, ;", 1),
    ],
)
def test_an_accept_header_gives_json_this_weight(accept: str, weight: float) -> None:
    assert quality(accept, JSON) == weight


@pytest.mark.parametrize(
    ("accept", "named"),
    [
        ("application/json", True),
        ("Application/JSON;charset=utf-8;q=0.1", True),
        ("*/*", False),
        ("application/*", False),
        ("application/json;version=2", False),
        ('text/plain;a="application/json"', False),
        ("application/json5", False),
        ("", False),
    ],
)
def test_a_wildcard_names_nothing(accept: str, named: bool) -> None:
    assert is_named(accept, JSON) == named


async def test_an_empty_accept_asks_for_nothing_in_particular(services: Services) -> None:
    assert (await services.pessoas.get(PESSOAS.path, headers={"Accept": ""})).status_code == 200


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (("text/html", "application/json"), 200),
        (("application/json", "text/html"), 200),
        (("*/*", "application/json;q=0"), 406),
        (("application/json;q=0", "*/*"), 406),
        (("", ""), 200),
        (("text/html", "text/plain"), 406),
    ],
)
async def test_several_lines_of_accept_are_one_list(services: Services, lines: tuple[str, ...], status: int) -> None:
    answer = await services.pessoas.get(PESSOAS.path, headers=[("Accept", line) for line in lines])

    assert answer.status_code == status


async def test_metrics_read_several_lines_of_accept_too(services: Services) -> None:
    lines = [("Accept", "text/html"), ("Accept", "application/openmetrics-text;version=1.0.0")]

    answer = await services.pessoas.get("/metrics", headers=lines)

    assert answer.headers["content-type"].startswith("application/openmetrics-text")


@pytest.mark.parametrize(
    ("lines", "answered"),
    [
        (("application/json", GRAPHQL_JSON), GRAPHQL_JSON),
        ((GRAPHQL_JSON, "application/json;q=0.9"), GRAPHQL_JSON),
        (("application/json", f"{GRAPHQL_JSON};q=0.9"), JSON),
        (("*/*, application/json;q=0",), GRAPHQL_JSON),
        (("*/*", f"{GRAPHQL_JSON};q=0"), JSON),
        ((f"text/plain;a={GRAPHQL_JSON}", "*/*"), JSON),
        ((f'text/plain;a="{GRAPHQL_JSON}"', "*/*"), JSON),
        ((f"{GRAPHQL_JSON};charset=utf-16", "*/*"), JSON),
        ((f"{GRAPHQL_JSON};charset=UTF-8", "*/*"), GRAPHQL_JSON),
        (("application/*",), JSON),
        (("",), JSON),
        (("text/html", ""), None),
        (("*/*;q=0",), None),
        (("application/*;q=0, */*",), None),
    ],
)
async def test_the_gateway_answers_in_what_is_wanted_most(
    gateway: Gateway, lines: tuple[str, ...], answered: str | None
) -> None:
    headers = [("Accept", line) for line in lines]

    answer = await gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)

    assert answer.status_code == (200 if answered else 406)
    assert answer.headers["content-type"] == f"{answered or JSON}; charset=utf-8"


@pytest.mark.parametrize(
    ("lines", "page"),
    [
        (("text/html,application/xhtml+xml,*/*;q=0.8",), True),
        (("application/xhtml+xml", "text/html"), True),
        (("text/*",), True),
        (("TEXT/HTML",), True),
        (("text/html, application/json",), True),
        (("text/html;q=0.5, application/json;q=0.9",), False),
        (("text/html;q=0, */*",), False),
        (("text/html;q=0",), False),
        (('application/json;a="text/html"', "*/*"), False),
        (("text/html-not",), False),
        (("*/*",), False),
        (("",), False),
    ],
)
async def test_graphiql_is_for_who_wants_html_most(gateway: Gateway, lines: tuple[str, ...], page: bool) -> None:
    answer = await gateway.client.get("/graphql", headers=[("Accept", line) for line in lines])

    assert answer.headers["content-type"].startswith("text/html") == page


async def test_what_may_stand_once_only_means_nothing_on_two_lines(services: Services, gateway: Gateway) -> None:
    body = b'{"nome_pessoa": "Ana"}'
    typed = [("Content-Type", JSON)]
    for twice, status in (
        ([("Content-Type", JSON), ("Content-Type", "text/plain")], 415),
        ([*typed, ("Content-Encoding", "identity"), ("Content-Encoding", "gzip")], 415),
        ([*typed, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")], 400),
        ([*typed, ("X-Timeout-Ms", "800"), ("X-Timeout-Ms", "900")], 400),
        ([*typed, ("Origin", "http://pessoas.test"), ("Origin", "https://evil.test")], 403),
    ):
        answer = await services.pessoas.post(PESSOAS.path, content=body, headers=twice)
        asked = await gateway.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=twice)
        assert (answer.status_code, asked.status_code) == (status, status), twice
    assert (await services.pessoas.get(PESSOAS.path)).json() == []
