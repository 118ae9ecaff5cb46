"""Turns pydantic's errors into the refusal that names each field, with our stable codes and Portuguese messages."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from chassis.errors import FieldError, Invalid, InvalidValue, over_limit

M = TypeVar("M", bound=BaseModel)

MESSAGES: dict[str, tuple[str, str]] = {
    # pydantic's error type: our stable code, our Portuguese message (with pydantic's context filled in)
    "missing": ("REQUIRED", "campo obrigatório"),
    "extra_forbidden": ("UNKNOWN_FIELD", "campo desconhecido"),
    "string_type": ("NOT_A_STRING", "deve ser um texto"),
    "string_too_short": ("BLANK", "não pode ficar em branco"),
    "string_too_long": ("TOO_LONG", "deve ter no máximo {max_length} caracteres"),
    "string_pattern_mismatch": ("INVALID_CHARACTER", "contém caracteres não permitidos"),
    "string_unicode": ("INVALID_CHARACTER", "contém caracteres que não são Unicode válido"),
    "int_type": ("NOT_AN_INTEGER", "deve ser um número inteiro"),
    "int_parsing": ("NOT_AN_INTEGER", "deve ser um número inteiro"),
    "int_from_float": ("NOT_AN_INTEGER", "deve ser um número inteiro"),
    "int_parsing_size": ("OUT_OF_RANGE", "fora do intervalo permitido"),
    "greater_than_equal": ("OUT_OF_RANGE", "deve ser maior ou igual a {ge}"),
    "less_than_equal": ("OUT_OF_RANGE", "deve ser menor ou igual a {le}"),
    "decimal_max_digits": ("OUT_OF_RANGE", "deve ter no máximo {max_digits} algarismos"),
    "decimal_max_places": ("OUT_OF_RANGE", "deve ter no máximo {decimal_places} casas decimais"),
    "decimal_whole_digits": ("OUT_OF_RANGE", "deve ter no máximo {whole_digits} algarismos antes do ponto"),
    "too_long": ("TOO_MANY", "deve ter no máximo {max_length} itens"),
    "too_short": ("TOO_FEW", "deve ter pelo menos {min_length} item"),
    "bool_type": ("NOT_A_BOOLEAN", "deve ser true ou false"),
    "bool_parsing": ("NOT_A_BOOLEAN", "deve ser true ou false"),
    "list_type": ("NOT_A_LIST", "deve ser uma lista"),
    "literal_error": ("INVALID_CHOICE", "deve ser um de: {expected}"),
    "enum": ("INVALID_CHOICE", "deve ser um de: {expected}"),
    "model_type": ("NOT_AN_OBJECT", "deve ser um objeto JSON"),
    "model_attributes_type": ("NOT_AN_OBJECT", "deve ser um objeto JSON"),
    "dict_type": ("NOT_AN_OBJECT", "deve ser um objeto JSON"),
}


MAX_ERRORS = 100
"""The most errors that are listed for one request. Nobody reads more of them."""


def too_many_errors(field: str) -> Invalid:
    return over_limit(field, f"tem mais de {MAX_ERRORS} erros")


def validate(kind: type[M], value: Any) -> M:
    """`value` as `kind`. Raises Invalid, which names each wrong field."""
    try:
        return kind.model_validate(value)
    except ValidationError as failure:
        raise refuse_fields(failure) from None


def refuse_fields(failure: ValidationError, prefix: str = "") -> Invalid:
    """pydantic's failure as the 422 that names every field, in Portuguese."""
    if failure.error_count() > MAX_ERRORS:
        return too_many_errors(prefix or "corpo")
    return refuse(field_errors(failure.errors(include_url=False), prefix))


def field_errors(errors: Iterable[Mapping[str, Any]], prefix: str = "") -> list[FieldError]:
    """pydantic's errors as ours."""
    errors_found: list[FieldError] = []
    for error in errors:
        field = ".".join([prefix, *map(str, error["loc"])] if prefix else map(str, error["loc"])) or "corpo"
        if error["input"] is None and error["type"] != "missing":
            errors_found.append(FieldError(field, "NULL", "não pode ser nulo"))
            continue
        reason = error.get("ctx", {}).get("error")
        if isinstance(reason, InvalidValue):  # a model's own rule raised it
            errors_found.append(FieldError(field, reason.code, reason.message))
            continue
        code, message = MESSAGES.get(error["type"], ("INVALID", "valor inválido"))
        errors_found.append(FieldError(field, code, message.format(**error.get("ctx", {}))))
    return errors_found


def refuse(errors: Sequence[FieldError]) -> Invalid:
    """The 422 that names every field of `errors`."""
    first = errors[0]
    code = "LIMIT_EXCEEDED" if first.code == "LIMIT_EXCEEDED" else None
    return Invalid(f"{first.field}: {first.message}", code=code, errors=errors)
