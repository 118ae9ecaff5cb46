"""Asks a running system: `python -m deploy.ask_painel http://localhost:8000/graphql` creates one of everything and asks
for the Painel, which must show it. The pipeline does so in Kubernetes. Only the standard library is used."""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

SECONDS = 30
OWNERS = """mutation {
  criarPessoa(input: {nomePessoa: "Ana"}) { pessoa { id } }
  criarServico(input: {nomeServico: "Entrega"}) { servico { id } }
  criarCategoria(input: {nomeCategoria: "Livros"}) { categoria { id } }
}"""
PRODUTO = "mutation ($input: CriarProdutoInput!) { criarProduto(input: $input) { produto { id } } }"
SOLICITACAO = "mutation ($input: CriarSolicitacaoInput!) { criarSolicitacao(input: $input) { solicitacao { id } } }"
PAINEL = """query Painel {
  solicitacoes(first: 1, orderBy: ID_DESC) { edges { node {
    id pessoa { nomePessoa } servico { nomeServico } produto { nomeProduto categoria { nomeCategoria } }
  } } }
}"""


def ask(url: str, query: str, **given: str) -> dict[str, Any]:
    """The data of the answer; `given` is a mutation's input. Raises SystemExit when the answer has errors."""
    body = {"query": query, "variables": {"input": given} if given else {}}
    head = {"Content-Type": "application/json", "Accept": "application/graphql-response+json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), head)  # noqa: S310 - the caller's own URL
    with urllib.request.urlopen(request, timeout=SECONDS) as response:  # noqa: S310
        answer = json.load(response)
    if "errors" in answer:
        raise SystemExit(f"ask_painel: {json.dumps(answer['errors'], ensure_ascii=False)}")
    return answer["data"]


def main() -> None:
    url = sys.argv[1]
    owners = ask(url, OWNERS)
    pessoa, servico, categoria = (
        owners[f"criar{noun}"][noun.lower()]["id"] for noun in ("Pessoa", "Servico", "Categoria")
    )
    produto = ask(url, PRODUTO, nomeProduto="Atlas", categoriaId=categoria)["criarProduto"]["produto"]["id"]
    created = ask(url, SOLICITACAO, pessoaId=pessoa, servicoId=servico, produtoId=produto)
    [edge] = ask(url, PAINEL)["solicitacoes"]["edges"]
    expected = {
        "id": created["criarSolicitacao"]["solicitacao"]["id"],
        "pessoa": {"nomePessoa": "Ana"},
        "servico": {"nomeServico": "Entrega"},
        "produto": {"nomeProduto": "Atlas", "categoria": {"nomeCategoria": "Livros"}},
    }
    if edge["node"] != expected:
        raise SystemExit(f"ask_painel: the Painel shows {edge['node']} instead of {expected}")
    print(json.dumps(edge["node"], ensure_ascii=False))


if __name__ == "__main__":
    main()
