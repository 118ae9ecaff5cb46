"""The codes of errors as GraphQL enums: for errors in a mutation's payload, and for `extensions.code`."""

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
"""The codes in payloads: REST's codes of fields, those of a whole write, and `INVALID_ID`, which only GraphQL needs."""

CodigoErro = _enum("CodigoErro", PAYLOADS, "O que corrigir.")
CodigoExtensions = _enum("CodigoExtensions", EXTENSIONS, "Os valores de extensions.code, nos erros da resposta.")


def known_code(code: str) -> str:
    """The code if the schema has it, else `INVALID`: a service that is newer than this gateway may have other codes."""
    return code if code in PAYLOADS else "INVALID"
