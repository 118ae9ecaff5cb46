"""The checked-in contract of each service: it agrees with the code, is valid and complete, and is never broken without
notice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from deploy import topology, write_openapi
from tests.openapi.compatibility import METHODS, breaking, referred
from tests.released import major, released_file

Document = dict[str, Any]
SERVICES = [service.name for service in topology.SERVICES]
each_service = pytest.mark.parametrize("service", SERVICES)


def kept(service: str) -> Document:
    found: Document = json.loads(write_openapi.path(service).read_text())
    return found


@each_service
def test_the_document_is_what_the_code_does(service: str) -> None:
    assert write_openapi.path(service).read_text() == write_openapi.text(write_openapi.generated(service)), (
        "run `make render`"
    )


@each_service
def test_a_breaking_change_is_announced_by_a_new_major_version(service: str) -> None:
    """What the last release of this major version promised is still kept.

    A change that breaks clients (see `compatibility.py`) therefore needs a new major version, beside `make render` and
    a word in the changelog. Whatever else changes needs only `make render`.
    """
    new = write_openapi.generated(service)
    released = released_file(f"{service}/openapi.json")
    old = json.loads(released) if released else new  # a new service has promised nothing yet

    if major(old["info"]["version"]) == major(new["info"]["version"]):
        assert breaking(old, new) == []


@each_service
def test_the_document_is_valid_openapi(service: str) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(kept(service)).iter_errors()] == []


def operations(document: Document) -> Iterator[tuple[str, Document]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield f"{method.upper()} {path}", item[method]


def resolved(document: Document, node: Document) -> Document:
    while "$ref" in node:
        node = dict(referred(document, node["$ref"]))
    return node


@each_service
def test_the_document_follows_the_house_rules(service: str) -> None:
    """The rules of a general linter, and a rule that each problem has our form."""
    document = kept(service)
    tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, operation in operations(document)]
    wrong: list[str] = []
    for where, operation in operations(document):
        answers = {status: resolved(document, one) for status, one in operation["responses"].items()}
        problems = [status for status in answers if status >= "400"]
        rules = {
            "no summary": operation.get("summary"),
            "a tag that is not described": set(operation["tags"]) <= tags,
            "no good answer": any(status < "300" for status in answers),
            "406 or 500 is missing": {"406", "500"} <= set(problems),
            "422 is missing": "422" in problems or where in ("GET /api/", "GET /api/v1/"),
            "404 is missing": "404" in problems or "{id}" not in where,
            "what a bad body gets is missing": {"400", "413", "415"} <= set(problems) or "requestBody" not in operation,
            "a refusal that is no problem": all("application/problem+json" in answers[s]["content"] for s in problems),
            "an answer without its id": all("X-Request-ID" in answer["headers"] for answer in answers.values()),
            "a link to nowhere": all(
                link["operationId"] in ids for answer in answers.values() for link in answer.get("links", {}).values()
            ),
            "a parameter that says nothing": all(
                resolved(document, parameter).get("description") for parameter in operation["parameters"]
            ),
        }
        wrong += [f"{where}: {rule}" for rule, kept_ in rules.items() if not kept_]

    assert wrong == []
    assert len(ids) == len(set(ids))
    assert document["info"]["description"]


@each_service
def test_everything_has_an_example_that_its_schema_accepts(service: str) -> None:
    document = kept(service)

    def refused(where: str, holder: Document) -> list[str]:
        examples = [holder["example"]] if "example" in holder else holder["schema"].get("examples", [])
        validator = OAS31Validator({**holder["schema"], "components": document["components"]})
        faults = [error.message for example in examples for error in validator.iter_errors(example)]
        return [f"{where}: {fault}" for fault in (faults if examples else ["no example"])]

    wrong: list[str] = []
    for where, operation in operations(document):
        for parameter in operation["parameters"]:
            found = resolved(document, parameter)
            wrong += refused(f"{where} {found['name']}", found)
        for media_type, content in resolved(document, operation.get("requestBody", {})).get("content", {}).items():
            wrong += refused(f"{where} {media_type}", content)
        for status, answer in operation["responses"].items():
            found = resolved(document, answer)
            for content in found.get("content", {}).values():
                wrong += refused(f"{where} {status}", content)
            for name, header in found["headers"].items():
                wrong += refused(f"{where} {status} {name}", resolved(document, header))

    assert wrong == []


@each_service
def test_no_component_is_left_over(service: str) -> None:
    document = kept(service)
    text = json.dumps(document)

    unused = [
        f"{kind}/{name}"
        for kind, components in document["components"].items()
        for name in components
        # OpenAPI refers to a security scheme by its bare name.
        if (f'{{"{name}": [' if kind == "securitySchemes" else f'"#/components/{kind}/{name}"') not in text
    ]
    assert unused == []


PORTUGUESE = re.compile(
    r"[^\x00-\x7f]|\b(de|da|dos|das|que|quem|para|por|com|sem|um|uma|os|ao|na|nos|nas|ou|seu|sua|cada|mais|"
    r"deve|pode|ser|foi|qual|sobre|campo|valor|lista)\b",
    re.IGNORECASE,
)


@each_service
def test_what_the_page_says_is_english_like_the_page_itself(service: str) -> None:
    """Swagger UI is in English only. The business's own names stay Portuguese, and examples show real answers."""

    def portuguese(node: Any) -> Iterator[str]:
        if isinstance(node, list):
            for one in cast("list[Any]", node):
                yield from portuguese(one)
        elif isinstance(node, dict):
            for name, value in cast("Document", node).items():
                if name in ("description", "summary") and isinstance(value, str) and PORTUGUESE.search(value):
                    yield value
                elif name not in ("example", "examples"):
                    yield from portuguese(value)

    assert list(portuguese(kept(service))) == []
