"""Reads of the demo data whose whole answer is known beforehand, and the functions that judge the real answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from deploy import demo
from tests.faults.verdict import Answer, Fault, Verdict, coordinator, exact, graphql, ready

PAINEL = """query Painel($rows: Int!) {
  solicitacoes(first: $rows, filter: {dataSolicitacao: {lt: "2026-01-01T00:00:00Z"}}) { totalCount nodes {
    id dataSolicitacao pessoa { id nomePessoa } servico { id nomeServico }
    produto { id nomeProduto categoria { id nomeCategoria } } } } }"""
OBJECTS = """query Objetos($id: ID!) {
  pessoa(id: $id) { id nomePessoa } servico(id: $id) { id nomeServico }
  produto(id: $id) { id nomeProduto categoria { id nomeCategoria } } solicitacao(id: $id) { id dataSolicitacao } }"""


@dataclass(frozen=True)
class Read:
    """One request to one process, and the function that judges its answer."""

    process: str
    method: str
    path: str
    judge: Callable[[Answer, Fault], Verdict]
    body: Any = None


class Demo:
    """The demo data in the form of answers; the load adds rows but changes none of these."""

    def __init__(self) -> None:
        rows: dict[str, list[Any]] = {table.name: list(table.rows) for table in demo.tables()}
        self._names: dict[str, dict[int, str]] = {
            name: {row[0]: row[1] for row in rows[name]} for name in ("categoria", "produto", "pessoa", "servico")
        }
        self._categoria_of: dict[int, int] = {row[0]: row[3] for row in rows["produto"]}
        self._solicitacoes = rows["solicitacao"]
        self.last_ids = {name: len(found) for name, found in rows.items()}
        self.triples: set[tuple[int, int, int]] = {(row[1], row[2], row[3]) for row in self._solicitacoes}

    def rest(self, kind: str, id: int) -> dict[str, Any]:
        """The row as its service shows it."""
        row: dict[str, Any] = {"id": id, f"nome_{kind}": self._names[kind][id]}
        return row | ({"categoria": self.rest("categoria", self._categoria_of[id])} if kind == "produto" else {})

    def graphql(self, kind: str, id: int) -> dict[str, Any]:
        """The row as the gateway shows it."""
        row: dict[str, Any] = {"id": str(id), f"nome{kind.capitalize()}": self._names[kind][id]}
        return row | ({"categoria": self.graphql("categoria", self._categoria_of[id])} if kind == "produto" else {})

    def solicitacao(self, id: int) -> tuple[int, int, int, str]:
        """Its servico, pessoa and produto, and its instant as JSON has it."""
        _, servico, pessoa, produto, instant = self._solicitacoes[id - 1]
        return servico, pessoa, produto, instant.strftime("%Y-%m-%dT%H:%M:%SZ")

    def painel(self, rows: int) -> dict[str, Any]:
        nodes: list[Any] = []
        for id in range(1, rows + 1):
            servico, pessoa, produto, instant = self.solicitacao(id)
            node = {"id": str(id), "dataSolicitacao": instant, "pessoa": self.graphql("pessoa", pessoa)}
            nodes.append(
                node | {"servico": self.graphql("servico", servico), "produto": self.graphql("produto", produto)}
            )
        return {"solicitacoes": {"totalCount": len(self._solicitacoes), "nodes": nodes}}

    def objects(self, id: int) -> dict[str, Any]:
        found: dict[str, Any] = {kind: self.graphql(kind, id) for kind in ("pessoa", "servico", "produto")}
        return found | {"solicitacao": {"id": str(id), "dataSolicitacao": self.solicitacao(id)[3]}}

    def view(self, id: int) -> dict[str, Any]:
        """The coordinator's view of a solicitacao."""
        servico, pessoa, produto, instant = self.solicitacao(id)
        shown: dict[str, Any] = {"id": id, "data_solicitacao": instant}
        shown["servico_solicitado"] = self.rest("servico", servico)
        shown["solicitante"] = self.rest("pessoa", pessoa)
        return shown | {"produto_associado": self.rest("produto", produto)}

    def reads(self) -> Iterator[Read]:
        """Reads without end, of every kind in turn."""
        rng = random.Random(1)
        while True:
            rows = rng.randint(5, 30)
            asked = {"query": PAINEL, "variables": {"rows": rows}}
            yield Read("gateway", "POST", "/graphql", graphql(self.painel(rows)), asked)
            yield Read("pessoas", "GET", f"/api/pessoas/{(id := rng.randint(1, 500))}/", self._one("pessoa", id))
            id = rng.randint(1, 50)
            asked = {"query": OBJECTS, "variables": {"id": str(id)}}
            yield Read("gateway", "POST", "/graphql", graphql(self.objects(id)), asked)
            yield Read("servicos", "GET", f"/api/servicos/{id}/", self._one("servico", id))
            id = rng.randint(1, 5000)
            yield Read("solicitacoes", "GET", f"/api/solicitacoes/{id}/", coordinator(self.view(id)))
            yield Read("gateway", "GET", "/health/ready", ready("gateway"))
            yield Read("catalogo", "GET", f"/api/produtos/{(id := rng.randint(1, 200))}/", self._one("produto", id))

    def _one(self, kind: str, id: int) -> Callable[[Answer, Fault], Verdict]:
        return exact({"pessoa": "pessoas", "servico": "servicos", "produto": "catalogo"}[kind], self.rest(kind, id))
