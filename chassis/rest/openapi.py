"""Describes collections as OpenAPI 3.1: every status that a client can meet, with headers and an example.

What all operations share (refusals, headers) is written once, under `components`. The links of an answer say which
requests its content makes possible. Clients may follow them, and `tests/fuzz` does so.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, cast, get_args
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from chassis.codes import FIELDS, PROBLEMS
from chassis.errors import TITLES
from chassis.identity.middleware import RequiredScope
from chassis.query.pagination import INT8
from chassis.rest.collection import Collection
from chassis.web.body import MERGE_PATCH
from chassis.web.reading import is_model
from chassis.web.versions import Deprecation, Deprecations, is_short, long_path

Schema = dict[str, Any]

COMMON = (
    "Every `GET` also answers `HEAD`, and every path `OPTIONS` with `Allow` (and `Accept-Patch`); another method is "
    "405, with `Allow`. "
    "What carries no `ETag` has no version: of `If-Match` and `If-None-Match` only `*` is true there. "
    "Every error is `application/problem+json` (RFC 9457), 404 of an unknown path and 405 too; a host that is none of "
    "ours is 421, and whatever but a GET comes from a web page of another origin 403. "
    "Every answer carries `X-Request-ID`, the trace id of the request; with a rate limit, `RateLimit` and "
    "`RateLimit-Policy` too."
)


def ref(kind: str, name: str) -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


PROBLEM: Schema = {
    "type": "object",
    "description": "An error, as RFC 9457 writes it. `detail` is Portuguese, `code` is stable.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "enum": [*PROBLEMS]},
        "trace_id": {"type": "string", "description": "Only in a 5xx: what to tell the support."},
        "service": {"type": "string", "description": "Only in a 5xx: the neighbour whose fault it is."},
        "errors": {
            "type": "array",
            "description": "Only in a 422: each field at fault.",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string", "description": "Its dotted path."},
                    "code": {"type": "string", "enum": [*FIELDS]},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TAG = '"mDzBv0Xv4Fk1mXPk0kVZ"'
POSITION = "7f0c6d1e-9d6b-4c3a-8a51-2f6f0b9d3c11:4712"
HEADERS: dict[str, Schema] = {
    name: {"description": description, "required": required, "schema": schema, "example": example}
    for name, description, required, schema, example in (
        ("X-Request-ID", "The trace id.", True, {"type": "string", "pattern": "^[0-9a-f]{32}$"}, TRACE_ID),
        ("ETag", "Strong validator.", True, {"type": "string", "pattern": '^"[A-Za-z0-9_-]+"$'}, TAG),
        ("Location", "Where the new row is.", True, {"type": "string", "format": "uri-reference"}, "/api/things/1/"),
        ("Link", "rel=next and rel=prev, while there is more.", False, {"type": "string"}, '<?cursor=x>; rel="next"'),
        ("X-Total-Count", "All rows that match, when count=true.", False, {"type": "integer", "minimum": 0}, 1234),
        ("Idempotency-Replayed", "`true` when this is the first answer again.", False, {"const": "true"}, "true"),
        ("Preference-Applied", "What of `Prefer` was done.", False, {"type": "string"}, "return=representation"),
        ("Read-After", "How far the changes go with this write.", False, {"type": "string"}, POSITION),
        ("Retry-After", "Seconds to wait.", True, {"type": "integer", "minimum": 0}, 1),
        ("RateLimit", "What is left: r units, for t seconds.", False, {"type": "string"}, '"default";r=0;t=12'),
        ("RateLimit-Policy", "The share: q units in w seconds.", False, {"type": "string"}, '"default";q=600;w=60'),
        ("WWW-Authenticate", "The challenge of RFC 6750.", False, {"type": "string"}, 'Bearer realm="solicita"'),
        ("Deprecation", "Since when this is deprecated (RFC 9745).", True, {"type": "string"}, "@1688169599"),
        ("Sunset", "When this may be gone (RFC 8594).", True, {"type": "string"}, "Fri, 01 Jan 2027 00:00:00 GMT"),
        ("Accept", "The media types this takes.", False, {"type": "string"}, "application/json"),
        ("Accept-Encoding", "The codings this takes.", False, {"type": "string"}, "identity"),
        ("Accept-Patch", "The media types this `PATCH` takes.", False, {"type": "string"}, "application/json"),
    )
}

REFUSALS: dict[int, tuple[str, str]] = {
    400: ("MALFORMED", "JSON malformado na linha 1, coluna 2"),
    401: ("UNAUTHENTICATED", "o token expirou"),
    403: ("FORBIDDEN", "falta o escopo {name}:read"),
    404: ("NOT_FOUND", "{noun} 999 não existe"),
    406: ("NOT_ACCEPTABLE", "só há representação em application/json"),
    409: ("CONTENDED", "o recurso está sendo alterado por outros; tente de novo"),
    410: ("GONE", "as mudanças desde essa posição já não são guardadas; recomece sem `after`"),
    412: ("PRECONDITION_FAILED", "o recurso foi alterado por outra pessoa; leia-o de novo e repita"),
    413: ("TOO_LARGE", "o corpo passa do limite de 1000000 bytes"),
    414: ("LIMIT_EXCEEDED", "o endereço passa do limite de 49152 bytes"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "o corpo deve ser application/json em UTF-8"),
    422: ("INVALID", "id: deve ser um número inteiro"),
    429: ("RATE_LIMITED", "a cota é de 600 por minuto; tente de novo em 12 s"),
    500: ("INTERNAL", "erro interno; informe o trace_id ao suporte"),
    503: ("UNAVAILABLE", "o banco de dados não está respondendo; tente de novo em instantes"),
    504: ("TOO_SLOW", "esta consulta demora demais e foi interrompida; peça menos, com um filtro mais restrito"),
}
REFUSAL_HEADERS = {
    400: ("WWW-Authenticate",),
    401: ("WWW-Authenticate",),
    403: ("WWW-Authenticate",),
    409: ("Retry-After",),
    415: ("Accept", "Accept-Encoding", "Accept-Patch"),
    429: ("Retry-After", "RateLimit", "RateLimit-Policy"),
    503: ("Retry-After",),
}

SECURITY: Schema = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "An access token of the configured issuer. Only where AUTH_MODE is jwt; else nobody is asked.",
    }
}

REQUEST_ID: Schema = {
    "name": "X-Request-ID",
    "in": "header",
    "required": False,
    "description": "A UUID to be traced by; anything else is ignored.",
    "schema": {"type": "string", "examples": [TRACE_ID]},
}


def answer(
    status: int, example: Any = None, *headers: str, model: Any = None, links: Schema | None = None
) -> dict[int | str, Any]:
    """One good answer, as FastAPI's argument `responses` has it. Without an example it has no content."""
    named = {name: ref("headers", name) for name in headers}
    found: Schema = {"description": HTTPStatus(status).phrase, "headers": named}
    if example is not None:
        found["content"] = {"application/json": {"example": example}}
    if model is not None:
        found["model"] = model
    if links:
        found["links"] = links
    return {status: found}


def example_of(model: type[BaseModel]) -> Schema:
    """An object with the example of each field, the id first. Fields without one are left out."""
    found: Schema = {}
    for name, field in sorted(model.model_fields.items(), key=lambda item: item[0] != "id"):
        shown = next((one for one in (field.annotation, *get_args(field.annotation)) if is_model(one)), None)
        if shown or field.examples:
            found[name] = example_of(shown) if shown else (field.examples or [None])[0]
    return found


def links(name: str, *actions: str) -> Schema:
    """The requests that are possible next on the row of an answer."""
    found: Schema = {}
    for action in actions:
        values = {"path.id": "$response.body#/id"}
        if action != "get":
            values["header.If-Match"] = "$response.header.ETag"
        description = f"{action.capitalize()} this {name}."
        found[action] = {"operationId": f"{action}{name}", "description": description, "parameters": values}
    return found


def _complete(operation: Schema, method: str) -> None:
    """Adds to FastAPI's description of an operation what all operations of this kind share."""
    taken = operation.setdefault("parameters", [])
    for parameter in taken:
        for said in ("style", "explode"):  # OpenAPI says this beside the schema, where FastAPI has no place for it
            if said in parameter["schema"]:
                parameter[said] = parameter["schema"].pop(said)
        parameter["schema"].pop("description", None)
    places, names = {one["in"] for one in taken}, {one["name"] for one in taken}
    statuses = [400, 401, 403, 406, 429, 500, 503, 504]
    statuses += [404] if "path" in places else []
    statuses += [414] if "query" in places else []
    statuses += [410] if "after" in names else []
    statuses += [409] if "Idempotency-Key" in names else []
    statuses += [412] if "If-Match" in names else []
    statuses += [413, 415] if "requestBody" in operation else []
    statuses += [422] if taken or "requestBody" in operation else []
    answers = operation["responses"]
    if "If-None-Match" in names and method == "get":
        answers.setdefault("304", answer(304)[304])
    answers.pop("422", None)  # FastAPI's own
    for good in answers.values():
        good.setdefault("headers", {})["X-Request-ID"] = ref("headers", "X-Request-ID")
    answers |= {str(status): ref("responses", _refusal_name(status)) for status in statuses}
    operation["responses"] = dict(sorted(answers.items()))
    if content := operation.get("requestBody", {}).get("content") if method == "patch" else None:
        for media_type in MERGE_PATCH:
            content.setdefault(media_type, next(iter(content.values())))
    taken.append(ref("parameters", "X-Request-ID"))


def _twins(path: str, operations: Schema) -> Schema:
    """The same operations at the path with the version in it. What they take and answer refers to those at `path`. The
    whole item cannot be a reference, since each operation must have an id of its own, by which generators name it."""
    found: Schema = {}
    for method, operation in operations.items():
        place = f"#/paths/{quote(path.replace('/', '~1'), safe='~')}/{method}"
        twin = operation | {"operationId": f"{operation['operationId']}V1"}
        twin["responses"] = {
            status: one if "$ref" in one else {"$ref": f"{place}/responses/{status}"}
            for status, one in operation["responses"].items()
        }
        twin["parameters"] = [
            one if "$ref" in one else {"$ref": f"{place}/parameters/{n}"}
            for n, one in enumerate(operation["parameters"])
        ]
        if "requestBody" in operation:
            twin["requestBody"] = {"$ref": f"{place}/requestBody"}
        found[method] = twin
    return found


def _say_deprecated(operation: Schema, deprecation: Deprecation) -> None:
    """Marks an operation, and names the headers that its answers have. Its refusals, which it shares with others, have
    them too."""
    operation["deprecated"] = True
    named = ["Deprecation"] + ["Sunset"] * (deprecation.sunset is not None)
    for good in operation["responses"].values():
        good.setdefault("headers", {}).update({name: ref("headers", name) for name in named})


def _refusal_name(status: int) -> str:
    return TITLES[status].replace(" ", "")


def _refusal(status: int, name: str, noun: str, path: str) -> Schema:
    code, detail = REFUSALS[status]
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES[status],
        "status": status,
        "detail": detail.format(name=name, noun=noun),
        "instance": path,
        "code": code,
    }
    if status == 422:
        errors = [{"field": "id", "code": "NOT_AN_INTEGER", "message": "deve ser um número inteiro"}]
        example |= {"instance": f"{path}x/", "errors": errors}
    if status == 404:
        example["instance"] = f"{path}999/"
    if status >= 500:
        example["trace_id"] = TRACE_ID
    headers = {name: ref("headers", name) for name in (*REFUSAL_HEADERS.get(status, ()), "X-Request-ID")}
    if status == 412:
        headers["ETag"] = HEADERS["ETag"] | {"description": "The version that there is.", "required": False}
    return {
        "description": TITLES[status],
        "headers": headers,
        "content": {"application/problem+json": {"schema": ref("schemas", "Problem"), "example": example}},
    }


def _tidied(node: Any) -> Any:
    """A copy without titles, which only repeat the names, and with integers as bounds: FastAPI makes floats of them,
    which cannot hold the greatest id."""
    if isinstance(node, list):
        return [_tidied(one) for one in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    members = cast("Schema", node)
    tidied: Schema = {}
    for name, value in members.items():
        if name in ("example", "examples"):
            tidied[name] = value
        elif name in ("minimum", "maximum") and isinstance(value, float):
            tidied[name] = min(int(value), INT8) if value.is_integer() else value
        elif name != "title" or not isinstance(value, str):
            tidied[name] = _tidied(value)
    return tidied


def describe(
    app: FastAPI, collections: tuple[Collection, ...], required_scope: RequiredScope, deprecations: Deprecations
) -> None:
    """Makes `app.openapi()` describe the whole contract. `required_scope` says which scope an operation requires."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=f"{app.description} {COMMON}",
                routes=app.routes,
                servers=[{"url": "/"}],
                tags=[{"name": one.name, "description": one.path} for one in collections]
                + [{"name": "changes", "description": "/api/changes/"}, {"name": "index", "description": "/api/"}],
                separate_input_output_schemas=False,
            )
            document["paths"] = _tidied(document["paths"])
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if scope := required_scope(method.upper(), path):
                        operation["security"] = [{"bearer": [scope]}, {}]
                    if found := deprecations.find(path):
                        _say_deprecated(operation, found[1])
                    _complete(operation, method)
            for path, operations in [*document["paths"].items()]:
                if is_short(path):
                    document["paths"].setdefault(long_path(path), _twins(path, operations))
            schemas: dict[str, Schema] = _tidied(document.get("components", {}).get("schemas", {}))
            for own in ("ValidationError", "HTTPValidationError"):  # FastAPI's, in whose place is `Problem`
                schemas.pop(own, None)
            for closed in (model for one in collections for model in (one.public, one.write)):
                schemas[closed.__name__]["additionalProperties"] = False
            first = collections[0]
            document["components"] = {
                "schemas": dict(sorted((schemas | {"Problem": PROBLEM}).items())),
                "responses": {
                    _refusal_name(status): _refusal(status, app.title, first.kind.noun, first.path)
                    for status in REFUSALS
                },
                "headers": HEADERS | {"Location": HEADERS["Location"] | {"example": f"{first.path}1/"}},
                "parameters": {"X-Request-ID": REQUEST_ID},
                "securitySchemes": SECURITY,
            }
            used = json.dumps(document)
            for kind, components in document["components"].items():
                if kind == "securitySchemes":
                    continue
                document["components"][kind] = {
                    name: one for name, one in components.items() if f'"{ref(kind, name)["$ref"]}"' in used
                }
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi
