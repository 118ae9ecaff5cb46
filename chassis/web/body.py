"""Reads a request's JSON body strictly by RFC 8259: it must be UTF-8, without NaN and without duplicate names.

Python's own parser accepts UTF-16, `NaN`, duplicate names and lone surrogates. A strict contract allows none of these.
"""

import json
from typing import Any, NoReturn, cast

from starlette.requests import ClientDisconnect, Request

from chassis.errors import FieldError, Invalid, Malformed, UnsupportedMedia
from chassis.query.pagination import INT8
from chassis.request.headers import combined
from chassis.web.query_string import is_text
from chassis.web.validation import MAX_ERRORS, too_many_errors

JSON = ("application/json",)
MERGE_PATCH = ("application/merge-patch+json", "application/json")

MAX_MEMBERS = MAX_ERRORS + 50
"""The most members of a body. No model has more than fifty, so the rest are errors."""


async def read_body(request: Request) -> bytes:
    """The body, which usually comes in one message. Raises TooLarge (from the middleware) or ClientDisconnect."""
    message = await request.receive()
    pieces: list[bytes] = [message.get("body", b"")]
    while message.get("more_body"):
        message = await request.receive()
        pieces.append(message.get("body", b""))
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return b"".join(pieces)


def require_media_type(request: Request, media_types: tuple[str, ...]) -> None:
    fields = combined(request.scope["headers"])
    media_type, _, parameters = fields.get(b"content-type", b"").decode("latin-1").lower().partition(";")
    charset = parameters.partition("charset=")[2].split(";")[0].strip(' "')
    if media_type.strip() not in media_types or charset not in ("", "utf-8", "utf8"):
        accepted = {"Accept": ", ".join(media_types)}
        if request.method == "PATCH":
            accepted["Accept-Patch"] = accepted["Accept"]  # RFC 5789, 2.2
        raise UnsupportedMedia(f"o corpo deve ser {media_types[0]} em UTF-8", headers=accepted)
    if fields.get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnsupportedMedia(
            "o corpo não pode vir comprimido (Content-Encoding)", headers={"Accept-Encoding": "identity"}
        )


def parse(raw: bytes) -> Any:
    """Parses strict JSON. Raises Malformed."""
    try:
        return DECODER.decode(raw.decode())
    except UnicodeDecodeError:
        raise Malformed("o corpo não é UTF-8 válido") from None
    except RecursionError:
        raise Malformed("o corpo está aninhado demais") from None
    except json.JSONDecodeError as failure:
        raise Malformed(f"JSON malformado na linha {failure.lineno}, coluna {failure.colno}") from None
    except ValueError:  # an integer has more than 4,300 digits
        raise Malformed("JSON malformado: número grande demais") from None


def require_object(value: Any) -> dict[str, Any]:
    """The value as a JSON object. Raises Invalid when it is not one."""
    if not isinstance(value, dict):
        message = "deve ser um objeto JSON"
        raise Invalid(f"corpo: {message}", errors=[FieldError("corpo", "NOT_AN_OBJECT", message)])
    members = cast("dict[str, Any]", value)
    require_few_members(members)
    return members


def require_few_members(members: dict[str, Any]) -> None:
    """Raises Invalid for so many members that most must be unknown, without checking each of them."""
    if len(members) > MAX_MEMBERS:
        raise too_many_errors("corpo")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object with these members. Raises Malformed for a name that is repeated or is no valid Unicode."""
    members = dict(pairs)
    if len(members) != len(pairs):
        seen = set[str]()
        repeated = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise Malformed(f"JSON malformado: o membro {repeated!a} aparece mais de uma vez")
    for name in members:
        if not name.isascii() and not is_text(name):
            raise Malformed(f"JSON malformado: o nome {name!a} tem um surrogate sem o seu par")
    return members


def _parse_number(text: str) -> int | float:
    """Parses 18.0 as the integer 18: to JSON, and to JSON Schema's `integer`, they are the same."""
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= INT8 else value


def _refuse_constant(constant: str) -> NoReturn:
    raise Malformed(f"JSON malformado: {constant} não é um número JSON")


DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_parse_number)
