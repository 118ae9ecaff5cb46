"""Wrong bodies: each gets a clear error that names the field, and stores nothing."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.applications import Services
from tests.resources import NAMED, PESSOAS, SOLICITACOES, Resource, short_name

JSON = {"Content-Type": "application/json"}
MISSING = object()
BAD_NAMES: dict[str, tuple[object, str]] = {
    "missing": (MISSING, "REQUIRED"),
    "null": (None, "NULL"),
    "empty": ("", "BLANK"),
    "blank": (" \t\u00a0\u2003", "BLANK"),
    "a zero width space": ("\u200b", "BLANK"),
    "Braille without dots": ("\u2800", "BLANK"),
    "a Hangul filler": ("\u3164", "BLANK"),
    "a soft hyphen between spaces": (" \u00ad ", "BLANK"),
    "an accent without its letter": ("\u0301", "BLANK"),
    "too long": ("x" * 101, "TOO_LONG"),
    "too long, decomposed": ("e\u0301" * 101, "TOO_LONG"),
    "too long once composed": ("\ufb2c" * 34, "TOO_LONG"),
    "a number": (5, "NOT_A_STRING"),
    "a list": (["x"], "NOT_A_STRING"),
    "with NUL": ("a\0b", "INVALID_CHARACTER"),
    "with a control character": ("a\x1bb", "INVALID_CHARACTER"),
    "with a lone surrogate": ("a\ud800b", "INVALID_CHARACTER"),
}


@pytest.mark.parametrize("resource", NAMED, ids=short_name)
@pytest.mark.parametrize("case", BAD_NAMES)
async def test_a_bad_name_is_422_names_the_field_and_stores_nothing(
    services: Services, resource: Resource, case: str
) -> None:
    value, code = BAD_NAMES[case]
    assert resource.name
    body = {**await resource.body(services), resource.name: value}
    if value is MISSING:
        del body[resource.name]

    answer = await resource.client(services).post(resource.path, content=json.dumps(body), headers=JSON)

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [(resource.name, code)]
    assert (await resource.client(services).get(resource.path)).json() == []


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (True, "NOT_AN_INTEGER"),
        ("5", "NOT_AN_INTEGER"),
        (1.5, "NOT_AN_INTEGER"),
        (None, "NULL"),
        ([1], "NOT_AN_INTEGER"),
        (0, "OUT_OF_RANGE"),
        (-1, "OUT_OF_RANGE"),
        (2**63, "OUT_OF_RANGE"),
        (10**30, "OUT_OF_RANGE"),
        (1e300, "NOT_AN_INTEGER"),
    ],
)
async def test_a_bad_reference_is_422_and_names_the_field(services: Services, value: object, code: str) -> None:
    body = await SOLICITACOES.body(services)

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body | {"pessoa_id": value})

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("pessoa_id", code)]


async def test_a_whole_number_written_with_a_fraction_is_an_integer(services: Services) -> None:
    body = await SOLICITACOES.body(services)

    answer = await services.solicitacoes.post(SOLICITACOES.path, json=body | {"pessoa_id": float(body["pessoa_id"])})

    assert answer.status_code == 201


async def test_every_fault_of_a_body_is_named_at_once(services: Services) -> None:
    answer = await services.catalogo.post("/api/produtos/", json={"nome_produto": "", "x": 1, "id": 3})

    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [
        ("nome_produto", "BLANK"),
        ("categoria_id", "REQUIRED"),
        ("x", "UNKNOWN_FIELD"),
        ("id", "READ_ONLY"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"{'nome_pessoa': 'x'}",
        b'{"nome_pessoa": NaN}',
        b'{"nome_pessoa": "a", "nome_pessoa": "b"}',
        b'{"nome_pessoa": "a", "\\ud800": 1}',
        b'{"nome_pessoa": "\xff"}',
        '{"nome_pessoa": "Ana"}'.encode("utf-16"),
        b'\xef\xbb\xbf{"nome_pessoa": "Ana"}',
        b'{"nome_pessoa": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"nome_pessoa": "a"} x',
    ],
    ids=lambda content: repr(content[:24]),
)
async def test_what_is_not_json_is_400(services: Services, content: bytes) -> None:
    answer = await services.pessoas.post(PESSOAS.path, content=content, headers=JSON)

    assert answer.status_code == 400
    assert answer.json()["code"] == "MALFORMED"


async def test_a_member_twice_among_very_many_is_found_in_one_pass(services: Services) -> None:
    members = ",".join(f'"a{n}":1' for n in [*range(60_000), 59_999])

    answer = await services.pessoas.post(PESSOAS.path, content=f"{{{members}}}", headers=JSON)

    assert answer.status_code == 400
    assert "a59999" in answer.json()["detail"]


async def test_of_very_many_mistakes_only_their_number_is_told(services: Services) -> None:
    many = {f"a{n}": 1 for n in range(60_000)}

    answer = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana", **many})

    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["errors"]] == [("corpo", "LIMIT_EXCEEDED")]


@pytest.mark.parametrize("content", [b"42", b"null", b'"x"', b"[]", b"true"])
async def test_json_that_is_no_object_is_422(services: Services, content: bytes) -> None:
    answer = await services.pessoas.post(PESSOAS.path, content=content, headers=JSON)

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, "NOT_AN_OBJECT")


async def test_a_body_past_the_limit_is_413_also_without_a_length(services: Services) -> None:
    large = b'{"nome_pessoa": "' + b"x" * 2_000_000 + b'"}'

    async def pieces() -> AsyncIterator[bytes]:
        yield large

    with_length = await services.pessoas.post(PESSOAS.path, content=large, headers=JSON)
    without = await services.pessoas.post(PESSOAS.path, content=pieces(), headers=JSON)

    assert (with_length.status_code, without.status_code) == (413, 413)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
    ids=str,
)
async def test_another_media_type_charset_or_coding_is_415(services: Services, headers: dict[str, str]) -> None:
    answer = await services.pessoas.post(PESSOAS.path, content=b'{"nome_pessoa": "Ana"}', headers=headers)

    assert answer.status_code == 415


async def test_any_unicode_name_comes_back_as_it_was(services: Services) -> None:
    for name in (
        "Ünïcødé",
        "名前",
        "😀👩‍👩‍👧",
        "O'Neil; DROP TABLE pessoa",
        "%_\\",
        "a" * 100,
        "é" * 100,
        "می\u200cخواهم",
    ):
        answer = await services.pessoas.post(PESSOAS.path, json={"nome_pessoa": name})
        assert (answer.status_code, answer.json()["nome_pessoa"]) == (201, name)


@pytest.mark.parametrize("resource", NAMED, ids=short_name)
async def test_a_decomposed_name_is_stored_and_counted_composed(services: Services, resource: Resource) -> None:
    assert resource.name
    client, body = resource.client(services), await resource.body(services)

    added = await client.post(resource.path, json={**body, resource.name: "e\u0301" * 100})
    at = resource.at(added.json())
    changed = await client.patch(at, json={resource.name: "Jose\u0301"})

    assert (added.status_code, added.json()[resource.name]) == (201, "é" * 100)
    assert (changed.status_code, changed.json()[resource.name]) == (200, "José")
