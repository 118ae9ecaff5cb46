"""Describes collections as OpenAPI 3.1: every status that a client can meet, with headers and an example.

What all operations share (refusals, headers) is written once, under `components`. The links of an answer say which
requests its content makes possible. Clients may follow them, and `tests/fuzz` does so.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chassis.codes import FIELDS, PROBLEMS
from chassis.errors import TITLES
from chassis.identity.middleware import RequiredScope
from chassis.query.models import GroupedQuery
from chassis.rest.collection import Collection

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


def schema_ref(model: type[BaseModel] | str) -> Schema:
    return ref("schemas", model if isinstance(model, str) else model.__name__)


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
        ("Retry-After", "Seconds to wait.", True, {"type": "integer", "minimum": 0}, 1),
        ("RateLimit", "What is left: r units, for t seconds.", False, {"type": "string"}, '"default";r=0;t=12'),
        ("RateLimit-Policy", "The share: q units in w seconds.", False, {"type": "string"}, '"default";q=600;w=60'),
        ("WWW-Authenticate", "The challenge of RFC 6750.", False, {"type": "string"}, 'Bearer realm="solicita"'),
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

READ_REFUSALS = (400, 401, 403, 406, 422, 429, 500, 503, 504)
BODY_REFUSALS = (400, 401, 403, 406, 413, 415, 422, 429, 500, 503, 504)


def header(name: str, description: str, example: str, schema: Schema | None = None) -> Schema:
    """A request header as a parameter. (Its example is in the schema, like that of a query parameter.)"""
    document = {"name": name, "in": "header", "required": False, "description": description}
    return document | {"schema": (schema or {"type": "string"}) | {"examples": [example]}}


PARAMETERS: dict[str, Schema] = {
    "id": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of one row.",
        "schema": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
        "example": 1,
    },
    "X-Request-ID": header("X-Request-ID", "A UUID to be traced by; anything else is ignored.", TRACE_ID),
    "If-Match": header("If-Match", "Refuse with 412 unless this is still the version.", TAG),
    "If-None-Match": header("If-None-Match", "While this is the version, 304 to a GET and 412 to a change.", TAG),
    "Idempotency-Key": header(
        "Idempotency-Key",
        "A retry under the same key gets the first successful answer, for 24 h.",
        "8e03978e-40d5-43dd-bc93-6894a57f9324",
        {"type": "string", "pattern": "^[!-~]{1,255}$"},
    ),
    "Prefer": header(
        "Prefer",
        "`return=representation` answers with the row, `return=minimal` without it (RFC 7240). By default a `DELETE` "
        "is minimal, and other writes are not.",
        "return=representation",
    ),
}


class OperationDocs:
    """The operations of one collection."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.name = collection.kind.noun.capitalize()
        self.example = dict(collection.example)
        self.view = collection.view
        self.body_example = {
            field: next(
                (self.example[shown]["id"] for shown, stands_for in collection.expanded.items() if stands_for == field),
                self.example.get(field),
            )
            for field in collection.write.model_fields
        }

    def operation(self, action: str) -> dict[str, Any]:
        """FastAPI's arguments for one route."""
        public, name = schema_ref(self.collection.public), self.name
        conditions = ("If-Match", "If-None-Match")
        changed = answer(200, public, self.example, "ETag", "Idempotency-Replayed")
        changed |= answer(204, None, None, "ETag", "Idempotency-Replayed")
        changed["200"]["links"] = self._links("get", "replace", "merge", "delete")
        created = answer(201, public, self.example, "ETag", "Location", "Idempotency-Replayed")
        created["201"]["links"] = changed["200"]["links"]
        for written in (*changed.values(), *created.values()):
            written["headers"]["Preference-Applied"] = ref("headers", "Preference-Applied")
        replace, patch = schema_ref(f"{name}Replace"), schema_ref(f"{name}Patch")
        documents: dict[str, dict[str, Any]] = {
            "page": {
                "summary": f"A page of {name}",
                "parameters": [parameter.openapi() for parameter in self.collection.parameters.values()],
                "responses": answer(200, {"type": "array", "items": public}, [self.example], "Link", "X-Total-Count")
                | answer(304)
                | refusals(*READ_REFUSALS, 412, 414),
            },
            "create": {
                "summary": f"Create a {name}",
                "parameters": parameters("Idempotency-Key", "Prefer"),
                "requestBody": body(schema_ref(self.collection.write), self.body_example),
                "responses": created | refusals(*BODY_REFUSALS, 409, 412),
            },
            "query": {
                "summary": f"Read {name} by ids, by filter, or top-n per parent",
                "requestBody": body(
                    schema_ref(self.collection.query_model), {"first": 10, "ordering": "-id", "count": True}
                ),
                "responses": answer(
                    200,
                    schema_ref(f"{name}Result"),
                    {"items": [self.example], "has_next": False, "has_previous": False, "count": 1},
                )
                | refusals(*BODY_REFUSALS),
            },
            "get": self._get(),
            "replace": {
                "summary": f"Replace a {name}",
                "parameters": parameters("id", *conditions, "Idempotency-Key", "Prefer"),
                "requestBody": body(replace, self.body_example),
                "responses": changed | refusals(*BODY_REFUSALS, 404, 409, 412),
            },
            "merge": {
                "summary": f"Change some members of a {name} (JSON merge patch, RFC 7396)",
                "parameters": parameters("id", *conditions, "Idempotency-Key", "Prefer"),
                "requestBody": body(patch, self.body_example, "application/merge-patch+json", "application/json"),
                "responses": changed | refusals(*BODY_REFUSALS, 404, 409, 412),
            },
            "delete": {
                "summary": f"Delete a {name}",
                "parameters": parameters("id", *conditions, "Idempotency-Key", "Prefer"),
                "responses": answer(204, None, None, "Preference-Applied", "Idempotency-Replayed")
                | answer(200, public, self.example, "Preference-Applied", "Idempotency-Replayed")
                | refusals(*READ_REFUSALS, 404, 409, 412),
            },
        }
        extra = documents[action] | {"operationId": f"{action}{name}", "tags": [name]}
        status = 204 if action == "delete" else 201 if action == "create" else 200
        return {"openapi_extra": extra, "status_code": status, "response_model": None}

    def _get(self) -> Schema:
        refused = refusals(*READ_REFUSALS, 404, 412)
        if self.view:  # it shows what other services own, so it has no ETag
            model, example = self.view
            shown = answer(200, schema_ref(model), dict(example)) | answer(304)
            return {"summary": f"One {self.name}", "parameters": parameters("id"), "responses": shown | refused}
        shown = answer(200, schema_ref(self.collection.public), self.example, "ETag") | answer(304, None, None, "ETag")
        return {
            "summary": f"One {self.name}",
            "parameters": parameters("id", "If-Match", "If-None-Match"),
            "responses": shown | refused,
        }

    def _links(self, *actions: str) -> Schema:
        """The requests that are possible next on the row of the answer."""
        found: Schema = {}
        for action in actions:
            values = {"path.id": "$response.body#/id"}
            if action != "get":
                values["header.If-Match"] = "$response.header.ETag"
            found[action] = {
                "operationId": f"{action}{self.name}",
                "description": f"{action.capitalize()} this {self.name}.",
                "parameters": values,
            }
        return found

    def schemas(self) -> dict[str, Schema]:
        """The component schemas that the operations refer to."""
        collection, name = self.collection, self.name
        models: list[type[BaseModel]] = [collection.public, collection.write, collection.query_model]
        if self.view:
            models.append(self.view[0])
        _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF_TEMPLATE)
        schemas = cast("dict[str, Schema]", _untitled(found["$defs"]))
        public, write = schemas[collection.public.__name__], schemas[collection.write.__name__]
        for schema in (public, write):
            schema["additionalProperties"] = False
        # A client may write back what it has read: a read-only member is accepted when it repeats the stored value.
        read_only = {
            field: {"allOf": [schema], "readOnly": True, "description": "Accepted when it repeats what is stored."}
            for field, schema in public["properties"].items()
            if field not in write["properties"]
        }
        full = write | {"properties": write["properties"] | read_only}
        schemas[f"{name}Replace"] = full
        schemas[f"{name}Patch"] = {member: value for member, value in full.items() if member != "required"}
        schemas[f"{name}Result"] = self._result()
        return schemas

    def _result(self) -> Schema:
        items = {"type": "array", "items": schema_ref(self.collection.public)}
        ids = {"type": "array", "items": {"type": "integer", "format": "int64"}}
        flag = {"type": "boolean"}
        count = {"type": "integer", "minimum": 0, "description": "All rows that match, when the query asks."}
        page = {"items": items, "has_next": flag, "has_previous": flag}
        shapes = [
            closed("A page", page, {"count": count}),
            closed("A bulk read", {"items": items}),
            closed("Ids", {"ids": ids, "has_next": flag}),
        ]
        if issubclass(self.collection.query_model, GroupedQuery):
            group = closed(
                "A page of one parent", {"id": {"type": "integer", "format": "int64"}, **page}, {"count": count}
            )
            shapes.append(closed("A page per parent", {"groups": {"type": "array", "items": group}}))
        return {"description": "By what the query asked for.", "oneOf": shapes}


REF_TEMPLATE = schema_ref("{model}")["$ref"]


def closed(title: str, required: Schema, optional: Schema | None = None) -> Schema:
    """An object of exactly these members."""
    return {
        "title": title,
        "type": "object",
        "required": list(required),
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


def answer(status: int, schema: Schema | None = None, example: Any = None, *headers: str) -> dict[str, Schema]:
    """One good answer, by its status."""
    found: Schema = {
        "description": HTTPStatus(status).phrase,
        "headers": {name: ref("headers", name) for name in (*headers, "X-Request-ID")},
    }
    if schema is not None:
        found["content"] = {"application/json": {"schema": schema, "example": example}}
    return {str(status): found}


def refusals(*statuses: int) -> dict[str, Schema]:
    return {str(status): ref("responses", _refusal_name(status)) for status in statuses}


def parameters(*names: str) -> list[Schema]:
    return [ref("parameters", name) for name in names]


def body(schema: Schema, example: Any, *media_types: str) -> Schema:
    content = {
        media_type: {"schema": schema, "example": example} for media_type in media_types or ("application/json",)
    }
    return {"required": True, "content": content}


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
        "content": {"application/problem+json": {"schema": schema_ref("Problem"), "example": example}},
    }


def _untitled(node: Any) -> Any:
    """A copy without pydantic's titles, which only repeat the names."""
    if isinstance(node, dict):
        members = cast("Schema", node)
        return {
            name: _untitled(value) for name, value in members.items() if name != "title" or not isinstance(value, str)
        }
    return [_untitled(one) for one in cast("list[Any]", node)] if isinstance(node, list) else node


def index(paths: dict[str, str]) -> dict[str, Any]:
    """FastAPI's arguments for the route that lists the collections."""
    schema = closed("Index", {name: {"const": path} for name, path in paths.items()})
    extra = {"responses": answer(200, schema, paths) | refusals(406, 429, 500)}
    return {
        "summary": "The collections and their URLs",
        "operation_id": "index",
        "tags": ["index"],
        "response_model": None,
        "openapi_extra": extra,
    }


def describe(app: FastAPI, collections: tuple[Collection, ...], required_scope: RequiredScope) -> None:
    """Makes `app.openapi()` describe the whole contract. `required_scope` says which scope an operation requires."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(
                title=app.title,
                version=app.version,
                description=f"{app.description} {COMMON}",
                routes=app.routes,
                servers=[{"url": "/"}],
                tags=[{"name": OperationDocs(one).name, "description": one.path} for one in collections]
                + [{"name": "index", "description": "/api/"}],
            )
            for path, operations in document["paths"].items():
                for method, operation in operations.items():
                    if scope := required_scope(method.upper(), path):
                        operation["security"] = [{"bearer": [scope]}, {}]
                    operation.setdefault("parameters", []).append(ref("parameters", "X-Request-ID"))
                    operation["responses"] = dict(sorted(operation["responses"].items()))
            schemas: dict[str, Schema] = {"Problem": PROBLEM}
            for collection in collections:
                schemas |= OperationDocs(collection).schemas()
            first = collections[0]
            document["components"] = {
                "schemas": dict(sorted(schemas.items())),
                "responses": {
                    _refusal_name(status): _refusal(status, app.title, first.kind.noun, first.path)
                    for status in REFUSALS
                },
                "headers": HEADERS | {"Location": HEADERS["Location"] | {"example": f"{first.path}1/"}},
                "parameters": PARAMETERS,
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
