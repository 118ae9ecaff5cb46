"""Uses of what is `@deprecated` in the schema are counted by field and by client; a copy of the schema has some."""

from __future__ import annotations

import pytest
from graphql import GraphQLEnumType, GraphQLInputObjectType, GraphQLObjectType

from chassis.observe.meters import BoundedLabel
from gateway import metrics, schema
from gateway.execution.operation import Executor
from gateway.settings import Limits
from tests.applications import Applications, Gateway
from tests.scraped import Scrape, scrape

NAME = "graphql_deprecated_uses_total"


@pytest.fixture
def changed(applications: Applications, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway serves a copy of its schema in which a field, an argument, a member of an input and a value of an
    enum are deprecated."""
    copy = schema.core(schema.build())
    pessoa, query, filter, order = (copy.type_map[one] for one in ("Pessoa", "Query", "PessoaFilter", "PessoaOrder"))
    assert isinstance(pessoa, GraphQLObjectType)
    assert isinstance(query, GraphQLObjectType)
    assert isinstance(filter, GraphQLInputObjectType)
    assert isinstance(order, GraphQLEnumType)
    pessoa.fields["nomePessoa"].deprecation_reason = "leia outro"
    query.fields["pessoas"].args["last"].deprecation_reason = "use first"
    filter.fields["nomePessoa"].deprecation_reason = "use id"
    order.values["ID_DESC"].deprecation_reason = "use ID_ASC"
    operations = applications.gateway_app.state.graphql.operations
    monkeypatch.setattr(operations, "executor", Executor(copy, Limits()))
    monkeypatch.setattr(metrics, "client_label", BoundedLabel(3))


async def ask(gateway: Gateway, query: str, name: str | None = None, **headers: str) -> None:
    body = {"query": query, "operationName": name}
    answer = await gateway.client.post("/graphql", json=body, headers=headers)
    assert "errors" not in answer.json()


def grown(before: Scrape, after: Scrape, **labels: str) -> float:
    return after.value(NAME, **labels) - before.value(NAME, **labels)


USES = """
query Usa {
  pessoas(last: 1, orderBy: ID_DESC, filter: {nomePessoa: {contains: "a"}}) { nodes { ...Nome } }
  outra: pessoas(first: 1) { nodes { nomePessoa @skip(if: true) id } }
}
query NaoUsa { pessoas(first: 1) { nodes { id } } }
fragment Nome on Pessoa { nomePessoa }
"""


@pytest.mark.usefixtures("changed")
async def test_each_use_is_counted_once_for_each_operation_by_field_and_client(gateway: Gateway) -> None:
    before = await scrape(gateway.client)
    for _ in range(2):  # the second time the plan is in the cache
        await ask(gateway, USES, "Usa", **{"graphql-client-name": "painel"})
    await ask(gateway, USES, "Usa", **{"apollographql-client-name": "app"})
    await ask(gateway, USES, "Usa")
    await ask(gateway, USES, "NaoUsa", **{"graphql-client-name": "painel"})
    after = await scrape(gateway.client)

    fields = ("Pessoa.nomePessoa", "Query.pessoas(last:)", "PessoaFilter.nomePessoa", "PessoaOrder.ID_DESC")
    for client, times in {"painel": 2, "app": 1, "unknown": 1}.items():
        assert {grown(before, after, field=field, client=client) for field in fields} == {times}
    assert grown(before, after) == 4 * 4


@pytest.mark.usefixtures("changed")
async def test_hostile_client_names_do_not_grow_the_answer(gateway: Gateway) -> None:
    before = await scrape(gateway.client)
    for n in range(10):
        await ask(gateway, "{ pessoas { nodes { nomePessoa } } }", **{"graphql-client-name": f"{n}{'x' * 500}"})
    after = await scrape(gateway.client)

    assert grown(before, after, client="other") == 7
    assert max(map(len, after.label(NAME, "client"))) <= 100


async def test_nothing_is_counted_where_nothing_is_deprecated(gateway: Gateway) -> None:
    before = await scrape(gateway.client)
    await ask(gateway, USES, "Usa")
    after = await scrape(gateway.client)

    assert grown(before, after) == 0
