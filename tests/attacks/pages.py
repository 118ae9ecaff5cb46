"""Attacks by a web page in somebody's browser: names rebound to us (DNS rebinding), and writes from another origin."""

from __future__ import annotations

from deploy import topology
from tests.attacks.attack import Attack, graphql, http, post, request

MISDIRECTED, FORBIDDEN, MALFORMED = "421 MISDIRECTED", "403 FORBIDDEN", "400 MALFORMED"
REBOUND, ELSEWHERE = "Host: evil.test:8002", "Origin: https://evil.test"
PEOPLE = "/api/pessoas/"
DELETION = "mutation { excluirPessoa(id: 1) { errors { code } } }"
PERSON = {"nome_pessoa": "a"}


def get(*headers: str, target: str = PEOPLE + "1/") -> bytes:
    return http("GET", target, *headers)


ATTACKS: list[Attack] = [
    # To the browser, a page that has pointed its name at us has our origin. We can recognise it only by that name.
    *(
        request(f"a rebound name asks {process.name} for {path}", get(REBOUND, target=path), MISDIRECTED, process.name)
        for process in topology.PROCESSES
        for path in ("/", "/docs", "/openapi.json", "/metrics", "/health/ready")
    ),
    request("a rebound name asks by GraphQL", graphql("{ __typename }", REBOUND), MISDIRECTED),
    request(
        "a rebound name changes by GraphQL", graphql(DELETION, REBOUND, "Origin: http://evil.test:8002"), MISDIRECTED
    ),
    request("a rebound name wants GraphiQL", get(REBOUND, "Accept: text/html", target="/graphql"), MISDIRECTED),
    request("a rebound name reads", get(REBOUND), MISDIRECTED, "pessoas"),
    request("a rebound name creates", post(PEOPLE, PERSON, REBOUND), MISDIRECTED, "pessoas"),
    request("a rebound name deletes", http("DELETE", PEOPLE + "1/", REBOUND), MISDIRECTED, "pessoas"),
    request("a rebound name asks first", http("OPTIONS", PEOPLE, REBOUND), MISDIRECTED, "pessoas"),
    request(
        "a rebound name that says it is forwarded",
        get(REBOUND, "X-Forwarded-Host: localhost", "Forwarded: host=localhost"),
        MISDIRECTED,
        "pessoas",
    ),
    request("a rebound name in HTTP/1.0", get(REBOUND).replace(b"/1.1", b"/1.0"), MISDIRECTED, "pessoas"),
    request("our name in the target", get(REBOUND, target=f"http://localhost{PEOPLE}1/"), "200", "pessoas"),
    request("a target of another scheme", get(target="ftp://localhost" + PEOPLE), MALFORMED, "pessoas"),
    *(
        request(f"the name {name}", get(f"Host: {name}"), expected, "pessoas")
        for name, expected in (
            ("localhost.evil.test", MISDIRECTED),
            ("127.0.0.1.evil.test", MISDIRECTED),
            ("evil.localhost", MISDIRECTED),
            ("pessoas", MISDIRECTED),
            ("2130706433", MISDIRECTED),
            ("", MALFORMED),
            ("localhost@evil.test", MALFORMED),
            ("localhost, evil.test", MALFORMED),
            ("localhost/evil.test", MALFORMED),
            ("localhost:evil", MALFORMED),
            ("[localhost]", MALFORMED),
            ("LOCALHOST.:1", "200"),
            ("127.0.0.1:1", "200"),
            ("[::1]", "200"),
        )
    ),
    # A page of another origin may send requests that need no preflight. It cannot read the answers, but the requests
    # might be executed.
    request("another origin changes by GraphQL", graphql(DELETION, ELSEWHERE), FORBIDDEN),
    request("another origin asks by GraphQL's POST", graphql("{ __typename }", ELSEWHERE), FORBIDDEN),
    request("origin null asks by GraphQL's POST", graphql("{ __typename }", "Origin: null"), FORBIDDEN),
    request("another port asks by GraphQL's POST", graphql("{ __typename }", "Origin: http://localhost:1"), FORBIDDEN),
    request("our page over TLS asks by GraphQL's POST", graphql("{ __typename }", "Origin: https://localhost"), "200"),
    request("another origin creates", post(PEOPLE, PERSON, ELSEWHERE), FORBIDDEN, "pessoas"),
    request("another origin queries", post(PEOPLE + "query/", {}, ELSEWHERE), FORBIDDEN, "pessoas"),
    *(
        request(f"{origin} sends a {method}", http(method, PEOPLE + "1/", f"Origin: {origin}"), FORBIDDEN, "pessoas")
        for method in ("PUT", "PATCH", "DELETE")
        for origin in ("https://evil.test", "null", "http://localhost.evil.test")
    ),
    request(
        "another origin that says where it was forwarded",
        http("DELETE", PEOPLE + "1/", ELSEWHERE, "X-Forwarded-Host: evil.test"),
        FORBIDDEN,
        "pessoas",
    ),
    request("another origin with a long body", post(PEOPLE, b" " * 900_000, ELSEWHERE), FORBIDDEN, "pessoas"),
]
