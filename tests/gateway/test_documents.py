"""The cache of documents: what it keeps of each, how its size is bounded, and which plan each operation has."""

import gc
import tracemalloc
from typing import Any

import pytest
from graphql.execution.values import VariableValues, get_variable_values

from gateway import schema
from gateway.execution.documents import LONGEST_KEPT, DocumentCache
from gateway.execution.operation import NO_VARIABLES, Executor
from gateway.settings import Limits
from tests.applications import Applications, Gateway


def meet(executor: Executor, count: int, start: int) -> None:
    """That many documents that were never sent before, as from a client that writes values into them."""
    for n in range(start, start + count):
        document = executor.prepare(f"{{ pessoa(id: {n}) {{ id nomePessoa solicitacoes {{ totalCount }} }} }}")
        executor.compiled(document, document.operation(None), NO_VARIABLES)


def test_ever_new_documents_leave_nothing_behind() -> None:
    executor = Executor(schema.core(schema.build()), Limits(), DocumentCache(5_000_000))
    meet(executor, 500, 0)
    kept = len(executor.documents)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        meet(executor, 200, 10_000)
        after = len(gc.get_objects())
    finally:
        gc.enable()

    assert abs(len(executor.documents) - kept) < 10 < kept < 500
    assert after < before + 1_000, "each of them makes some 1,300 objects, in circles"


def test_what_is_kept_is_bounded_by_its_weight_however_large_the_plans_of_a_short_text_are() -> None:
    """Eight conditions are 256 plans, each of 2,000 selections by its fragments: 360 MB, if all were kept."""
    executor = Executor(schema.core(schema.build()), Limits(), DocumentCache(20_000_000))
    declared = ", ".join(f"$b{n}: Boolean!" for n in range(8))
    conditions = " ".join(f"b{n}: id @include(if: $b{n})" for n in range(8))
    roots = " ".join(f"r{n}: solicitacoes(first: 0) {{ nodes {{ ...F }} }}" for n in range(11))
    links = " ".join(f"p{n}: pessoa {{ id }}" for n in range(80))
    text = f"query ({declared}) {{ {roots} }} fragment F on Solicitacao {{ {conditions} {links} }}"
    document = executor.prepare(text)
    operation = document.operation(None)
    gc.collect()
    tracemalloc.start()
    try:
        for outcome in range(40):
            given = {f"b{n}": bool(outcome >> n & 1) for n in range(8)}
            coerced = get_variable_values(executor.schema, operation.variable_definitions or (), given)
            assert isinstance(coerced, VariableValues)
            executor.compiled(document, operation, coerced)
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert executor.documents.weight <= 20_000_000
    assert used < 20_000_000


def test_the_documents_used_least_recently_are_dropped_first() -> None:
    executor = Executor(schema.core(schema.build()), Limits(), DocumentCache(200_000))
    often = "{ pessoas { totalCount } }"
    first = executor.prepare(often)
    for n in range(100):
        executor.prepare(f"{{ pessoa(id: {n}) {{ id }} }}")
        assert executor.prepare(often) is first
    assert executor.prepare("{ pessoa(id: 99) { id } }") is executor.prepare("{ pessoa(id: 99) { id } }")
    assert len(executor.documents) < 50


def test_a_long_document_is_not_kept() -> None:
    executor = Executor(schema.core(schema.build()), Limits())
    text = "{ pessoas { totalCount } }" + " " * LONGEST_KEPT
    assert executor.prepare(text) is not executor.prepare(text)
    assert len(executor.documents) == 0


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

    assert len(applications.gateway_app.state.graphql.operations.executor.prepare(text).compiled) == 1, (
        "one plan for all values"
    )


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
    """graphql-core would notice the mistake only after the pessoa has been created."""
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
