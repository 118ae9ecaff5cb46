"""Attacks by the bodies and parameters of the REST services."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.attacks.attack import Attack, http, post, request

PEOPLE, PRODUCTS, ORDERS = "/api/pessoas/", "/api/produtos/", "/api/solicitacoes/"
SQL = "'; DROP TABLE pessoa; --"
BAD, DEEP = "422 INVALID", "422 LIMIT_EXCEEDED filter:LIMIT_EXCEEDED"


def create(name: str, value: Any, expected: str, *headers: str) -> Attack:
    return request(name, post(PEOPLE, value, *headers), expected, "pessoas")


def read(name: str, parameters: str, expected: str, path: str = PEOPLE, process: str = "pessoas") -> Attack:
    return request(name, http("GET", f"{path}?{parameters}"), expected, process)


def query(name: str, value: Any, expected: str) -> Attack:
    return request(name, post(PEOPLE + "query/", value), expected, "pessoas")


def order(name: str, value: Any, expected: str) -> Attack:
    return request(name, post(ORDERS, value), expected, "solicitacoes")


def patch(name: str, value: bytes, expected: str) -> Attack:
    sent = http("PATCH", PEOPLE + "1/", "Content-Type: application/merge-patch+json", body=value)
    return request(name, sent, expected, "pessoas")


def nested(levels: int) -> Any:
    value: Any = {"id": {"eq": 1}}
    for _ in range(levels):
        value = {"not": {"or": [{"and": [value]}]}}
    return value


ATTACKS: list[Attack] = [
    create("SQL as a name", {"nome_pessoa": SQL}, "201"),
    create("a script as a name", {"nome_pessoa": "<script>alert(1)</script>"}, "201"),
    create(
        "a line break for the headers in a name",
        {"nome_pessoa": "a\r\nX-Evil: 1"},
        f"{BAD} nome_pessoa:INVALID_CHARACTER",
    ),
    create("a NUL in a name", {"nome_pessoa": "a\0b"}, f"{BAD} nome_pessoa:INVALID_CHARACTER"),
    create("a lone surrogate in a member's name", b'{"\\ud800": 1}', "400 MALFORMED"),
    create("a lone surrogate in a name", b'{"nome_pessoa": "\\ud800"}', f"{BAD} nome_pessoa:INVALID_CHARACTER"),
    create("a name of invisible spaces", {"nome_pessoa": "\u2003\u00a0\u3000"}, f"{BAD} nome_pessoa:BLANK"),
    create(
        "a name of which nothing is visible", {"nome_pessoa": "\u200b\u2800\u3164\u0301"}, f"{BAD} nome_pessoa:BLANK"
    ),
    create(
        "a name of 100,000 marks in disorder",
        {"nome_pessoa": "a" + "\u0301\u0327" * 50_000},
        f"{BAD} nome_pessoa:TOO_LONG",
    ),
    create("a name of 900,000 characters", {"nome_pessoa": "a" * 900_000}, f"{BAD} nome_pessoa:TOO_LONG"),
    create("a name that is an object", {"nome_pessoa": {"$ne": ""}}, f"{BAD} nome_pessoa:NOT_A_STRING"),
    create("an id of one's own", {"nome_pessoa": "a", "id": 1}, f"{BAD} id:READ_ONLY"),
    create("an unknown member", {"nome_pessoa": "a", "admin": True}, f"{BAD} admin:UNKNOWN_FIELD"),
    create("a member called __proto__", {"nome_pessoa": "a", "__proto__": {}}, f"{BAD} __proto__:UNKNOWN_FIELD"),
    create("60,000 unknown members", {f"a{n}": 1 for n in range(60_000)}, "422 LIMIT_EXCEEDED corpo:LIMIT_EXCEEDED"),
    create("a member twice", b'{"nome_pessoa": "a", "nome_pessoa": "b"}', "400 MALFORMED"),
    create("a list as a body", [], f"{BAD} corpo:NOT_AN_OBJECT"),
    create("null as a body", b"null", f"{BAD} corpo:NOT_AN_OBJECT"),
    order("ids beyond int8", {"servico_id": 2**63, "pessoa_id": 1, "produto_id": 1}, f"{BAD} servico_id:OUT_OF_RANGE"),
    order(
        "an id of 1e400", b'{"servico_id": 1e400, "pessoa_id": 1, "produto_id": 1}', f"{BAD} servico_id:NOT_AN_INTEGER"
    ),
    order("true as an id", {"servico_id": True, "pessoa_id": 1, "produto_id": 1}, f"{BAD} servico_id:NOT_AN_INTEGER"),
    order(
        "a string as an id", {"servico_id": "5", "pessoa_id": 1, "produto_id": 1}, f"{BAD} servico_id:NOT_AN_INTEGER"
    ),
    order(
        "SQL as an id", {"servico_id": "1 OR 1=1", "pessoa_id": 1, "produto_id": 1}, f"{BAD} servico_id:NOT_AN_INTEGER"
    ),
    order(
        "a URL as an id",
        {"servico_id": "http://evil.test/", "pessoa_id": 1, "produto_id": 1},
        f"{BAD} servico_id:NOT_AN_INTEGER",
    ),
    order(
        "an instant of one's own",
        {"servico_id": 1, "pessoa_id": 1, "produto_id": 1, "data_solicitacao": "2000-01-01T00:00:00Z"},
        f"{BAD} data_solicitacao:READ_ONLY",
    ),
    order(
        "references that do not exist",
        {"servico_id": 10**9, "pessoa_id": 10**9, "produto_id": 10**9},
        f"{BAD} servico_id:NOT_FOUND pessoa_id:NOT_FOUND produto_id:NOT_FOUND",
    ),
    patch("null for what must be there", b'{"nome_pessoa": null}', f"{BAD} nome_pessoa:NULL"),
    patch("another id", b'{"id": 2}', f"{BAD} id:READ_ONLY"),
    patch("a JSON patch", b'[{"op": "remove", "path": "/nome_pessoa"}]', f"{BAD} corpo:NOT_AN_OBJECT"),
    read("SQL in search", "search=" + quote(SQL), "200"),
    read("wildcards in search", "search=" + quote("%_%_%\\"), "200"),
    read("a NUL in search", "search=a%00b", f"{BAD} search:INVALID_CHARACTER"),
    read("a search of 15,000 characters", "search=" + "a" * 15_000, f"{BAD} search:TOO_LONG"),
    read("bytes that are not UTF-8 in search", "search=%ff%fe", f"{BAD} search:INVALID_CHARACTER"),
    read("SQL in ordering", "ordering=" + quote("id; DROP TABLE pessoa"), f"{BAD} ordering:INVALID_CHOICE"),
    read("SQL in a parameter's name", quote("id=1 OR 1") + "=1", f"{BAD} id=1 OR 1:UNKNOWN_PARAMETER"),
    read(
        "an operator that is not there", "nome_pessoa__regex=(a%2B)%2B", f"{BAD} nome_pessoa__regex:UNKNOWN_PARAMETER"
    ),
    read("a parameter twice", "page_size=1&page_size=1000", f"{BAD} page_size:REPEATED_PARAMETER"),
    read("a page of ten thousand", "page_size=10000", f"{BAD} page_size:OUT_OF_RANGE"),
    read("a page of minus one", "page_size=-1", f"{BAD} page_size:OUT_OF_RANGE"),
    read("a page size in Arabic digits", "page_size=" + quote("٣"), f"{BAD} page_size:NOT_AN_INTEGER"),
    read("a page size of 4,000 digits", "page_size=" + "9" * 4_000, f"{BAD} page_size:OUT_OF_RANGE"),
    read("an id beyond int8", "id=9223372036854775808", f"{BAD} id:OUT_OF_RANGE"),
    read("1,001 ids", "id=" + ",".join(map(str, range(1, 1_002))), f"{BAD} id:TOO_MANY"),
    read("a cursor that is no cursor", "cursor=%00%ff", f"{BAD} cursor:INVALID_CHARACTER"),
    read("a cursor of another ordering", "cursor=WyJub21lX3Blc3NvYSIsIkEiLDFd", f"{BAD} cursor:INVALID_CURSOR"),
    read("a forged cursor with SQL", "ordering=nome_pessoa&cursor=WyJub21lX3Blc3NvYSIsIicgT1IgMT0xIC0tIiwxXQ", "200"),
    read("a forged cursor with a list", "cursor=WyJpZCIsW1tbMV1dXV0", f"{BAD} cursor:INVALID_CURSOR"),
    read("20,000 parameters", "&".join(f"a{n}=1" for n in range(20_000)), "414 LIMIT_EXCEEDED"),
    read(
        "an instant of the year 300000",
        "data_solicitacao__gte=300000-01-01T00:00:00Z",
        f"{BAD} data_solicitacao__gte:NOT_A_DATETIME",
        ORDERS,
        "solicitacoes",
    ),
    request("an id of 400 digits in the path", http("GET", PEOPLE + "9" * 400 + "/"), "404 NOT_FOUND", "pessoas"),
    request("a deletion of 01", http("DELETE", PEOPLE + "01/"), "404 NOT_FOUND", "pessoas"),
    request(
        "a full-width digit in the path", http("GET", PEOPLE + quote("\uff11")), f"{BAD} id:NOT_AN_INTEGER", "pessoas"
    ),
    request("SQL in the path", http("GET", PEOPLE + quote("1 OR 1=1") + "/"), f"{BAD} id:NOT_AN_INTEGER", "pessoas"),
    request(
        "a line break for the headers in the path",
        http("POST", PEOPLE + "%0d%0aX-Evil:%201", "Content-Length: 0"),
        "405 METHOD_NOT_ALLOWED",
        "pessoas",
    ),
    request(
        "a line break for Link in a parameter",
        http("GET", PEOPLE + "?page_size=1&search=%0d%0aX-Evil:%201"),
        "200",
        "pessoas",
    ),
    query("5,001 ids", {"ids": list(range(1, 5_002))}, f"{BAD} ids:TOO_MANY"),
    query("not, or and and nested 40 deep", {"filter": nested(40)}, DEEP),
    query("not, or and and nested 150 deep", {"filter": nested(150)}, DEEP),
    query("a filter of 5,000 terms", {"filter": {"or": [{"id": {"eq": 1}}] * 5_000}}, DEEP),
    query("an in of 6,000 values", {"filter": {"id": {"in": list(range(6_000))}}}, f"{BAD} filter.id.in:TOO_MANY"),
    query(
        "an unknown operator",
        {"filter": {"nome_pessoa": {"regex": "(a+)+$"}}},
        f"{BAD} filter.nome_pessoa.regex:UNKNOWN_FIELD",
    ),
    query(
        "SQL as a field",
        {"filter": {"id; DROP TABLE pessoa": {"eq": 1}}},
        f"{BAD} filter.id; DROP TABLE pessoa:UNKNOWN_FIELD",
    ),
    query("SQL as a value", {"filter": {"nome_pessoa": {"contains": SQL}}}, "200"),
    query("a page of a million", {"first": 1_000_000}, f"{BAD} first:OUT_OF_RANGE"),
    query("first and last", {"first": 1, "last": 1}, f"{BAD} corpo:CONTRADICTION"),
    request(
        "a thousand parents of a thousand rows",
        post(ORDERS + "query/", {"per": {"field": "pessoa_id", "ids": list(range(1, 1_001))}, "first": 1_000}),
        "422 LIMIT_EXCEEDED first:LIMIT_EXCEEDED",
        "solicitacoes",
    ),
    request(
        "a produto of no categoria",
        post(PRODUCTS, {"nome_produto": "a", "categoria_id": 10**12}),
        f"{BAD} categoria_id:NOT_FOUND",
        "catalogo",
    ),
]
