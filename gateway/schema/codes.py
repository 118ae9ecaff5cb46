"""The codes of errors as enums: of what a mutation's caller can mend, and of every other error."""

from collections.abc import Mapping
from enum import Enum
from typing import Any, cast

import strawberry

from chassis.codes import FIELDS
from gateway.errors import EXTENSIONS


def _enum(name: str, codes: Mapping[str, str], description: str) -> Any:
    values = {code: strawberry.enum_value(code, description=said) for code, said in codes.items()}
    return strawberry.enum(cast("type[Enum]", Enum(name, values)), description=description)


PAYLOADS = FIELDS | {
    "CONFLICT": "Não combina com o que está gravado.",
    "CONTENDED": "Outros estão mudando o mesmo; tente de novo.",
    "IDEMPOTENCY_KEY_REUSED": "A Idempotency-Key já foi usada em outro pedido.",
    "INVALID_ID": "Não é um id.",
    "IN_PROGRESS": "O mesmo pedido, com a mesma Idempotency-Key, ainda está em andamento.",
    "PRECONDITION_FAILED": "O que está gravado mudou desde que foi lido.",
}
"""REST's codes of fields; those of a write as a whole; and what only GraphQL's ids can be."""

CodigoErro = _enum("CodigoErro", PAYLOADS, "O que corrigir.")
CodigoExtensions = _enum("CodigoExtensions", EXTENSIONS, "Os valores de extensions.code, nos erros da resposta.")


def of_the_list(code: str) -> str:
    """The code, if this gateway knows it; a service that is newer may have others."""
    return code if code in PAYLOADS else "INVALID"
