"""The coordinator: what a solicitacao refers to, asked of its three owners at the same time."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chassis.errors import FieldError, NotFound, Refusal, Unavailable
from chassis.neighbours.remote import Remote
from chassis.request import context
from solicitacoes.models import Owned, Pessoa, Produto, Servico


@dataclass(frozen=True)
class Reference:
    """One reference: its field, the member that shows it, what a user calls it, whose it is, where, and its type."""

    field: str
    shown_as: str
    noun: str
    owner: str
    path: str
    kind: type[Owned]


REFERENCES = (
    Reference("servico_id", "servico_solicitado", "serviço", "servicos", "/api/servicos/{}/", Servico),
    Reference("pessoa_id", "solicitante", "pessoa", "pessoas", "/api/pessoas/{}/", Pessoa),
    Reference("produto_id", "produto_associado", "produto", "catalogo", "/api/produtos/{}/", Produto),
)


class Coordinator:
    """Asks the owners. `remotes` are the neighbours by name."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._remotes = remotes

    async def view(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The solicitacao with its three objects as their owners show them: null when gone, and named in
        `indisponiveis` when the owner cannot answer. Raises Forbidden when the caller may not read all of them."""
        _require_readable(REFERENCES)
        shown: dict[str, Any] = {"id": row["id"], "data_solicitacao": row["data_solicitacao"]}
        away: list[str] = []
        found = await asyncio.gather(*(self._ask(one, row[one.field]) for one in REFERENCES))
        for reference, answer in zip(REFERENCES, found, strict=True):
            shown[reference.shown_as] = None if isinstance(answer, Refusal) else answer
            if isinstance(answer, Refusal) and not isinstance(answer, NotFound):
                away.append(reference.shown_as)
        return shown | {"indisponiveis": away} if away else shown

    async def dangling(self, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> list[FieldError]:
        """Names each reference to nothing. Raises Unavailable when there is none and an owner cannot be asked, and
        Forbidden when the caller may not ask: to know whether a row exists is to read it. References that stay as they
        were are not asked again: history is never rewritten."""
        given = [one for one in REFERENCES if one.field in new]
        changed = [one for one in given if old is None or new[one.field] != old[one.field]]
        _require_readable(changed)
        found = await asyncio.gather(*(self._ask(one, new[one.field]) for one in changed))
        missing = [
            FieldError(reference.field, "NOT_FOUND", f"{reference.noun} {new[reference.field]} não existe")
            for reference, answer in zip(changed, found, strict=True)
            if isinstance(answer, NotFound)
        ]
        away = {one.owner: answer for one, answer in zip(changed, found, strict=True) if isinstance(answer, Refusal)}
        if away and not missing:
            owner = max(away, key=lambda name: away[name].retry_after or 0)  # to ask again before that is in vain
            seconds = away[owner].retry_after
            when = f"; tente de novo em {seconds} s" if seconds else ""
            refusal = Unavailable(f"não foi possível consultar {owner}; nada foi gravado{when}", retry_after=seconds)
            refusal.service = owner  # so that nobody takes it for a fault of this service
            raise refusal from away[owner]
        return missing

    async def _ask(self, reference: Reference, id: int) -> dict[str, Any] | Refusal:
        """What the owner shows, or its refusal. Only a 404 is our caller's to mend, not a share that is used up there,
        nor a token that is judged otherwise there."""

        def decode(content: bytes) -> dict[str, Any]:
            found = reference.kind.model_validate_json(content)
            if found.id != id:
                raise ValueError(f"{found.id} instead of {id}")
            return found.model_dump()

        try:
            return await self._remotes[reference.owner].read(reference.path.format(id), decode)
        except Refusal as refusal:
            return refusal


def _require_readable(references: Iterable[Reference]) -> None:
    """The caller's own token travels on, so each owner would refuse it: say so before anybody is asked."""
    context.current().caller.require(*(f"{one.owner}:read" for one in references))
