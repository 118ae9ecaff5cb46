"""The workloads: the queries, as requests in each contestant's own schema, and the answers that are expected."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from bench.gateway import data
from bench.load import Request

PAINEL = """
query Painel($first: Int!, $after: String) {
  solicitacoes(first: $first, after: $after, orderBy: DATA_SOLICITACAO_DESC) {
    totalCount
    pageInfo { hasNextPage endCursor }
    edges { node {
      id dataSolicitacao
      pessoa { id nomePessoa }
      servico { id nomeServico }
      produto { id nomeProduto categoria { id nomeCategoria } }
    } }
  }
}
"""
ONE = """
query Uma($id: ID!) {
  solicitacao(id: $id) {
    id dataSolicitacao
    pessoa { id nomePessoa }
    servico { id nomeServico }
    produto { id nomeProduto categoria { id nomeCategoria } }
  }
}
"""
NESTED = """
query Aninhada($first: Int!, $after: String) {
  solicitacoes(first: $first, after: $after, orderBy: DATA_SOLICITACAO_DESC) {
    edges { node {
      ...Solicitado
      pessoa {
        id nomePessoa
        solicitacoes(first: 5, orderBy: DATA_SOLICITACAO_DESC) { edges { node { ...Solicitado } } }
      }
    } }
  }
}
fragment Solicitado on Solicitacao {
  id dataSolicitacao
  servico { id nomeServico }
  produto { id nomeProduto categoria { id nomeCategoria } }
}
"""
"""An answer of 90 kB, in which the same entities come again and again: the size, and the kind, of the answer in the
public benchmark of federation gateways (https://github.com/graphql-hive/graphql-gateways-benchmark)."""


@dataclass(frozen=True)
class Workload:
    """One column of the table. `ids` are the solicitações after which the pages begin, or the objects that are read;
    `place` makes a cursor of one."""

    name: str
    rows: int
    """Rows of a page; 0 means one object by its id."""
    concurrency: int
    ids: Sequence[int]
    place: Callable[[int], str] = data.place
    document: str = PAINEL


def distinct(rows: int, count: int = 2000) -> list[int]:
    """The ids after which pages of that many rows begin, all different and in random order; none is the last page."""
    everywhere = range(rows + 2, data.SOLICITACOES + 1)
    return random.Random(rows).sample(everywhere, min(count, len(everywhere)))  # noqa: S311


def pages(rows: int) -> Workload:
    return Workload(f"{rows:,} row{'s' if rows > 1 else ''}", rows, 8 if rows >= 1000 else 32, distinct(rows))


ONE_OBJECT = Workload("one object", 0, 32, distinct(0), document=ONE)
SAME_PAGE = Workload("100 rows, all the same page", 100, 32, distinct(100, 1))
NESTED_ROWS = 56
NESTED_PAGES = Workload("nested, 90 kB", NESTED_ROWS, 32, distinct(NESTED_ROWS), document=NESTED)


@dataclass(frozen=True)
class Dialect:
    """How a contestant is asked, and how its answer is converted into the form of ours; None if it cannot answer that
    query."""

    requests: Callable[[Workload], list[Request] | None]
    read: Callable[[Any], Any] = lambda answer: answer["data"]
    whole: bool = True
    """Whether its answer has everything that ours has, or only the rows."""


def rows_of(answer: Any) -> Any:
    """The rows of an answer in the form of ours."""
    return answer["solicitacoes"]["edges"] if "solicitacoes" in answer else answer


def _graphql(workload: Workload) -> list[Request]:
    def request(id: int) -> Request:
        variables = {"first": workload.rows, "after": workload.place(id)} if workload.rows else {"id": str(id)}
        body = orjson.dumps({"query": workload.document, "variables": variables})
        return Request.of("POST", "/graphql", body)

    return [request(id) for id in workload.ids]


def _rest(workload: Workload) -> list[Request] | None:
    if workload.document is NESTED:
        return None
    return [
        Request.of(
            "GET",
            f"/painel?first={workload.rows}&after={workload.place(id)}" if workload.rows else f"/solicitacoes/{id}",
        )
        for id in workload.ids
    ]


def _tutorial(workload: Workload) -> list[Request] | None:
    if workload.document is not PAINEL or workload.rows > 100:
        return None
    return [
        Request.of("GET", f"/solicitacoes/?first={workload.rows}&after={workload.place(id)}") for id in workload.ids
    ]


def _in_snake_case(document: str) -> Callable[[Workload], list[Request] | None]:
    """For contestants whose schema has the services' own names; only pages can be asked."""

    def requests(workload: Workload) -> list[Request] | None:
        if workload.document is not PAINEL:
            return None

        def request(id: int) -> Request:
            variables = {"first": workload.rows, "after": workload.place(id)}
            return Request.of("POST", "/graphql", orjson.dumps({"query": document, "variables": variables}))

        return [request(id) for id in workload.ids]

    return requests


def _edges(rows: list[Any]) -> Any:
    """Rows with the services' own names, converted into our edges."""

    def node(row: Any) -> Any:
        produto, categoria = row["produto"], row["produto"]["categoria"]
        return {
            "id": str(row["id"]),
            "dataSolicitacao": row["data_solicitacao"].replace(".000Z", "Z"),
            "pessoa": {"id": str(row["pessoa"]["id"]), "nomePessoa": row["pessoa"]["nome_pessoa"]},
            "servico": {"id": str(row["servico"]["id"]), "nomeServico": row["servico"]["nome_servico"]},
            "produto": {
                "id": str(produto["id"]),
                "nomeProduto": produto["nome_produto"],
                "categoria": {"id": str(categoria["id"]), "nomeCategoria": categoria["nome_categoria"]},
            },
        }

    return [{"node": node(row)} for row in rows]


ROW = """
    id data_solicitacao
    pessoa { id nome_pessoa }
    servico { id nome_servico }
    produto { id nome_produto categoria { id nome_categoria } }
"""
HIVE_PAINEL = f"""
query Painel($first: PositiveInt!, $after: queryInput_pageSolicitacao_cursor!) {{
  pageSolicitacao(page_size: $first, cursor: $after, ordering: _data_solicitacao) {{ {ROW} }}
}}
"""
TAILCALL_PAINEL = f"""
query Painel($first: Int!, $after: String!) {{
  solicitacoes(first: $first, after: $after) {{ {ROW} }}
}}
"""

GRAPHQL = Dialect(_graphql)
FLAT = Dialect(lambda workload: None if workload.document is NESTED else _graphql(workload))
"""A schema like ours, without the way from a pessoa to its solicitações."""
REST = Dialect(_rest)
TUTORIAL = Dialect(_tutorial, _edges, whole=False)
HIVE = Dialect(_in_snake_case(HIVE_PAINEL), lambda answer: _edges(answer["data"]["pageSolicitacao"]), whole=False)
TAILCALL = Dialect(_in_snake_case(TAILCALL_PAINEL), lambda answer: _edges(answer["data"]["solicitacoes"]), whole=False)


def same(dialect: Dialect, body: bytes, ours: bytes) -> bool:
    """Whether an answer equals ours, compared as JSON."""
    expected: Any = json.loads(ours)["data"]
    found = dialect.read(json.loads(body))
    return found == expected if dialect.whole else found == rows_of(expected)
