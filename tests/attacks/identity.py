"""Attacks with tokens, with AUTH_MODE=jwt: the issuer is `tests.issuer`, and an attacker has keys of its own."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt

from tests import issuer
from tests.attacks.attack import Attack, graphql, http, post, request
from tests.issuer import mint

PEOPLE, ORDERS = "/api/pessoas/", "/api/solicitacoes/"
ALL = tuple(
    f"{service}:{right}"
    for service in ("catalogo", "pessoas", "servicos", "solicitacoes")
    for right in ("read", "write")
)
READ = "pessoas:read"
WRONG, REFUSED = "401 UNAUTHENTICATED the token is not valid", "401 UNAUTHENTICATED"
HALF = "\ud800"
"""A lone surrogate, which is half of a character: JSON can contain it, but it cannot be encoded."""
QUERY = "{ pessoa(id: 1) { nomePessoa } }"


def spelled(header: Any, claims: Any, signature: bytes = b"") -> str:
    """A token of these parts, also where a library would refuse to make it."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def claims() -> dict[str, Any]:
    now = int(time.time())
    return {
        "iss": issuer.ISSUER,
        "aud": issuer.AUDIENCE,
        "sub": "eve",
        "iat": now,
        "exp": now + 600,
        "scope": " ".join(ALL),
    }


def confused() -> str:
    """A token signed with HS256 and the issuer's public key as the secret, which is a well-known attack."""
    header = {"alg": "HS256", "kid": "RS256", "typ": "at+jwt"}
    signed = spelled(header, claims()).rstrip(".")
    secret = jwt.get_algorithm_by_name("HS256")
    return (
        signed
        + "."
        + base64.urlsafe_b64encode(secret.sign(signed.encode(), issuer.pem(issuer.RSA))).rstrip(b"=").decode()
    )


def with_token(name: str, token: Any, expected: str, process: str = "pessoas") -> Attack:
    """A read with a token that `token` makes at the moment of sending."""
    return request(
        name, lambda: http("GET", f"/api/{process}/1/", f"Authorization: Bearer {token()}"), expected, process
    )


def elsewhere(url: str) -> list[Attack]:
    """Tokens that name the attacker's `url` as the place of their keys."""
    forged = issuer.FORGED
    return [
        with_token("a jku that points elsewhere", lambda: mint(*ALL, key=forged, header={"jku": url}), WRONG),
        with_token(
            "an x5u that points elsewhere",
            lambda: mint(*ALL, key=forged, header={"x5u": url, "kid": "x"}),
            f"{REFUSED} no such key",
        ),
        with_token(
            "a key of one's own in the head",
            lambda: mint(*ALL, key=forged, header={"jwk": issuer.public("RS256", forged)}),
            WRONG,
        ),
        with_token("an issuer of one's own, whose keys are there", lambda: mint(*ALL, key=forged, iss=url), WRONG),
    ]


ATTACKS: list[Attack] = [
    request("no token, to the gateway", graphql(QUERY), REFUSED),
    request("introspection without a token", graphql("{ __schema { types { name } } }"), REFUSED),
    request("a misspelt field without a token", graphql("{ pesoas { totalCount } }"), REFUSED),
    *(
        request(f"no token, to {process}", http("GET", f"/api/{collection}/1/"), REFUSED, process)
        for process, collection in (
            ("catalogo", "produtos"),
            ("pessoas", "pessoas"),
            ("servicos", "servicos"),
            ("solicitacoes", "solicitacoes"),
        )
    ),
    with_token("alg none", lambda: spelled({"alg": "none", "kid": "RS256", "typ": "at+jwt"}, claims()), WRONG),
    with_token("alg None, without a kid", lambda: spelled({"alg": "None"}, claims()), f"{REFUSED} no such key"),
    with_token(
        "a key of somebody else, without a kid", lambda: mint(*ALL, key=issuer.FORGED, header={"kid": None}), WRONG
    ),
    with_token("HS256 with the public key as secret", confused, WRONG),
    with_token("a signature cut off", lambda: mint(*ALL).rpartition(".")[0] + ".", WRONG),
    with_token(
        "a signature of another token", lambda: ".".join([*mint(*ALL).split(".")[:2], mint(READ).split(".")[2]]), WRONG
    ),
    with_token("a key of somebody else under our kid", lambda: mint(*ALL, key=issuer.FORGED), WRONG),
    with_token("another algorithm than the key's", lambda: mint(*ALL, alg="ES256", header={"kid": "RS256"}), WRONG),
    with_token("another issuer", lambda: mint(*ALL, iss="https://evil.test"), WRONG),
    with_token("another audience", lambda: mint(*ALL, aud="bank"), WRONG),
    with_token("no audience", lambda: mint(*ALL, aud=None), WRONG),
    with_token("expired", lambda: mint(*ALL, exp=int(time.time()) - 3600), f"{REFUSED} the token has expired"),
    with_token("without an expiry", lambda: mint(*ALL, exp=None), WRONG),
    with_token(
        "not valid yet", lambda: mint(*ALL, nbf=int(time.time()) + 3600), f"{REFUSED} the token is not valid yet"
    ),
    with_token("an expiry that is a text", lambda: mint(*ALL, exp=str(int(time.time()) + 3600)), WRONG),
    with_token("an expiry in 10^30 seconds", lambda: mint(*ALL, exp=10**30), WRONG),
    with_token("an expiry that is infinite", lambda: mint(*ALL, exp=float("inf")), WRONG),
    with_token("times that are true", lambda: mint(*ALL, iat=True, nbf=True), WRONG),
    with_token("an empty subject", lambda: mint(*ALL, sub=""), WRONG),
    with_token("a subject that is a space", lambda: mint(*ALL, sub=" "), WRONG),
    with_token("a subject that is half a character", lambda: mint(*ALL, sub=HALF), WRONG),
    with_token("a subject of 5,000 letters", lambda: mint(*ALL, sub="a" * 5_000), WRONG),
    request(
        "a subject that is half a character, for a key of its own",
        lambda: post(
            PEOPLE,
            {"nome_pessoa": "Eve"},
            f"Authorization: Bearer {mint(*ALL, sub=HALF)}",
            "Idempotency-Key: half",
        ),
        WRONG,
        "pessoas",
    ),
    with_token("an audience as an object", lambda: mint(*ALL, aud={issuer.AUDIENCE: True}), WRONG),
    with_token("300 scopes", lambda: mint(roles=[f"a{n}:b" for n in range(300)]), f"{REFUSED} too many scopes"),
    with_token("scopes in a claim that nobody configured", lambda: mint(realm_access={"roles": ALL}), "403 FORBIDDEN"),
    with_token("without a subject", lambda: mint(*ALL, sub=None), WRONG),
    with_token(
        "an ID token's type", lambda: mint(*ALL, header={"typ": "logout+jwt"}), f"{REFUSED} not an access token"
    ),
    with_token("an unknown kid", lambda: mint(*ALL, header={"kid": "nobody"}), f"{REFUSED} no such key"),
    with_token(
        "a kid that is a path", lambda: mint(*ALL, header={"kid": "../../../../dev/null"}), f"{REFUSED} no such key"
    ),
    with_token("a kid that is SQL", lambda: mint(*ALL, header={"kid": "' UNION SELECT 'a"}), f"{REFUSED} no such key"),
    with_token("a kid that is a list", lambda: spelled({"alg": "RS256", "kid": ["RS256"]}, claims()), WRONG),
    with_token("claims that are a list", lambda: spelled({"alg": "RS256", "kid": "RS256"}, []), WRONG),
    with_token(
        "a head of 5,000 brackets",
        lambda: base64.urlsafe_b64encode(b"[" * 5_000).decode().rstrip("=") + ".e30.",
        WRONG,
    ),
    with_token("a token of 20,000 bytes", lambda: mint(*ALL, pad="a" * 15_000), f"{REFUSED} the token is too long"),
    with_token("a token that is garbage", lambda: "a.b.c", WRONG),
    with_token("scopes as an object", lambda: mint(scope={"pessoas:read": True}), "403 FORBIDDEN"),
    with_token(
        "a scope that is nearly the one",
        lambda: mint("pessoas:readwrite", "pessoas", "*", "PESSOAS:READ"),
        "403 FORBIDDEN",
    ),
    with_token("the scope of another service", lambda: mint("catalogo:read"), "403 FORBIDDEN"),
    request(
        "two Authorization headers",
        lambda: http("GET", PEOPLE + "1/", f"Authorization: Bearer {mint(READ)}", "Authorization: Bearer a"),
        "400 MALFORMED more than one Authorization header",
        "pessoas",
    ),
    request(
        "a password instead of a token",
        http("GET", PEOPLE + "1/", "Authorization: Basic cm9vdDpyb290"),
        REFUSED,
        "pessoas",
    ),
    request(
        "a token that a header cannot hold",
        http("GET", PEOPLE + "1/", "Authorization: Bearer a, b"),
        "400 MALFORMED not a bearer token",
        "pessoas",
    ),
    request(
        "two Authorization headers, to the gateway",
        lambda: graphql(QUERY, f"Authorization: Bearer {mint(READ)}", "Authorization: Basic cm9vdDpyb290"),
        "400 BAD_USER_INPUT more than one Authorization header",
    ),
    request("a token in the address", lambda: http("GET", f"{PEOPLE}1/?access_token={mint(READ)}"), REFUSED, "pessoas"),
    request(
        "a token in a cookie", lambda: http("GET", f"{PEOPLE}1/", f"Cookie: token={mint(READ)}"), REFUSED, "pessoas"
    ),
    request(
        "a token that may read, to delete",
        lambda: http("DELETE", PEOPLE + "1/", f"Authorization: Bearer {mint(READ)}"),
        "403 FORBIDDEN",
        "pessoas",
    ),
    request(
        "a token that may read, to create through the gateway",
        lambda: graphql(
            'mutation { criarPessoa(input: {nomePessoa: "a"}) { errors { code } } }',
            f"Authorization: Bearer {mint(READ)}",
        ),
        "200 FORBIDDEN",
    ),
    request(
        "another's rows by way of an object",
        lambda: graphql("{ pessoa(id: 1) { solicitacoes { nodes { id } } } }", f"Authorization: Bearer {mint(READ)}"),
        "200 FORBIDDEN",
    ),
    request(
        "another's rows by way of a filter",
        lambda: graphql(
            '{ solicitacoes(filter: {pessoa: {nomePessoa: {contains: "a"}}}) { totalCount } }',
            f"Authorization: Bearer {mint('solicitacoes:read')}",
        ),
        "200 FORBIDDEN",
    ),
    request(
        "the coordinator view without its neighbours' scopes",
        lambda: http("GET", ORDERS + "1/", f"Authorization: Bearer {mint('solicitacoes:read')}"),
        "403 FORBIDDEN",
        "solicitacoes",
    ),
    request(
        "asking whether ids exist, by creating",
        lambda: post(
            ORDERS,
            {"servico_id": 1, "pessoa_id": 1, "produto_id": 1},
            f"Authorization: Bearer {mint('solicitacoes:write')}",
        ),
        "403 FORBIDDEN",
        "solicitacoes",
    ),
    request(
        "the changes, with every other scope",
        lambda: http("GET", "/api/changes/?after=0&wait=30", f"Authorization: Bearer {mint(*ALL)}"),
        "403 FORBIDDEN",
        "pessoas",
    ),
    request(
        "the changes of another service, as a stream",
        lambda: http(
            "GET",
            "/api/changes/",
            "Accept: text/event-stream",
            f"Authorization: Bearer {mint('catalogo:changes', 'pessoas:read')}",
        ),
        "403 FORBIDDEN",
        "pessoas",
    ),
    request(
        "a row, with the scope of the changes",
        lambda: http("GET", PEOPLE + "1/", f"Authorization: Bearer {mint('pessoas:changes')}"),
        "403 FORBIDDEN",
        "pessoas",
    ),
    request(
        "no token, to follow the changes",
        http("GET", "/api/changes/?after=0&wait=30"),
        REFUSED,
        "pessoas",
    ),
]
