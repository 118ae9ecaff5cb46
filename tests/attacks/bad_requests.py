"""Attacks with well-formed HTTP whose bodies, media types, methods or headers are wrong."""

from __future__ import annotations

import gzip
import zlib

from tests.attacks.attack import Attack, graphql, http, post, request

QUERY = b'{"query": "{ __typename }"}'
MUTATION = b'{"query": "mutation { excluirPessoa(id: 1) { errors { code } } }"}'
FORM = b"query=mutation+%7B+excluirPessoa%28id%3A+1%29+%7B+errors+%7B+code+%7D+%7D+%7D"
MULTIPART = b'--x\r\nContent-Disposition: form-data; name="operations"\r\n\r\n' + MUTATION + b"\r\n--x--\r\n"
PEOPLE = "/api/pessoas/"
MEDIA, MALFORMED = "415 UNSUPPORTED_MEDIA_TYPE", "400 MALFORMED"
CHUNK = b"f4240\r\n" + b" " * 1_000_000 + b"\r\n"


def typed(path: str, media_type: str, body: bytes, *headers: str) -> bytes:
    return http("POST", path, f"Content-Type: {media_type}", *headers, body=body)


def get(path: str, *headers: str) -> bytes:
    return http("GET", path, *headers)


ATTACKS: list[Attack] = [
    # Cross-site request forgery: requests that a page may send without a preflight.
    request("a mutation as text/plain", typed("/graphql", "text/plain", MUTATION), "415 BAD_USER_INPUT"),
    request("a mutation as a form", typed("/graphql", "application/x-www-form-urlencoded", FORM), "415 BAD_USER_INPUT"),
    request(
        "a mutation as multipart", typed("/graphql", "multipart/form-data; boundary=x", MULTIPART), "415 BAD_USER_INPUT"
    ),
    request("a mutation of no type", http("POST", "/graphql", body=MUTATION), "415 BAD_USER_INPUT"),
    request(
        "text/plain that mentions application/json",
        typed("/graphql", "text/plain; a=application/json", MUTATION),
        "415 BAD_USER_INPUT",
    ),
    request("a mutation by GET", get("/graphql?" + FORM.decode()), "405 BAD_USER_INPUT"),
    request("a mutation by HEAD", http("HEAD", "/graphql?" + FORM.decode()), "405"),
    request(
        "a form to a service", typed(PEOPLE, "application/x-www-form-urlencoded", b"nome_pessoa=a"), MEDIA, "pessoas"
    ),
    request("text/plain to a service", typed(PEOPLE, "text/plain", b'{"nome_pessoa": "a"}'), MEDIA, "pessoas"),
    request(
        "a preflight of another origin",
        http("OPTIONS", "/graphql", "Origin: https://evil.test", "Access-Control-Request-Method: POST"),
        "403 FORBIDDEN",
    ),
    request(
        "a preflight of another origin to a service",
        http("OPTIONS", PEOPLE + "1/", "Origin: https://evil.test", "Access-Control-Request-Method: DELETE"),
        "403 FORBIDDEN",
        "pessoas",
    ),
    # Bodies that differ from what their headers say.
    request("a body of gzip", post("/graphql", gzip.compress(QUERY), "Content-Encoding: gzip"), "415 BAD_USER_INPUT"),
    request(
        "a bomb of deflate",
        post("/graphql", zlib.compress(b" " * 50_000_000), "Content-Encoding: deflate"),
        "415 BAD_USER_INPUT",
    ),
    request("a body of br", post("/graphql", QUERY, "Content-Encoding: br"), "415 BAD_USER_INPUT"),
    request(
        "a body of gzip to a service", post(PEOPLE, gzip.compress(b"{}"), "Content-Encoding: gzip"), MEDIA, "pessoas"
    ),
    request("a body over the limit", post("/graphql", b" " * 1_000_001), "413 LIMIT_EXCEEDED MAX_BODY_BYTES"),
    request(
        "a body over the limit, its length not said",
        http("POST", "/graphql", "Content-Type: application/json", "Transfer-Encoding: chunked", body=CHUNK * 2),
        "413 LIMIT_EXCEEDED MAX_BODY_BYTES",
    ),
    request(
        "one of 60,000 members twice",
        post(PEOPLE, b"{" + b"".join(b'"a%d":1,' % n for n in range(60_000)) + b'"a59999":1}'),
        MALFORMED,
        "pessoas",
    ),
    request(
        "a body that says it has a terabyte",
        post("/graphql", QUERY, "Content-Length: 1000000000000"),
        "413 LIMIT_EXCEEDED MAX_BODY_BYTES",
    ),
    request("a body over the limit to a service", post(PEOPLE, b" " * 1_000_001), "413 TOO_LARGE", "pessoas"),
    request("a body that is not UTF-8", post("/graphql", b'{"query": "\xff\xfe"}'), "400 BAD_USER_INPUT"),
    request("a target that is not UTF-8", http("GET", "/graphql?query=%7B__typename%7D%ff"), "400 BAD_USER_INPUT"),
    request("a body in UTF-16", post("/graphql", QUERY.decode().encode("utf-16")), "400 BAD_USER_INPUT"),
    request(
        "a body that says UTF-16",
        typed("/graphql", "application/json; charset=utf-16", QUERY.decode().encode("utf-16")),
        "415 BAD_USER_INPUT",
    ),
    request("a body with a byte order mark", post("/graphql", b"\xef\xbb\xbf" + QUERY), "400 BAD_USER_INPUT"),
    request("42 as a body", post("/graphql", b"42"), "400 BAD_USER_INPUT"),
    request("null as a body", post("/graphql", b"null"), "400 BAD_USER_INPUT"),
    request(
        "no body", http("POST", "/graphql", "Content-Type: application/json", "Content-Length: 0"), "400 BAD_USER_INPUT"
    ),
    request("JSON nested 100,000 deep", post("/graphql", b"[" * 100_000 + b"]" * 100_000), "400 BAD_USER_INPUT"),
    request("JSON nested 100,000 deep to a service", post(PEOPLE, b'{"a":' * 100_000), MALFORMED, "pessoas"),
    request("a member twice", post("/graphql", b'{"query": "{ __typename }", "query": "{ a }"}'), "400 BAD_USER_INPUT"),
    request(
        "NaN in variables",
        post("/graphql", b'{"query": "{ __typename }", "variables": {"a": NaN}}'),
        "400 BAD_USER_INPUT",
    ),
    request(
        "a number of 100,000 digits",
        post("/graphql", b'{"query": "{ __typename }", "variables": {"a": ' + b"9" * 100_000 + b"}}"),
        "400 BAD_USER_INPUT",
    ),
    # Headers.
    request("an Accept of 500 types", graphql("{ __typename }", "Accept: " + "a/b;q=0.1, " * 500 + "*/*"), "200"),
    request("an Accept with a quality of NaN", get("/graphql?query={__typename}", "Accept: */*;q=nan"), "200"),
    request(
        "an Accept that takes nothing we have",
        get("/graphql?query={__typename}", "Accept: image/png"),
        "406 BAD_USER_INPUT",
    ),
    request("an X-Timeout-Ms that is garbage", get(PEOPLE + "1/", "X-Timeout-Ms: -1e999"), "400 MALFORMED", "pessoas"),
    request(
        "an X-Timeout-Ms of 400 digits", get(PEOPLE + "1/", "X-Timeout-Ms: " + "9" * 400), "400 MALFORMED", "pessoas"
    ),
    request(
        "a traceparent that is garbage",
        get(PEOPLE + "1/", "traceparent: 00-" + "z" * 32 + "-'; DROP TABLE--01"),
        "200",
        "pessoas",
    ),
    request(
        "a traceparent with SQL's comment end", get(PEOPLE + "1/", "traceparent: */ SELECT 1; /*"), "200", "pessoas"
    ),
    request(
        "an Idempotency-Key of 5,000 bytes",
        post(PEOPLE, {"nome_pessoa": "a"}, "Idempotency-Key: " + "k" * 5_000),
        "400 MALFORMED",
        "pessoas",
    ),
    request(
        "an Idempotency-Key of Latin-1",
        post(PEOPLE, {"nome_pessoa": "a"}, "Idempotency-Key: \xff\xfe"),
        "400 MALFORMED",
        "pessoas",
    ),
    request(
        "an If-Match of garbage",
        http("DELETE", PEOPLE + "1/", 'If-Match: W/"' + "a" * 500),
        "412 PRECONDITION_FAILED",
        "pessoas",
    ),
    request("an If-Match of nothing", http("DELETE", PEOPLE + "1/", "If-Match:"), "412 PRECONDITION_FAILED", "pessoas"),
    request(
        "an If-Match of commas", http("DELETE", PEOPLE + "1/", "If-Match: ,,"), "412 PRECONDITION_FAILED", "pessoas"
    ),
    request(
        "an If-Match of 15,000 quotes",
        http("DELETE", PEOPLE + "1/", "If-Match: " + '" ' * 15_000),
        "412 PRECONDITION_FAILED",
        "pessoas",
    ),
    request(
        "a deletion of what must not be there",
        http("DELETE", PEOPLE + "1/", "If-None-Match: *"),
        "412 PRECONDITION_FAILED",
        "pessoas",
    ),
    request(
        "an If-None-Match of 3,000 tags",
        get(PEOPLE + "1/", "If-None-Match: " + '"a", ' * 3_000 + '"b"'),
        "200",
        "pessoas",
    ),
    request(
        "a method override",
        http("POST", PEOPLE + "1/", "X-HTTP-Method-Override: DELETE"),
        "405 METHOD_NOT_ALLOWED",
        "pessoas",
    ),
    request(
        "a forwarded host that lies", get(PEOPLE + "?page_size=1", "X-Forwarded-Host: evil.test"), "200", "pessoas"
    ),
    request("a path that climbs", get("/docs/../../../../etc/passwd"), "404 NOT_FOUND"),
    request("a path that climbs, escaped", get("/%2e%2e/%2e%2e/etc/passwd%00"), "404 NOT_FOUND", "pessoas"),
    request("a path of bad escapes", get("/api/pessoas/%ff%fe%zz/"), "422 INVALID id:NOT_AN_INTEGER", "pessoas"),
    request("an escaped slash in a path", get("/api/pessoas%2F1/"), "404 NOT_FOUND", "pessoas"),
    request("an escaped slash before a deletion", http("DELETE", "/api/pessoas%2f1"), "404 NOT_FOUND", "pessoas"),
    request("an escaped slash on the way to health", get("/health%2Flive"), "404 NOT_FOUND"),
    request("TRACE", http("TRACE", "/api/pessoas/"), "405 METHOD_NOT_ALLOWED", "pessoas"),
]
