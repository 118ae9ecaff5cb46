"""The coordinator: what a solicitacao refers to, asked of its three owners at the same time."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from chassis.errors import DeadlineExceeded, FieldError, Invalid, NotFound, Refusal, Unavailable
from chassis.remote import Remote


@dataclass(frozen=True)
class Reference:
    """One reference: its field, the member that shows it, what a user calls it, whose it is and where."""

    field: str
    shown_as: str
    noun: str
    owner: str
    path: str


REFERENCES = (
    Reference("servico_id", "servico_solicitado", "serviço", "servicos", "/api/servicos/{}/"),
    Reference("pessoa_id", "solicitante", "pessoa", "pessoas", "/api/pessoas/{}/"),
    Reference("produto_id", "produto_associado", "produto", "catalogo", "/api/produtos/{}/"),
)


class Coordinator:
    """Asks the owners. `remotes` are the neighbours by name."""

    def __init__(self, remotes: Mapping[str, Remote]) -> None:
        self._remotes = remotes

    async def view(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The solicitacao with its three objects as their owners show them: null when gone, and named in
        `indisponiveis` when the owner cannot answer."""
        shown: dict[str, Any] = {"id": row["id"], "data_solicitacao": row["data_solicitacao"]}
        away: list[str] = []
        found = await asyncio.gather(*(self._ask(one, row[one.field]) for one in REFERENCES))
        for reference, answer in zip(REFERENCES, found, strict=True):
            shown[reference.shown_as] = None if isinstance(answer, Refusal) else answer
            if isinstance(answer, Refusal) and not isinstance(answer, NotFound):
                away.append(reference.shown_as)
        return shown | {"indisponiveis": away} if away else shown

    async def check(self, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> None:
        """Raises Invalid that names each reference to nothing, or Unavailable when an owner cannot be asked.
        References that stay as they were are not asked again: history is never rewritten."""
        changed = [one for one in REFERENCES if old is None or new[one.field] != old[one.field]]
        found = await asyncio.gather(*(self._ask(one, new[one.field]) for one in changed))
        missing = [
            FieldError(reference.field, "NOT_FOUND", f"{reference.noun} {new[reference.field]} não existe")
            for reference, answer in zip(changed, found, strict=True)
            if isinstance(answer, NotFound)
        ]
        if missing:
            raise Invalid(f"{missing[0].field}: {missing[0].message}", errors=missing)
        for reference, answer in zip(changed, found, strict=True):
            if isinstance(answer, Refusal):
                refusal = Unavailable(f"{reference.owner} não está respondendo; nada foi gravado")
                refusal.service = reference.owner  # so that nobody takes it for a fault of this service
                raise refusal from answer

    async def _ask(self, reference: Reference, id: int) -> Any:
        """What the owner shows, or its refusal."""
        try:
            return await self._remotes[reference.owner].read(reference.path.format(id), orjson.loads)
        except (NotFound, Unavailable, DeadlineExceeded) as refusal:
            return refusal
