"""What a collection takes and answers, as OpenAPI 3.1: every status a client can meet, with headers and an example."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from chassis.errors import TITLES

if TYPE_CHECKING:
    from chassis.collection import Collection

REF = "#/components/schemas/{model}"
Schema = dict[str, Any]

PROBLEM: Schema = {
    "type": "object",
    "description": "An error, as RFC 9457 writes it. `detail` is Portuguese, `code` is stable.",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "pattern": "^[A-Z][A-Z_]*$"},
        "trace_id": {"type": "string", "description": "Only in a 5xx: what to tell the support."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "message"],
                "properties": {
                    "field": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}

ID_PARAMETER: Schema = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The id of one row.",
    "schema": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "example": 1,
}

REFUSALS: dict[int, tuple[str, str]] = {
    400: ("MALFORMED", "JSON malformado na linha 1, coluna 2"),
    404: ("NOT_FOUND", "{noun} 999 não existe"),
    406: ("NOT_ACCEPTABLE", "só há representação em application/json"),
    409: ("IN_PROGRESS", "um pedido igual ainda está em andamento"),
    412: ("PRECONDITION_FAILED", "o recurso foi alterado por outra pessoa; leia-o de novo e repita"),
    413: ("TOO_LARGE", "o corpo passa do limite de 1000000 bytes"),
    415: ("UNSUPPORTED_MEDIA_TYPE", "o corpo deve ser application/json em UTF-8"),
    422: ("INVALID", "campo: valor inválido"),
    500: ("INTERNAL", "erro interno; informe o trace_id ao suporte"),
    503: ("UNAVAILABLE", "o banco de dados não está respondendo; tente de novo em instantes"),
}

READ_REFUSALS = (406, 422, 500, 503)
BODY_REFUSALS = (400, 406, 413, 415, 422, 500, 503)


def header(name: str, description: str, example: str) -> Schema:
    schema = {"type": "string"}
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


IF_MATCH = header("If-Match", "Refuse with 412 unless this is still the version (RFC 9110).", '"3q2-7w"')
IF_NONE_MATCH = header("If-None-Match", "Answer 304 when this is still the version (RFC 9110).", '"3q2-7w"')
IDEMPOTENCY_KEY = header(
    "Idempotency-Key", "A retry under the same key gets the first answer, for 24 h.", "8e03978e-40d5-43dd"
)
PREFER = header(
    "Prefer", "`return=representation` answers 200 with what was deleted (RFC 7240).", "return=representation"
)
ETAG = {"ETag": {"description": "Strong validator of the representation.", "schema": {"type": "string"}}}
LOCATION = {
    "Location": {"description": "The URL of the new row.", "schema": {"type": "string", "format": "uri-reference"}}
}
PAGE_HEADERS = {
    "Link": {"description": "rel=next and rel=prev, while there is more (RFC 8288).", "schema": {"type": "string"}},
    "X-Total-Count": {"description": "All rows that match, when count=true.", "schema": {"type": "integer"}},
}


class Described:
    """The operations of one collection."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.name = collection.kind.noun.capitalize()
        self.example = dict(collection.example)
        self.body_example = {
            field: next(
                (self.example[shown]["id"] for shown, stands_for in collection.expanded.items() if stands_for == field),
                self.example.get(field),
            )
            for field in collection.write.model_fields
        }

    def operation(self, action: str) -> dict[str, Any]:
        """FastAPI's arguments for one route."""
        public, write = _ref(self.collection.public), _ref(self.collection.write)
        described: dict[str, dict[str, Any]] = {
            "page": {
                "summary": f"A page of {self.name}",
                "parameters": [parameter.openapi() for parameter in self.collection.parameters.values()],
                "responses": _ok({"type": "array", "items": public}, [self.example], PAGE_HEADERS)
                | self._refusals(*READ_REFUSALS),
            },
            "create": {
                "summary": f"Create a {self.name}",
                "parameters": [IDEMPOTENCY_KEY],
                "requestBody": _body(write, self.body_example),
                "responses": _ok(public, self.example, ETAG | LOCATION, status=201)
                | self._refusals(*BODY_REFUSALS, 409),
            },
            "query": {
                "summary": f"Read {self.name} by ids, by filter, or top-n per parent",
                "requestBody": _body(
                    _ref(self.collection.query_model), {"first": 10, "ordering": "-id", "count": True}
                ),
                "responses": _ok(_ref_name(f"{self.name}Result"), {"items": [self.example], "has_next": False})
                | self._refusals(*BODY_REFUSALS),
            },
            "get": {
                "summary": f"One {self.name}",
                "parameters": [ID_PARAMETER, IF_NONE_MATCH],
                "responses": _ok(public, self.example, ETAG)
                | {"304": {"description": "Not Modified", "headers": ETAG}}
                | self._refusals(*READ_REFUSALS, 404),
            },
            "replace": {
                "summary": f"Replace a {self.name}",
                "parameters": [ID_PARAMETER, IF_MATCH],
                "requestBody": _body(write, self.body_example),
                "responses": _ok(public, self.example, ETAG) | self._refusals(*BODY_REFUSALS, 404, 409, 412),
            },
            "merge": {
                "summary": f"Change some members of a {self.name} (JSON merge patch, RFC 7396)",
                "parameters": [ID_PARAMETER, IF_MATCH],
                "requestBody": _body(
                    _ref_name(f"{self.name}Patch"),
                    self.body_example,
                    "application/merge-patch+json",
                    "application/json",
                ),
                "responses": _ok(public, self.example, ETAG) | self._refusals(*BODY_REFUSALS, 404, 409, 412),
            },
            "delete": {
                "summary": f"Delete a {self.name}",
                "parameters": [ID_PARAMETER, IF_MATCH, PREFER],
                "responses": {"204": {"description": "No Content"}}
                | _ok(public, self.example)
                | self._refusals(*READ_REFUSALS, 404, 412),
            },
        }
        extra = described[action] | {"operationId": f"{action}{self.name}", "tags": [self.name]}
        status = 204 if action == "delete" else 201 if action == "create" else 200
        return {"openapi_extra": extra, "status_code": status, "response_model": None}

    def schemas(self) -> dict[str, Schema]:
        """The component schemas that the operations refer to."""
        collection = self.collection
        models: list[type[BaseModel]] = [collection.public, collection.write, collection.query_model]
        _, found = models_json_schema([(model, "validation") for model in models], ref_template=REF)
        schemas: dict[str, Schema] = found["$defs"]
        write = schemas[collection.write.__name__]
        schemas[f"{self.name}Patch"] = write | {"title": f"{self.name}Patch", "required": [], "minProperties": 0}
        items = {"type": "array", "items": _ref(collection.public)}
        page = {
            "items": items,
            "has_next": {"type": "boolean"},
            "has_previous": {"type": "boolean"},
            "count": {"type": "integer", "description": "All rows that match, when the query asks."},
        }
        group = {"type": "object", "required": ["id", "items"], "properties": {"id": {"type": "integer"}, **page}}
        schemas[f"{self.name}Result"] = {
            "type": "object",
            "description": "`items` of a page or of a bulk read; `ids` when ids were selected; `groups` per parent.",
            "properties": {
                **page,
                "ids": {"type": "array", "items": {"type": "integer"}},
                "groups": {"type": "array", "items": group},
            },
        }
        return schemas

    def _refusals(self, *statuses: int) -> dict[str, Schema]:
        found: dict[str, Schema] = {}
        for status in sorted(statuses):
            code, detail = REFUSALS[status]
            title = TITLES[status]
            example: dict[str, Any] = {
                "type": "about:blank",
                "title": title,
                "status": status,
                "detail": detail.format(noun=self.collection.kind.noun),
                "instance": self.collection.path,
                "code": code,
            }
            content = {"application/problem+json": {"schema": _ref_name("Problem"), "example": example}}
            found[str(status)] = {"description": title, "content": content}
            if status == 503:
                seconds = {"description": "Seconds to wait.", "schema": {"type": "integer"}}
                found["503"]["headers"] = {"Retry-After": seconds}
        return found


def _ok(schema: Schema, example: Any, headers: Schema | None = None, status: int = 200) -> dict[str, Schema]:
    content = {"application/json": {"schema": schema, "example": example}}
    answer = {"description": HTTPStatus(status).phrase, "content": content}
    return {str(status): answer | ({"headers": headers} if headers else {})}


def _body(schema: Schema, example: Any, *media_types: str) -> Schema:
    content = {
        media_type: {"schema": schema, "example": example} for media_type in media_types or ("application/json",)
    }
    return {"required": True, "content": content}


def _ref(model: type[BaseModel]) -> Schema:
    return _ref_name(model.__name__)


def _ref_name(name: str) -> Schema:
    return {"$ref": REF.format(model=name)}


def describe(app: FastAPI, collections: tuple[Collection, ...]) -> None:
    """Makes `app.openapi()` the whole contract."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
            schemas: dict[str, Schema] = {"Problem": PROBLEM}
            for collection in collections:
                schemas |= Described(collection).schemas()
            document["components"] = {"schemas": dict(sorted(schemas.items()))}
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi
