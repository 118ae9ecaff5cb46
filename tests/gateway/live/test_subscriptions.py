"""What subscriptions tell, and to whom."""

from __future__ import annotations

from tests import builders
from tests.applications import Services
from tests.gateway.live.clients import LiveGateway

PESSOA = """
subscription Mudancas($id: ID, $apos: String) {
  pessoaMudou(id: $id, apos: $apos) { cursor operacao id pessoa { id nomePessoa } }
}"""


async def test_each_change_of_a_row_is_told_in_order_with_the_row_as_it_is(
    services: Services, live: LiveGateway
) -> None:
    client = await live.open(PESSOA)

    ana = await builders.pessoa(services, "Ana")
    await client.has(1)
    await services.pessoas.patch(
        f"/api/pessoas/{ana['id']}/",
        json={"nome_pessoa": "Ana Maria"},
        headers={"content-type": "application/merge-patch+json"},
    )
    await client.has(2)
    await services.pessoas.delete(f"/api/pessoas/{ana['id']}/")
    await client.has(3)

    id = str(ana["id"])
    assert [(one["operacao"], one["id"], one["pessoa"]) for one in client.changes] == [
        ("CRIADA", id, {"id": id, "nomePessoa": "Ana"}),
        ("ATUALIZADA", id, {"id": id, "nomePessoa": "Ana Maria"}),
        ("EXCLUIDA", id, None),
    ]
    assert [one["cursor"] for one in client.changes] == client.cursors
    first, second, third = client.seqs
    assert (second, third) == (first + 1, first + 2)
