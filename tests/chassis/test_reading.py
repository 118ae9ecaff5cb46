"""Strict reading of ordinary endpoints: by FastAPI's own route, and by the one of our collections, with the same
answers."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from urllib.parse import quote

import httpx2
import pytest
import pytest_asyncio
from fastapi import APIRouter, Body, Cookie, Depends, Header, HTTPException, Query
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlmodel import func, select
from starlette.requests import Request

import pessoas.routes
from chassis import service
from chassis.errors import Conflict
from chassis.rest.routes import repository
from chassis.web.reading import FastRoute
from tests.applications import Services, database_settings
from tests.issuer import Issuer, bearer

PATH = "/api/pessoas/lidas/"
READERS = ("FastAPI", "fast")
each_reader = pytest.mark.parametrize("reader", READERS)
JSON = {"Content-Type": "application/json"}


class Size(Enum):
    SMALL = "small"
    LARGE = "large"


class Asked(BaseModel):
    page_size: Annotated[int, Field(ge=1, le=50)] = 10
    ratio: float = 1
    price: Decimal | None = None
    count: bool = False
    since: datetime | None = None
    day: date | None = None
    size: Size = Size.SMALL
    order: Literal["id", "-id"] = "id"
    tags: list[int] = []
    name: Annotated[str, Field(max_length=5)] = ""


class Told(BaseModel):
    if_match: str | None = Field(None, alias="If-Match")
    limit: int = Field(3, alias="X-Limit")


class Item(BaseModel):
    n: int
    day: date


class New(BaseModel):
    n: Annotated[int, Field(ge=0)]
    ok: bool = False
    name: Annotated[str, Field(min_length=1)] = "x"
    items: Annotated[list[Item], Field(max_length=2)] = []


async def depth(x_depth: Annotated[int, Header()] = 0) -> int:
    return x_depth


Depth = Annotated[int, Depends(depth)]


async def listed(id: int, asked: Annotated[Asked, Query()], told: Annotated[Told, Header()], depth: Depth) -> Any:
    return JSONResponse([id, asked.model_dump(mode="json"), told.model_dump(), depth])


async def listed_without_a_model(
    request: Request, page_size: int = 10, tags: Annotated[list[int] | None, Query()] = None
) -> Any:
    return JSONResponse([page_size, tags, request.method])


async def created(id: int, new: New, depth: Depth) -> Any:
    return JSONResponse([id, new.model_dump(mode="json"), depth])


router = APIRouter()
router.get(PATH + "FastAPI/{id}/")(listed)
router.get(PATH + "FastAPI/")(listed_without_a_model)
router.post(PATH + "FastAPI/{id}/")(created)
Pessoas = Annotated[pessoas.routes.PessoaRepository, Depends(repository(pessoas.routes.PessoaRepository))]


@router.get(PATH + "lenta")
async def slow(pessoas: Pessoas, session: Annotated[int, Cookie()] = 0) -> list[str]:
    """Takes longer than anybody waits."""
    await pessoas.ask(select(func.pg_sleep(60)))
    return []


@router.post(PATH + "recusada/")
async def refused(first: Annotated[New, Body()], second: Annotated[Item, Body()], status: int = 0) -> New:
    """Is refused by its own code."""
    if status:
        raise HTTPException(status, "de outro modo", headers={"Retry-After": "7"})
    raise Conflict(f"{first.n} e {second.n} não se combinam")


def application(url: str, **settings: Any) -> Any:
    found = database_settings(url, **settings)
    app = service.build("pessoas", "…", found, (pessoas.routes.pessoas,), routers=(router,))
    for method, path, endpoint in (
        ("GET", "fast/{id}/", listed),
        ("GET", "fast/", listed_without_a_model),
        ("POST", "fast/{id}/", created),
    ):
        app.router.add_api_route(PATH + path, endpoint, methods=[method], route_class_override=FastRoute)
        app.router.routes.insert(0, app.router.routes.pop())  # before the members of the collection
    return app


@pytest_asyncio.fixture(scope="module")
async def client(database_urls: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    app = application(database_urls["pessoas"])
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test") as client,
    ):
        yield client


def faults(answer: httpx2.Response) -> list[tuple[str, str]]:
    assert answer.headers["content-type"] == "application/problem+json"
    return [(error["field"], error["code"]) for error in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("page_size=1&page_size=2", [("page_size", "REPEATED_PARAMETER")]),
        ("page_size=%201", [("page_size", "NOT_AN_INTEGER")]),
        ("page_size=1_0", [("page_size", "NOT_AN_INTEGER")]),
        ("page_size=%2B5", [("page_size", "NOT_AN_INTEGER")]),
        ("page_size=5.0", [("page_size", "NOT_AN_INTEGER")]),
        ("page_size=", [("page_size", "NOT_AN_INTEGER")]),
        ("page_size=" + quote("٣"), [("page_size", "NOT_AN_INTEGER")]),
        ("tags=1&tags=+2", [("tags", "NOT_AN_INTEGER")]),
        ("tags=1&tags=", [("tags", "NOT_AN_INTEGER")]),
        ("pagesize=5", [("pagesize", "UNKNOWN_PARAMETER")]),
        ("%ff=5", [("?", "UNKNOWN_PARAMETER")]),
    ],
)
@each_reader
async def test_what_fastapi_would_take_is_refused_by_name(
    client: httpx2.AsyncClient, reader: str, query: str, expected: list[tuple[str, str]]
) -> None:
    for path in (f"{PATH}{reader}/", f"{PATH}{reader}/5/"):
        answer = await client.get(f"{path}?{query}")

        assert answer.status_code == 422
        assert faults(answer) == expected


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ("count=yes", "count", "NOT_A_BOOLEAN"),
        ("count=1", "count", "NOT_A_BOOLEAN"),
        ("ratio=1_0", "ratio", "INVALID"),
        ("ratio=nan", "ratio", "INVALID"),
        ("price=1_0", "price", "INVALID"),
        ("since=1700000000", "since", "NOT_A_DATETIME"),
        ("since=2026-01-31T12:00:00", "since", "NOT_A_DATETIME"),
        ("day=1700000000", "day", "NOT_A_DATE"),
        ("size=LARGE", "size", "INVALID_CHOICE"),
        ("name=%ff", "name", "INVALID_CHARACTER"),
        ("name=%00", "name", "INVALID_CHARACTER"),
    ],
)
@each_reader
async def test_other_kinds_have_one_spelling_too(
    client: httpx2.AsyncClient, reader: str, query: str, field: str, code: str
) -> None:
    answer = await client.get(f"{PATH}{reader}/5/?{query}")

    assert answer.status_code == 422
    assert faults(answer) == [(field, code)]


@each_reader
async def test_everything_wrong_with_the_parameters_is_named_at_once_in_order(
    client: httpx2.AsyncClient, reader: str
) -> None:
    headers = [("X-Limit", "1"), ("X-Limit", "2"), ("X-Depth", "1_0")]
    answer = await client.get(f"{PATH}{reader}/+5/?name=toolong&x=1&page_size=99&count=no", headers=headers)

    assert faults(answer) == [
        ("id", "NOT_AN_INTEGER"),
        ("name", "TOO_LONG"),
        ("x", "UNKNOWN_PARAMETER"),
        ("page_size", "OUT_OF_RANGE"),
        ("count", "NOT_A_BOOLEAN"),
        ("X-Limit", "NOT_AN_INTEGER"),
        ("x-depth", "NOT_AN_INTEGER"),
    ]


@pytest.mark.parametrize(
    ("content", "status", "named"),
    [
        (b'{"n": 1, "n": 2}', 400, "n"),
        (b'{"n": 1, "items": [{"n": 1, "n": 1, "day": "2026-01-31"}]}', 400, "n"),
        (b'{"n": NaN}', 400, "NaN"),
        ('{"n": 1}'.encode("utf-16"), 400, "UTF-8"),
        (b"", 400, "linha 1"),
        (b'{"n": "5"}', 422, "n"),
        (b'{"n": true}', 422, "n"),
        (b'{"n": 1.5}', 422, "n"),
        (b'{"n": 1, "ok": 1}', 422, "ok"),
        (b'{"n": 1, "m": 1}', 422, "m"),
        (b'{"n": 1, "items": [{"n": 1, "day": 5}]}', 422, "items.0.day"),
        (b'{"n": 1, "items": [{"n": 1, "day": "2026-01-31", "x": 1}]}', 422, "items.0.x"),
        (b'{"n": 1, "name": "\\ud800"}', 422, "name"),
        (b"[]", 422, "corpo"),
    ],
)
@each_reader
async def test_a_body_is_read_strictly(
    client: httpx2.AsyncClient, reader: str, content: bytes, status: int, named: str
) -> None:
    answer = await client.post(f"{PATH}{reader}/5/", content=content, headers=JSON)

    assert answer.status_code == status
    assert named in (answer.json()["detail"] if status == 400 else [field for field, _ in faults(answer)])


@each_reader
async def test_a_body_that_is_no_json_is_415(client: httpx2.AsyncClient, reader: str) -> None:
    answer = await client.post(f"{PATH}{reader}/5/", content=b"n=1")

    assert (answer.status_code, answer.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


@each_reader
async def test_what_is_spelled_well_is_read(client: httpx2.AsyncClient, reader: str) -> None:
    query = "page_size=7&tags=1&tags=-2&price=1.50&since=2026-01-31T12:00:00Z&day=2026-01-31&size=large&count=true"
    answer = await client.get(f"{PATH}{reader}/5?{query}", headers={"X-Limit": "4", "X-Depth": "1"})
    stored = await client.post(f"{PATH}{reader}/5", json={"n": 1.0, "items": [{"n": 2, "day": "2026-01-31"}]})

    read = {"page_size": 7, "tags": [1, -2], "price": "1.50", "since": "2026-01-31T12:00:00Z", "day": "2026-01-31"}
    defaults = {"ratio": 1, "order": "id", "name": ""}
    assert answer.json() == [5, read | defaults | {"size": "large", "count": True}, {"if_match": None, "limit": 4}, 1]
    assert stored.json() == [5, {"n": 1, "ok": False, "name": "x", "items": [{"n": 2, "day": "2026-01-31"}]}, 0]


# -- both readers --------------------------------------------------------------------------------------------------

TEXTS = [
    *(
        "",
        "1",
        "0",
        "-1",
        "2",
        "51",
        "007",
        " 1",
        "1 ",
        "1_0",
        "+5",
        "5.0",
        "1e2",
        "1,2",
        "\u0663",
        "9" * 30,
        "9" * 5000,
    ),
    *("nan", "true", "false", "yes", "null", "id", "-id", "large", "é" * 6, "\0", "a&b"),
    *("2026-01-31", "2026-02-30", "2026-01-31T12:00:00Z", "2026-01-31 12:00:00"),
]
NAMES = [*Asked.model_fields, "Page_Size", "x", "tags[]", "id"]
HEADERS = ["If-Match", "X-Limit", "X-Depth", "x-limit"]
ITEM = {"n": 1, "day": "2026-01-31"}
VALUES: list[Any] = [
    *(0, 1, -1, 1.0, 1.5, 10**30, True, None, "", "1", "2026-01-31", "\ud800", [], {}),
    *([ITEM], [ITEM | {"n": "1"}], [ITEM | {"day": 5}], [ITEM | {"x": 1}] * 3),
]
ENDINGS = ["&name=%ff", "&%ff=1", "&", "&page_size", "&=1", "&name=%zz", "&count=true;page_size=1"]
CONTENTS = [b"[" * 500 + b"]" * 500, b'{"n": 1, "n": 1}', b'{"n": 1} x', b"", b"null", b"5", b"\xff"]


def fuzzed(chance: random.Random) -> tuple[str, str, Any, bytes | None]:
    """A method, a path with its query below a reader's path, headers, and a body."""
    id = chance.choice([*["5"] * 20, *TEXTS])
    pairs = [(chance.choice(NAMES), chance.choice(TEXTS)) for _ in range(chance.choice([0, 1, 1, 1, 2, 3]))]
    query = "&".join(f"{name}={quote(text)}" for name, text in pairs)
    if chance.random() < 0.05:
        query += chance.choice(ENDINGS)
    ascii_texts = [text for text in TEXTS if text.isascii() and "\0" not in text and len(text) < 100]
    lines: Any = [
        (chance.choice(HEADERS), chance.choice(ascii_texts).strip().encode())
        for _ in range(chance.choice([0, 0, 1, 2]))
    ]
    if chance.random() < 0.5:
        path = f"{quote(id, safe='')}/" if id and chance.random() < 0.7 else ""
        return "GET", f"{path}?{query}", lines, None
    members = {name: chance.choice(VALUES) for name in chance.sample([*New.model_fields, "m"], chance.randint(0, 5))}
    content = json.dumps(members).encode()
    if chance.random() < 0.2:
        content = chance.choice([content[:-1], *CONTENTS])
    lines += [("Content-Type", chance.choice([*[b"application/json"] * 9, b"text/plain", b"application/x+json"]))]
    return "POST", f"{quote(id or '5', safe='')}/?{query}", lines, content


async def test_both_readers_read_5000_requests_alike(client: httpx2.AsyncClient) -> None:
    chance = random.Random(19)
    statuses: dict[int, int] = {}

    for _ in range(5000):
        method, rest, headers, content = fuzzed(chance)
        first, second = [
            await client.request(method, f"{PATH}{reader}/{rest}", headers=headers, content=content)
            for reader in READERS
        ]
        statuses[first.status_code] = statuses.get(first.status_code, 0) + 1
        said = [answer.text.replace(reader, "") for answer, reader in zip((first, second), READERS, strict=True)]
        assert (first.status_code, said[0]) == (second.status_code, said[1]), (method, rest, headers, content)

    assert statuses.keys() == {200, 400, 415, 422}
    assert min(statuses[200], statuses[400], statuses[422]) > 200, statuses


# -- what else an ordinary endpoint has ------------------------------------------------------------------------------


async def test_its_own_refusals_and_those_of_fastapi_are_problems(client: httpx2.AsyncClient) -> None:
    path, body = f"{PATH}recusada/", {"first": {"n": 1}, "second": {"n": 2, "day": "2026-01-31"}}

    ours = await client.post(path, json=body)
    theirs = await client.post(f"{path}?status=429", json=body)
    nowhere = await client.post(f"{path}?status=404", json=body)
    wrong = await client.post(path, json=body | {"first": {"n": "1"}})

    assert (ours.status_code, ours.json()["code"], ours.json()["detail"]) == (409, "CONFLICT", "1 e 2 não se combinam")
    assert (theirs.status_code, theirs.json()["code"], theirs.headers["retry-after"]) == (429, "RATE_LIMITED", "7")
    assert (nowhere.status_code, nowhere.json()["detail"]) == (404, "de outro modo")
    assert faults(wrong) == [("first.n", "NOT_AN_INTEGER")]
    assert faults(await client.get(f"{PATH}lenta/", headers={"Cookie": "session=x"})) == [("session", "NOT_AN_INTEGER")]


async def test_it_ends_when_the_time_of_its_request_is_over(client: httpx2.AsyncClient) -> None:
    answer = await client.get(f"{PATH}lenta/", headers={"X-Timeout-Ms": "2000"})

    assert (answer.status_code, answer.json()["code"]) == (504, "TOO_SLOW")


async def test_it_answers_head_and_options_and_without_its_final_slash(client: httpx2.AsyncClient) -> None:
    path = f"{PATH}FastAPI"

    head, options = await client.head(path), await client.options(path)

    assert head.status_code == (await client.get(path)).status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["allow"].split(", "))


async def test_it_needs_the_scope_of_its_service(database_urls: dict[str, str], issuer: Issuer) -> None:
    app = application(database_urls["pessoas"], **issuer.settings())
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://pessoas.test") as client,
    ):
        async with asyncio.timeout(60):
            while (await client.get("/health/ready")).status_code != 200:  # noqa: ASYNC110  # only the answer says it
                await asyncio.sleep(0.05)
        path = f"{PATH}FastAPI/"

        anonymous = await client.get(path)
        foreign = await client.get(path, headers=bearer("servicos:read"))
        allowed = await client.get(path, headers=bearer("pessoas:read"))
        write = await client.post(f"{PATH}FastAPI/5/", json={"n": 1}, headers=bearer("pessoas:read"))

    assert [answer.status_code for answer in (anonymous, foreign, allowed, write)] == [401, 403, 200, 403]


async def test_it_is_described_like_the_rest(client: httpx2.AsyncClient, services: Services) -> None:
    document = (await client.get("/openapi.json")).json()

    described = document["paths"][f"{PATH}lenta/"]["get"]
    assert described["description"] == "Takes longer than anybody waits."
    assert described["security"] == [{"bearer": ["pessoas:read"]}, {}]
    assert described["responses"]["422"] == {"$ref": "#/components/responses/UnprocessableContent"}
    assert {"401", "403", "406", "429", "500", "503", "504"} <= described["responses"].keys()
    assert "X-Request-ID" in described["responses"]["200"]["headers"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert {"400", "413", "415", "404"} <= document["paths"][f"{PATH}FastAPI/{{id}}/"]["post"]["responses"].keys()


@each_reader
async def test_more_than_a_hundred_errors_in_an_address_are_not_listed(client: httpx2.AsyncClient, reader: str) -> None:
    wrong = "&".join(f"p{n}=1" for n in range(101))

    answer = await client.get(f"{PATH}{reader}/?{wrong}")

    assert answer.status_code == 422
    assert answer.json()["code"] == "LIMIT_EXCEEDED"
    assert answer.json()["errors"] == [
        {"field": "endereço", "code": "LIMIT_EXCEEDED", "message": "tem mais de 100 erros"}
    ]


@each_reader
async def test_a_repeated_parameter_keeps_all_its_values_in_their_order(
    client: httpx2.AsyncClient, reader: str
) -> None:
    given = list(range(5000, 0, -1))

    answer = await client.get(f"{PATH}{reader}/?{'&'.join(f'tags={n}' for n in given)}")

    assert answer.json() == [10, given, "GET"]
