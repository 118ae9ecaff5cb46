"""The comparison of two documents: changes that break a client are named, and others are accepted."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from deploy import write_openapi
from tests.openapi.compatibility import breaking

Document = dict[str, Any]
Change = Callable[[Document], object]
COLLECTION, MEMBER = "/api/produtos/", "/api/produtos/{id}/"


def schema(document: Document, name: str) -> Any:
    return document["components"]["schemas"][name]


def page_size(document: Document) -> Any:
    return document["paths"][COLLECTION]["get"]["parameters"][0]["schema"]


def if_match(document: Document) -> Any:
    return next(one for one in document["paths"][MEMBER]["put"]["parameters"] if one.get("name") == "If-Match")


BREAKS: list[tuple[Change, str]] = [
    (lambda d: d["paths"].pop(MEMBER), "GET /api/produtos/{id}/: is gone"),
    (lambda d: d["paths"][MEMBER].pop("patch"), "PATCH /api/produtos/{id}/: is gone"),
    (lambda d: d["paths"][MEMBER]["get"]["responses"].pop("304"), "GET /api/produtos/{id}/: 304 is gone"),
    (lambda d: d["paths"][COLLECTION]["get"]["parameters"].pop(0), "parameter query page_size is gone"),
    (lambda d: page_size(d).update(maximum=500), "parameter query page_size: maximum is lowered"),
    (lambda d: if_match(d).update(required=True), "header If-Match is required"),
    (lambda d: schema(d, "ProdutoPublic")["properties"].pop("categoria"), "200[]: categoria is gone"),
    (lambda d: schema(d, "CategoriaPublic")["required"].remove("id"), ": id may be missing"),
    (lambda d: schema(d, "ProdutoPublic")["properties"]["id"].update(type="string"), ": id: type is another"),
    (lambda d: schema(d, "ProdutoPatch").update(required=["nome_produto"]), "body: nome_produto is required"),
    (lambda d: schema(d, "ProdutoWrite")["properties"].pop("categoria_id"), "body: categoria_id is no longer taken"),
    (lambda d: schema(d, "NameFilter")["properties"].pop("contains"), "POST /api/produtos/query/: body: "),
    (lambda d: schema(d, "ProdutoResult")["oneOf"].append({"type": "string"}), "query/: 200: string is another"),
    (
        lambda d: d["paths"][MEMBER]["patch"]["requestBody"]["content"].pop("application/json"),
        "PATCH /api/produtos/{id}/: body application/json is gone",
    ),
    (lambda d: d["components"]["responses"]["ServiceUnavailable"]["headers"].pop("Retry-After"), "503: header Retry-"),
]

EXTENDS: list[Change] = [
    lambda d: d["paths"].update({"/api/novos/": {"get": {"responses": {}}}}),
    lambda d: page_size(d).update(maximum=5000),
    lambda d: d["paths"][COLLECTION]["get"]["parameters"].append({"name": "x", "in": "query", "schema": {}}),
    lambda d: d["paths"][COLLECTION]["get"]["responses"].update({"410": {"description": "Gone"}}),
    lambda d: schema(d, "ProdutoPublic")["properties"].update(preco={"type": "number"}),
    lambda d: schema(d, "ProdutoWrite")["properties"].update(preco={"type": "number"}),
    lambda d: schema(d, "ProdutoWrite")["required"].remove("categoria_id"),
    lambda d: schema(d, "NameFilter")["properties"].update(ends_with={"type": "string"}),
    lambda d: schema(d, "ProdutoQuery")["oneOf"].append({"type": "string"}),
    lambda d: schema(d, "Problem").update(description="Um erro."),
]


@pytest.fixture(scope="module")
def whole() -> Document:
    return write_openapi.generated("catalogo")


@pytest.fixture(scope="module")
def document(whole: Document) -> Document:
    """Only the short paths, so that a change needs to be made in one place."""
    return whole | {"paths": {path: item for path, item in whole["paths"].items() if "/v1/" not in path}}


@pytest.mark.parametrize(("change", "named"), BREAKS, ids=[named for _, named in BREAKS])
def test_a_breaking_change_is_named(document: Document, change: Change, named: str) -> None:
    changed = copy.deepcopy(document)
    change(changed)

    assert [one for one in breaking(document, changed) if named in one]


@pytest.mark.parametrize("change", EXTENDS, ids=range(len(EXTENDS)))
def test_an_extension_breaks_nobody(document: Document, change: Change) -> None:
    changed = copy.deepcopy(document)
    change(changed)

    assert breaking(document, changed) == []


def test_paths_with_the_version_in_them_break_nobody_and_cannot_be_taken_away(
    document: Document, whole: Document
) -> None:
    assert breaking(document, whole) == []
    assert "GET /api/v1/produtos/{id}/: is gone" in breaking(whole, document)


def test_a_breaking_change_is_named_at_the_path_that_refers_to_it_too(whole: Document) -> None:
    changed = copy.deepcopy(whole)
    page_size(changed).update(maximum=500)

    assert breaking(whole, changed) == [
        f"GET {path}: parameter query page_size: maximum is lowered" for path in (COLLECTION, "/api/v1/produtos/")
    ]
