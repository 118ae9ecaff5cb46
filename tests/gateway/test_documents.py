"""Documents that were met: what is kept of them, a bounded number, and which plan each operation has."""

import gc
from typing import Any

import pytest

from gateway import schema
from gateway.execution.operation import NO_VARIABLES, REMEMBERED, Executor
from gateway.limits.bounds import Limits
from tests.applications import Applications, Gateway


def meet(executor: Executor, count: int, start: int) -> None:
    """So many documents that nobody has sent before, as from someone who writes values into them."""
    for n in range(start, start + count):
        document = executor.prepare(f"{{ pessoa(id: {n}) {{ id nomePessoa solicitacoes {{ totalCount }} }} }}")
        executor.compiled(document, document.operation(None), NO_VARIABLES)


def test_ever_new_documents_leave_nothing_behind() -> None:
    executor = Executor(schema.core(schema.build()), Limits())
    meet(executor, REMEMBERED + 50, 0)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        meet(executor, 200, 10_000)
        after = len(gc.get_objects())
    finally:
        gc.enable()

    assert after < before + 1_000, "each of them makes some 1,300 objects, in circles"


CONDITION = "query A($v: Boolean!) { pessoas @include(if: $v) { totalCount } }"


@pytest.mark.parametrize(
    ("operation", "values"),
    [
        ("query B($v: PessoaFilter) { pessoas(filter: $v) { totalCount } }", [{}, {"id": {"eq": "1"}}]),
        ("query B($v: [ID!]) { pessoas(filter: {id: {in: $v}}) { totalCount } }", [[], ["1"]]),
        ("query B($v: String!) { pessoas(filter: {nomePessoa: {contains: $v}}) { totalCount } }", ["ana", "bia"]),
    ],
)
async def test_a_variable_that_another_operations_condition_is_called_like_decides_nothing(
    gateway: Gateway, applications: Applications, operation: str, values: list[Any]
) -> None:
    text = f"{CONDITION} {operation}"
    for value in values:
        asked = {"query": text, "operationName": "B", "variables": {"v": value}}
        answer = await gateway.client.post("/graphql", json=asked)
        assert (answer.status_code, answer.json()) == (200, {"data": {"pessoas": {"totalCount": 0}}})

    assert len(applications.front.state.graphql.executor.prepare(text).compiled) == 1, "one plan for all values"


async def test_a_condition_is_found_in_every_fragment_that_the_operation_reaches(gateway: Gateway) -> None:
    text = """
        query ($v: Boolean!) { ...A ...A }
        fragment A on Query { ... on Query { ...B } }
        fragment B on Query { pessoas { totalCount @include(if: $v) __typename } }
    """
    for shown in (True, False, True):
        found = await gateway.data(text, v=shown)
        assert ("totalCount" in found["pessoas"]) is shown


async def test_a_null_condition_is_refused_before_anything_is_done(gateway: Gateway) -> None:
    """graphql-core would come upon it when the pessoa has been created."""
    text = """mutation ($x: Boolean = true) {
        criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { id @include(if: $x) } }
    }"""

    refused = await gateway.run(text, x=None)

    [error] = refused["errors"]
    assert "data" not in refused
    assert (error["message"], error["extensions"]["code"]) == (
        "$x decide um @include ou @skip e não pode ser null",
        "BAD_USER_INPUT",
    )
    assert (await gateway.data("{ pessoas { totalCount } }"))["pessoas"]["totalCount"] == 0
    assert (await gateway.data(text))["criarPessoa"]["pessoa"]["id"]
