"""What a subscription may select: whatever a query may, resolvers of one's own too."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import strawberry
from graphql import GraphQLSchema

from chassis.request.caller import Caller
from gateway import schema
from gateway.context import Info
from gateway.declarations import ChangesOf
from gateway.execution.operation import NO_VARIABLES, Executor
from gateway.execution.own_types import SchemaError
from gateway.execution.picture import picture
from gateway.schema.scalars import CONFIG
from gateway.settings import Limits
from tests import builders
from tests.applications import Services
from tests.gateway.live.clients import LiveGateway

WITH_RESOLVERS = "subscription { pessoaMudou { pessoa { iniciais ultimaSolicitacao { servico { nomeServico } } } } }"


@pytest_asyncio.fixture
async def extended(services: Services, extended_schema: GraphQLSchema) -> AsyncIterator[LiveGateway]:
    async with LiveGateway.started(services) as live:
        live.serve(extended_schema)
        yield live


async def test_a_resolver_of_ones_own_is_called_for_the_rows_of_events(
    services: Services, extended: LiveGateway
) -> None:
    client = await extended.open(WITH_RESOLVERS)

    ana = (await builders.pessoa(services, "Ana Lima"))["id"]
    await client.has(1)
    await builders.solicitacao(services, pessoa_id=ana)
    await services.pessoas.put(f"/api/pessoas/{ana}/", json={"nome_pessoa": "Ana Souza"})
    await client.has(2)

    assert client.changes == [
        {"pessoa": {"iniciais": "AL", "ultimaSolicitacao": None}},
        {"pessoa": {"iniciais": "AS", "ultimaSolicitacao": {"servico": {"nomeServico": "Reparo"}}}},
    ]


async def test_where_a_resolver_may_look_at_the_caller_each_caller_has_a_group(
    services: Services, extended: LiveGateway
) -> None:
    scopes = frozenset({"pessoas:read", "solicitacoes:read", "servicos:read"})
    clients = [
        await extended.open(WITH_RESOLVERS, Caller(name, scopes, f"token of {name}")) for name in ("ana", "ana", "rui")
    ]

    await builders.pessoa(services)
    for client in clients:
        await client.has(1)

    assert extended.groups == 2


async def test_fragments_aliases_and_directives_are_compiled(services: Services, live: LiveGateway) -> None:
    query = """
    subscription Mudancas($semNome: Boolean!) { mudou: pessoaMudou { __typename op: operacao ...Quem } }
    fragment Quem on PessoaMudanca { pessoa { __typename nome: nomePessoa @skip(if: $semNome) } }
    """
    with_name, without = await live.open(query, semNome=False), await live.open(query, semNome=True)

    await builders.pessoa(services, "Ana")
    await with_name.has(1)
    await without.has(1)

    expected = {"__typename": "PessoaMudanca", "op": "CRIADA", "pessoa": {"__typename": "Pessoa", "nome": "Ana"}}
    assert with_name.events == [{"data": {"mudou": expected}}]
    assert without.events == [{"data": {"mudou": expected | {"pessoa": {"__typename": "Pessoa"}}}}]


def test_the_plan_of_a_subscription_shows_what_each_event_reads() -> None:
    executor = Executor(schema.core(schema.build()), Limits())
    document = executor.prepare(
        "subscription { solicitacaoMudou { id operacao cursor solicitacao { pessoa { nomePessoa } } } }"
    )

    plan = executor.compiled(document, document.operation(None), NO_VARIABLES).plan

    assert picture(plan).splitlines() == [
        '{"solicitacaoMudou":%b}',
        "solicitacaoMudou: for each event, of many at once; reads their rows from solicitacoes /api/solicitacoes/",
        '  {"id":"%d","operacao":%b,"cursor":%b,"solicitacao":%b}',
        "  solicitacao: the row as it is now, or null",
        '    {"pessoa":%b}',
        "    pessoa: reads the distinct keys of all rows from pessoas /api/pessoas/, in one go",
        '      {"nomePessoa":%b}',
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("subscription { pessoaMudou { id } }", 2),  # a request and a row, though nothing is read
        ("subscription { solicitacaoMudou { solicitacao { pessoa { id } } } }", 4),
        ('subscription { solicitacaoMudou(filter: {pessoa: {nomePessoa: {contains: "a"}}}) { id } }', 2 + 1 + 1000),
        ("subscription { pessoaMudou { pessoa { solicitacoes(first: 5) { nodes { id } } } } }", 2 + 1 + 5),
    ],
)
def test_the_cost_of_a_subscription_is_that_of_one_event(text: str, expected: int) -> None:
    executor = Executor(schema.core(schema.build()), Limits())
    document = executor.prepare(text)

    compiled = executor.compiled(document, document.operation(None), NO_VARIABLES)

    assert compiled.cost({}) == expected


def test_a_subscription_with_a_resolver_of_its_own_is_refused_when_the_schema_is_built() -> None:
    @strawberry.type
    class Subscription:
        @strawberry.subscription
        async def relogio(self, info: Info) -> AsyncIterator[int]:
            yield 1

    built = strawberry.Schema(query=schema.Query, subscription=Subscription, config=CONFIG)

    with pytest.raises(
        SchemaError, match=re.escape(f"Subscription.relogio must be declared with a {ChangesOf.__name__}")
    ):
        schema.core(built)
