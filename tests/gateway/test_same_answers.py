"""Plans give the same answers as the reference executor: both run random operations, with real and disturbed
neighbours.

2,000 operations, and 1,000 on the schema with resolvers added to it;
`CASES=50000 SEED=7 make test ARGS=tests/gateway/test_same_answers.py` runs more, or others.
"""

from __future__ import annotations

import json
import os
import random
from typing import Any

import httpx2
import pytest
from graphql import GraphQLSchema

from bench.gateway.python.reference.executor import ReferenceExecutor
from chassis.query.pagination import cursor
from gateway.context import Context
from gateway.errors import formatted
from gateway.execution.operation import ExecutionOutcome, Executor
from gateway.loaders import Loaders
from gateway.settings import Limits
from tests import builders
from tests.applications import Applications, Services
from tests.gateway.operations import OTHER, Writer

CASES = int(os.environ.get("CASES", "2000"))
SEED = int(os.environ.get("SEED", "1"))
GROUPS = 20


def down(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
    raise httpx2.ConnectError("down")


def slow(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
    raise httpx2.ReadTimeout("slow")


def missing(_request: httpx2.Request, _answer: httpx2.Response) -> httpx2.Response:
    return httpx2.Response(404, json={"code": "NOT_FOUND", "detail": "não há"})


def truncated(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    return httpx2.Response(answer.status_code, content=answer.content[:-2])


def wrong_types(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """The disturbance also applies where no row is found, since timing decides which ids are asked for together."""
    wrong = answer.content.replace(b'"id":', b'"id":"x","was":').replace(b'"items":[]', b'"items":["x"]')
    return httpx2.Response(answer.status_code, content=wrong)


def dangling(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """Every third row is missing; its id decides, so it is missing in every kind of read."""
    found = json.loads(answer.content)
    for page in [found, *found.get("groups", ())]:
        if "items" in page:
            page["items"] = [row for row in page["items"] if row["id"] % 3]
    return httpx2.Response(answer.status_code, json=found)


def twice(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """Every row, parent and id comes twice. Where there is none, an invalid one is added, so that the disturbance
    applies there too."""
    found = json.loads(answer.content)
    for member in ("items", "groups", "ids"):
        if member in found:
            found[member] = found[member] * 2 or ["x"]
    return httpx2.Response(answer.status_code, json=found)


def foreign(request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """A read by id, or by the parent's id, also gets a row that was not asked for; a write gets another row instead of
    its own."""
    found = json.loads(answer.content)
    if b'"ids":[' in request.content:
        for member in ("items", "groups"):
            if member in found:
                found[member].append((found[member] or [{}])[0] | {"id": 999_999})
    elif "id" in found and request.method != "POST":
        found["id"] += 1
    return httpx2.Response(answer.status_code, json=found)


def redirected(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    return httpx2.Response(307, content=answer.content, headers={"Location": "/elsewhere/"})


def accepted(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    return httpx2.Response(202, content=answer.content)


def huge(_request: httpx2.Request, answer: httpx2.Response) -> httpx2.Response:
    """Answers with ids that no request can contain. Every parent gets one: timing decides which parents are asked about
    together, and an answer with one such id is invalid for all of them."""
    found = json.loads(answer.content.replace(b'_id":1,', b'_id":99999999999999999999,'))
    for group in found.get("groups", ()):
        group["items"].append({"id": 99999999999999999999})
    return httpx2.Response(answer.status_code, content=json.dumps(found))


DISTURBANCES = (down, slow, missing, truncated, wrong_types, dangling, twice, foreign, redirected, accepted, huge)


@pytest.fixture
async def populated(services: Services, database_urls: dict[str, str]) -> list[str]:
    """A dozen of each, some references dangling; cursors of places in them."""
    for n in range(12):
        await builders.pessoa(services, f"{['Maria', 'João', 'Émile'][n % 3]} {n}")
        await builders.servico(services, f"Serviço {n % 4}")
        if n < 4:
            await builders.categoria(services, f"Móveis {n}")
        await builders.produto(services, f"Mesa {n}", 1 + n % 3)
    builders.insert_solicitacoes(
        database_urls["solicitacoes"], [(1 + n % 13, 1 + n * 5 % 14, 1 + n * 7 % 13) for n in range(60)]
    )
    return [cursor("id", None, 5), cursor("id", None, 30), cursor("nome_pessoa", "João 1", 2)]


def comparable(result: ExecutionOutcome) -> tuple[bytes | None, list[str]]:
    """The data to the letter, order included; the errors as a set of path and code.

    Where a null is not allowed, the object or list around it is null. Which errors below that are reported depends on
    what fails first. So only the place that is null counts then.
    """
    data = None if result.data is None else json.loads(result.data)
    places: list[str] = []
    for error in map(formatted, result.errors):
        path = error.get("path")
        null_at = path and place_of_null(data, path)
        if path and null_at is not None and len(null_at) < len(path):
            place = json.dumps([null_at, "null is not allowed below"])
            places += [] if place in places else [place]
        else:
            places.append(json.dumps([path, error["extensions"]["code"]]))
    return result.data, sorted(places)


def place_of_null(data: Any, path: list[Any]) -> list[Any] | None:
    """The beginning of the path that leads to a null, if one does."""
    for n, key in enumerate(path):
        if data is None:
            return path[:n]
        data = data[key]
    return None


@pytest.mark.parametrize("group", range(GROUPS))
async def test_a_plan_answers_as_the_reference_does(
    applications: Applications, services: Services, populated: list[str], group: int
) -> None:
    await compare(
        applications.gateway_app.state.graphql.operations.executor.schema, applications, services, populated, group
    )


@pytest.mark.parametrize("group", range(GROUPS // 2))
async def test_a_plan_that_calls_resolvers_answers_as_the_reference_does(
    extended_schema: GraphQLSchema, applications: Applications, services: Services, populated: list[str], group: int
) -> None:
    await compare(extended_schema, applications, services, populated, group)


async def compare(
    schema: GraphQLSchema, applications: Applications, services: Services, populated: list[str], group: int
) -> None:
    """Runs random operations on the schema by both executors."""
    limits = Limits(max_cost=10**9)  # refused operations are not compared
    executor, reference = Executor(schema, limits), ReferenceExecutor(schema, limits)
    remotes: Any = applications.gateway_app.state.graphql.operations.remotes
    compiled = refused = failed = 0
    for case in range(CASES // GROUPS):
        seed = SEED * 1_000_003 + group * 100_003 + case
        rng = random.Random(seed)
        writer = Writer(executor.schema, seed, populated)
        mutates = rng.random() < 0.2
        text = writer.mutation() if mutates else writer.query()
        text += f" {OTHER}" if rng.random() < 0.1 else ""
        document = executor.prepare(text)
        assert not document.errors, (seed, text, document.errors)
        operation = document.operation("Aleatoria")
        if mutates:  # done once before: under the same key the services repeat what they answered, and change nothing
            await reference.run(document, operation, writer.variables, Context(Loaders(remotes), str(seed)))
        for network in services.networks.values():
            network.disturb = rng.choice(DISTURBANCES) if rng.random() < 0.15 else None

        results = [
            await run(document, operation, writer.variables, Context(Loaders(remotes), str(seed)))
            for run in (executor.run, reference.run)
        ]

        assert comparable(results[0]) == comparable(results[1]), (seed, text, writer.variables)
        compiled += bool(document.compiled)
        refused += results[0].data is None
        failed += bool(results[0].errors)
        for network in services.networks.values():
            network.disturb = None
    assert compiled + refused == CASES // GROUPS, "every operation is compiled"
    assert failed or CASES < 1000, "some of them meet a failure"
