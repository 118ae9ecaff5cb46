"""The coordinator: it reads the three objects that a solicitacao refers to, from their services, at the same time."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.errors import FieldError, NotFound, Refusal, Unavailable
from chassis.neighbours.follower import FeedPosition
from chassis.neighbours.read_after import parse_positions
from chassis.neighbours.remote import Remote
from chassis.neighbours.row_cache import Caches, KindOfRow
from chassis.neighbours.transport import Answer
from chassis.request import context
from solicitacoes.models import Owned, Pessoa, Produto, Servico


@dataclass(frozen=True)
class Reference:
    """A field of a solicitacao that refers to a row of another service."""

    field: str
    """The field with the row's id."""
    shown_as: str
    """The member of the answer that shows the row."""
    noun: str
    """What messages for users call the row."""
    owner: str
    """The service that owns the row."""
    path: str
    """The row's path in that service."""
    model: type[Owned]
    """The type of the service's answer."""
    kind: str
    """What the service's changes call the row."""


REFERENCES = (
    Reference("servico_id", "servico_solicitado", "serviço", "servicos", "/api/servicos/{}/", Servico, "servico"),
    Reference("pessoa_id", "solicitante", "pessoa", "pessoas", "/api/pessoas/{}/", Pessoa, "pessoa"),
    Reference("produto_id", "produto_associado", "produto", "catalogo", "/api/produtos/{}/", Produto, "produto"),
)


def _categoria_of(produto: dict[str, Any]) -> int:
    return produto["categoria"]["id"]


KINDS = (
    KindOfRow("servicos", "servico"),
    KindOfRow("pessoas", "pessoa"),
    KindOfRow("catalogo", "categoria"),
    KindOfRow("catalogo", "produto", {"categoria": _categoria_of}),
)
"""The rows that are kept in memory where that is switched on."""


class Coordinator:
    """Reads what solicitacoes refer to. `remotes` are the neighbours by name, and `caches` the rows of theirs that are
    kept in memory; None means that none are."""

    def __init__(self, remotes: Mapping[str, Remote], caches: Caches | None = None) -> None:
        self.remotes, self.caches = remotes, caches

    async def view(self, row: Mapping[str, Any], after: str) -> dict[str, Any]:
        """The solicitacao with its three objects, as their services show them, or as they did up to
        `CACHE_STALENESS` ago. `after` is the header `Read-After`.

        An object is null if it no longer exists, or if its service cannot answer. In the second case `indisponiveis`
        names it. Raises Forbidden if the caller may not read all three, and Malformed.
        """
        _require_readable(REFERENCES)
        positions = parse_positions(after, self.remotes) if after else {}
        view: dict[str, Any] = {"id": row["id"], "data_solicitacao": row["data_solicitacao"]}
        unavailable: list[str] = []
        found = await asyncio.gather(*(self._shown(one, row[one.field], positions) for one in REFERENCES))
        for reference, answer in zip(REFERENCES, found, strict=True):
            view[reference.shown_as] = None if isinstance(answer, Refusal) else answer
            if isinstance(answer, Refusal) and not isinstance(answer, NotFound):
                unavailable.append(reference.shown_as)
        return view | {"indisponiveis": unavailable} if unavailable else view

    async def dangling(self, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
        """The errors for the references to rows that do not exist.

        A reference that keeps its value is not checked again, since its row may have been deleted in the meantime.

        Raises Forbidden if the caller may not read a row: whoever learns whether it exists has read it. Raises
        Unavailable if a service cannot be asked and no error was found in the others.
        """
        given = [one for one in REFERENCES if one.field in new]
        changed = [one for one in given if old is None or new[one.field] != old[one.field]]
        _require_readable(changed)
        found = await asyncio.gather(*(self._read(one, new[one.field]) for one in changed))
        missing = [
            FieldError(reference.field, "NOT_FOUND", f"{reference.noun} {new[reference.field]} não existe")
            for reference, answer in zip(changed, found, strict=True)
            if isinstance(answer, NotFound)
        ]
        refusals = {
            one.owner: answer for one, answer in zip(changed, found, strict=True) if isinstance(answer, Refusal)
        }
        if refusals and not missing:
            # The longest time decides: before it has passed, a retry would be refused again.
            owner = max(refusals, key=lambda name: refusals[name].retry_after or 0)
            seconds = refusals[owner].retry_after
            when = f"; tente de novo em {seconds} s" if seconds else ""
            refusal = Unavailable(f"não foi possível consultar {owner}; nada foi gravado{when}", retry_after=seconds)
            refusal.service = owner  # names the service that failed, so that this one is not blamed
            raise refusal from refusals[owner]
        return missing

    async def _shown(
        self, reference: Reference, id: int, positions: Mapping[str, FeedPosition]
    ) -> dict[str, Any] | Refusal:
        """What the owner shows, from memory if it is there, or the owner's refusal."""
        if self.caches is None:
            return await self._read(reference, id)
        cache, position = self.caches.of(reference.owner, reference.kind), positions.get(reference.owner)
        served = cache.serve((id,), position)
        if id in served.rows:
            cache.audit(served.rows, lambda id: self._audited(reference, id))
            return served.rows[id].row
        ticket = cache.owner.ticket

        def keep(found: dict[str, Any], answer: Answer) -> None:
            cache.store(ticket, (id,), {id: found}, answer)

        return await self._read(reference, id, joins=position is None, on_value=keep)

    async def _audited(self, reference: Reference, id: int) -> dict[str, Any] | None:
        found = await self._read(reference, id, joins=False)
        if isinstance(found, Refusal) and not isinstance(found, NotFound):
            raise found
        return None if isinstance(found, NotFound) else found

    async def _read(self, reference: Reference, id: int, **options: Any) -> dict[str, Any] | Refusal:
        """What the owner shows, or its refusal. `options` are those of `Remote.read`.

        Only a 404 is an error that our caller can correct. Any other refusal (a used-up quota, a token that the owner
        does not accept) means that the owner cannot be asked.
        """

        def decode(content: bytes) -> dict[str, Any]:
            found = reference.model.model_validate_json(content)
            if found.id != id:
                raise ValueError(f"{found.id} instead of {id}")
            return found.model_dump()

        try:
            return await self.remotes[reference.owner].read(reference.path.format(id), decode, **options)
        except Refusal as refusal:
            return refusal


def _require_readable(references: Iterable[Reference]) -> None:
    """Raises Forbidden if the caller may not read all of these.

    The services would refuse too, since we send them the caller's own token. Checking here saves the requests.
    """
    context.current().caller.require(*(f"{one.owner}:read" for one in references))
