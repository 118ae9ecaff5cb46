"""How a service judges bearer tokens: every kind of bad token is a 401 with its challenge, and never a 500."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from typing import Any

import httpx2
import pytest

from chassis.identity.keys import KeySet
from chassis.identity.tokens import MAX_CACHED_TOKENS, MAX_TOKEN_BYTES, TokenVerifier
from chassis.settings import ProcessSettings
from tests.applications import Applications
from tests.issuer import AUDIENCE, EC, FORGED, ISSUER, RSA, Issuer, bearer, mint, pem, public, signed
from tests.resources import PESSOAS

READ = "pessoas:read"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(header: dict[str, Any]) -> str:
    """A token with this header and without a valid signature."""
    _, claims, signature = mint(READ).split(".")
    return f"{part(header)}.{claims}.{signature}"


def hmac_with_public_key() -> str:
    """A well-known attack: the key that verifies RS256 is public, so the attacker signs with HS256 and that key as the
    secret."""
    signed = f"{part({'alg': 'HS256', 'kid': 'RS256', 'typ': 'at+jwt'})}.{mint(READ).split('.')[1]}"
    digest = hmac.digest(pem(RSA), signed.encode(), hashlib.sha256)
    return f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def now(seconds: int) -> int:
    return int(time.time()) + seconds


BAD = {
    "another's signature": lambda: mint(READ, key=FORGED),
    "signature cut off": lambda: mint(READ).rpartition(".")[0] + ".",
    "claims of another token": lambda: ".".join(
        [mint(READ).split(".")[0], mint("pessoas:write").split(".")[1], mint(READ).split(".")[2]]
    ),
    "alg none": lambda: unsigned({"alg": "none", "kid": "RS256", "typ": "at+jwt"}),
    "alg nOnE, no signature": lambda: unsigned({"alg": "nOnE", "kid": "RS256"}).rpartition(".")[0] + ".",
    "HS256 with the public key": hmac_with_public_key,
    "an algorithm of another key": lambda: mint(READ, alg="ES256", header={"kid": "RS256"}),
    "an algorithm that is not configured": lambda: mint(READ, key=RSA, alg="RS512", header={"kid": "RS256"}),
    "expired": lambda: mint(READ, exp=now(-31)),
    "not valid yet": lambda: mint(READ, nbf=now(60)),
    "issued in the future": lambda: mint(READ, iat=now(60)),
    "another issuer": lambda: mint(READ, iss="https://evil.test"),
    "issuer with a slash more": lambda: mint(READ, iss="https://issuer.test/"),
    "another audience": lambda: mint(READ, aud="another"),
    "no issuer": lambda: mint(READ, iss=None),
    "no audience": lambda: mint(READ, aud=None),
    "no expiry": lambda: mint(READ, exp=None),
    "no subject": lambda: mint(READ, sub=None),
    "no kid, another's signature": lambda: mint(READ, key=FORGED, header={"kid": None}),
    "no kid, an algorithm that no key fits": lambda: mint(READ, key=RSA, alg="RS512", header={"kid": None}),
    "no kid, no alg": lambda: unsigned({"typ": "at+jwt"}),
    "no kid, alg none": lambda: unsigned({"alg": "none"}).rpartition(".")[0] + ".",
    "kid null": lambda: unsigned({"alg": "RS256", "kid": None}),
    "kid empty": lambda: mint(READ, header={"kid": ""}),
    "kid a lone surrogate": lambda: mint(READ, header={"kid": "\ud800"}),
    "an unknown kid": lambda: mint(READ, header={"kid": "x"}),
    "kid a path": lambda: mint(READ, header={"kid": "../../../dev/null"}),
    "kid no text": lambda: unsigned({"alg": "RS256", "kid": {"a": 1}}),
    "alg no text": lambda: unsigned({"alg": [], "kid": "RS256"}),
    "typ no text": lambda: unsigned({"alg": "RS256", "kid": "RS256", "typ": 5}),
    "its own key": lambda: unsigned({"alg": "RS256", "kid": "RS256", "jwk": public("RS256", FORGED)}),
    "a logout token": lambda: mint(READ, header={"typ": "logout+jwt"}),
    "critical and unknown": lambda: mint(READ, header={"crit": ["x"], "x": 1}),
    "critical, and not a list": lambda: unsigned({"alg": "RS256", "kid": "RS256", "crit": {"b64": 1}}),
    "a payload that is elsewhere": lambda: mint(READ, header={"crit": ["b64"], "b64": False}),
    "more scopes than anybody has": lambda: mint(
        scope=[f"a:{'b' * n}{m}" for n in range(17) for m in "cdefghijklmnopqr"]
    ),
    "a body that is no object": lambda: f"{part({'alg': 'RS256', 'kid': 'RS256'})}.{part([1])}.AAAA",
    "two parts": lambda: "a.b",
    "five parts": lambda: "a.b.c.d.e",
    "dots": lambda: "..",
    "garbage": lambda: "gar-bage",
    "a header nested deep": lambda: base64.urlsafe_b64encode(b"[" * 4000).decode().rstrip("=") + ".e30.AA",
    "very long": lambda: mint(READ, padding="x" * MAX_TOKEN_BYTES),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_401_with_a_challenge(protected: Applications, name: str) -> None:
    headers = {"Authorization": f"Bearer {BAD[name]()}"}
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith(
        'Bearer realm="solicita", error="invalid_token", error_description="'
    )
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].isascii()


REASONS = {
    "another issuer": "InvalidIssuerError",
    "another audience": "InvalidAudienceError",
    "another's signature": "InvalidSignatureError",
}


@pytest.mark.parametrize("name", REASONS)
async def test_the_log_says_why_a_token_was_refused_when_the_answer_does_not(
    protected: Applications, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    with caplog.at_level("INFO", logger="tokens"):
        await protected.services.pessoas.get(PESSOAS.path, headers={"Authorization": f"Bearer {BAD[name]()}"})

    said = [record.__dict__["reason"] for record in caplog.records if record.name == "tokens"]
    assert said == [REASONS[name]]


TIMES: list[Any] = [
    *(None, True, False, "", "x", "1_0", "9999999999", [], [9_999_999_999], {}, -1),
    *(float("nan"), float("inf"), -float("inf"), 1e300, 10**30, 10**400, 253_402_300_800),
]
SUBJECTS: list[Any] = [
    *(None, True, 5, [], ["ana"], {}, "", " ", "\t", "\u00a0", "\u2028", "\ud800", "ana\udfff", "ana\n", "\0"),
    "a" * 256,
]
ODD: dict[str, list[Any]] = {
    "exp": TIMES,
    "nbf": TIMES,
    "iat": TIMES,
    "sub": SUBJECTS,
    "iss": [None, True, 5, [ISSUER], {ISSUER: 1}, "", "\ud800", f" {ISSUER}", f"{ISSUER}\0"],
    "aud": [None, True, 5, [], {}, {AUDIENCE: 1}, "", "\ud800", f"{AUDIENCE} ", [AUDIENCE, 5], [[AUDIENCE]], [None]],
    "jti": [None, True, 5, [], {}],
}
"""Every claim that is read, but for the scopes, with values that it must not have."""


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ODD.items() for value in values])
async def test_a_signed_token_with_an_odd_claim_is_401_and_never_a_500(
    protected: Applications, name: str, value: Any
) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "exp": now(600), "scope": f"{READ} pessoas:write"}
    token = signed(json.dumps(claims | {name: value}).encode())
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "1"}  # a key is kept under the subject

    read = await protected.services.pessoas.get(PESSOAS.path, headers=headers)
    written = await protected.services.pessoas.post(PESSOAS.path, json={"nome_pessoa": "Ana"}, headers=headers)
    asked = await protected.gateway.client.post("/graphql", json={"query": "{ __typename }"}, headers=headers)

    assert [read.status_code, written.status_code, asked.status_code] == [401, 401, 401]
    assert 'error="invalid_token"' in read.headers["www-authenticate"]


@pytest.mark.parametrize("claims", [b"", b"null", b"[]", b'"a"', b"{", b"[" * 5000, b'{"sub": "\xff"}', b"9" * 5000])
async def test_signed_claims_that_are_no_json_object_are_401(protected: Applications, claims: bytes) -> None:
    headers = {"Authorization": f"Bearer {signed(claims)}"}

    assert (await protected.services.pessoas.get(PESSOAS.path, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer ", "bearer   ", "Basic YTpi", "Token x", "Bearer,x", "é"]
)
async def test_no_bearer_token_is_401_with_a_challenge_that_names_no_error(
    protected: Applications, value: str | None
) -> None:
    """RFC 6750, 3.1: if a request has no token, the challenge names no error."""
    headers: Any = {} if value is None else {"Authorization": value.encode()}
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == 'Bearer realm="solicita"'


@pytest.mark.parametrize("value", ["Bearer a b", "Bearer é", "Bearer a,b", "Bearer =", 'Bearer token="a"'])
async def test_what_cannot_be_a_bearer_token_is_an_invalid_request(protected: Applications, value: str) -> None:
    headers: Any = {"Authorization": value.encode()}
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert answer.headers["www-authenticate"] == (
        'Bearer realm="solicita", error="invalid_request", error_description="not a bearer token"'
    )


@pytest.mark.parametrize("other", ["Basic YTpi", "Bearer x", ""])
async def test_two_authorization_headers_are_an_invalid_request_whatever_they_are(
    protected: Applications, other: str
) -> None:
    twice = httpx2.Headers([("Authorization", f"Bearer {mint(READ)}"), ("Authorization", other)])
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=twice)

    assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED")
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(
    "token",
    [
        {"alg": "RS256"},
        {"alg": "ES256"},
        {"alg": "EdDSA"},
        {"header": {"typ": "JWT"}},
        {"header": {"typ": "application/AT+JWT"}},
        {"header": {"typ": None}},
        {"header": {"kid": None}},
        {"header": {"kid": None}, "alg": "ES256"},
        {"header": {"kid": None}, "alg": "EdDSA"},
        {"exp": 253_402_300_799},
        {"exp": lambda: now(600) + 0.5},
        {"iat": 1.5, "nbf": 0},
        {"sub": "Zoë Ωmega 🦉 |" + "a" * 241},
        {"aud": ["another", "solicita"]},
        {"exp": lambda: now(-5)},
        {"nbf": lambda: now(5)},
        {"scope": None, "scp": [READ]},
        {"scope": None, "scp": f"a {READ}"},
        {"scope": [READ]},
        {"scope": "openid profile", "scp": READ},
        {"scope": None, "roles": [READ]},
        {"scope": "openid profile", "roles": ["Task.Write", READ]},
        {"scope": "openid profile", "permissions": [READ]},
        {"scope": "", "roles": [f"role {n}" for n in range(300)] + [READ]},
    ],
    ids=lambda token: ",".join(token),
)
async def test_a_good_token_lets_in(protected: Applications, token: dict[str, Any]) -> None:
    claims = {name: value() if callable(value) else value for name, value in token.items()}

    answer = await protected.services.pessoas.get(PESSOAS.path, headers=bearer(READ, **claims))

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_as_http_has_it(protected: Applications, scheme: str) -> None:
    headers = {"Authorization": f"{scheme.strip()} {mint(READ)}"}

    assert (await protected.services.pessoas.get(PESSOAS.path, headers=headers)).status_code == 200


@pytest.mark.parametrize("claim", ["scope", "scp", "roles", "permissions"])
@pytest.mark.parametrize(
    "scope",
    [
        5,
        True,
        {"a": 1},
        {READ: True},
        [1, None, [READ], {READ: 1}],
        "",
        "\ud800",
        "PESSOAS:READ",
        "pessoas",
        f"{READ}x",
    ],
)
async def test_scopes_that_are_none_of_ours_let_nobody_in(protected: Applications, claim: str, scope: Any) -> None:
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=bearer(**{"scope": None, claim: scope}))

    assert answer.status_code == 403


def tokens(issuer: Issuer, **settings: Any) -> TokenVerifier:
    keys = KeySet(str(issuer.path), ("RS256", "ES256"), refresh_seconds=0, retry_seconds=0)
    return TokenVerifier(ProcessSettings(**(issuer.settings() | settings)), keys)


async def scopes(judge: TokenVerifier, **claims: Any) -> set[str]:
    caller = await judge.caller([f"Bearer {mint(**claims)}".encode()])
    assert not caller.anonymous, caller.refusal
    return set(caller.scopes)


async def test_all_claims_that_may_hold_scopes_count_together(issuer: Issuer) -> None:
    claims = {"scope": "openid a:read", "scp": ["b:read"], "roles": ["c:read", "a:read"], "permissions": ["d:read"]}

    assert await scopes(tokens(issuer), **claims) == {"a:read", "b:read", "c:read", "d:read"}


NESTED: dict[str, dict[str, Any]] = {
    "realm_access.roles": {"realm_access": {"roles": ["offline_access", READ]}},
    "resource_access.https://api.example.com.roles": {
        "resource_access": {"https://api.example.com": {"roles": [READ]}}
    },
    "https://example.com/roles": {"https://example.com/roles": [READ]},
    "example.com/access.roles": {"example.com/access": {"roles": READ}},
    "a.b": {"a": {"b": ["other:read"]}, "a.b": [READ]},
}


@pytest.mark.parametrize("path", NESTED)
async def test_a_configured_claim_is_found_by_its_name_or_by_what_its_dots_lead_to(issuer: Issuer, path: str) -> None:
    judge = tokens(issuer, auth_scope_claims=path)

    assert await scopes(judge, **NESTED[path]) == {READ}
    assert await scopes(judge, scope="a:read", roles=["b:read"], permissions=["c:read"]) == set()


@pytest.mark.parametrize("claims", [{}, {"a": 5}, {"a": [{"b": READ}]}, {"a": {"b": {"c": READ}}}, {"a": {"": READ}}])
async def test_a_path_that_leads_nowhere_holds_no_scope(issuer: Issuer, claims: dict[str, Any]) -> None:
    assert await scopes(tokens(issuer, auth_scope_claims="a.b"), **claims) == set()


async def test_a_token_without_a_kid_is_refused_where_two_keys_would_fit(issuer: Issuer) -> None:
    judge, token = tokens(issuer), mint(READ, header={"kid": None})
    assert await admitted(judge, token)

    issuer.publish(public("RS256"), public("RS256", FORGED, kid="another"), public("ES256"))
    try:
        await until_refused(judge, token)
        assert await admitted(judge, mint(READ, alg="ES256", header={"kid": None}))
        assert await admitted(judge, mint(READ))
    finally:
        issuer.publish()


async def test_a_key_without_a_kid_serves_the_tokens_that_name_none_and_no_others(issuer: Issuer) -> None:
    nameless = public("RS256")
    del nameless["kid"]
    issuer.publish(nameless, public("ES256"))
    try:
        judge = tokens(issuer)
        assert await admitted(judge, mint(READ, header={"kid": None}))
        assert not await admitted(judge, mint(READ))
    finally:
        issuer.publish()


async def test_a_new_key_is_found_though_no_token_names_it(issuer: Issuer) -> None:
    judge = TokenVerifier(
        ProcessSettings(**issuer.settings()),
        KeySet(str(issuer.path), ("RS256",), refresh_seconds=1000, retry_seconds=0),
    )
    assert await admitted(judge, mint(READ, header={"kid": None}))

    issuer.publish(public("RS256", FORGED))
    try:
        assert await admitted(judge, mint(READ, key=FORGED, header={"kid": None}))
    finally:
        issuer.publish()


async def admitted(judge: TokenVerifier, token: str) -> bool:
    return not (await judge.caller([f"Bearer {token}".encode()])).anonymous


async def until_refused(judge: TokenVerifier, token: str) -> None:
    async with asyncio.timeout(30):
        while await admitted(judge, token):  # noqa: ASYNC110  # it is asked by asking
            await asyncio.sleep(0.02)


async def test_a_remembered_token_is_refused_once_it_has_expired(issuer: Issuer) -> None:
    judge, token = tokens(issuer, auth_leeway=0), mint(READ, exp=now(5))

    assert await admitted(judge, token)
    await until_refused(judge, token)


async def test_a_remembered_token_is_refused_once_its_key_is_withdrawn(issuer: Issuer) -> None:
    judge, token = tokens(issuer), mint(READ)
    assert await admitted(judge, token)

    issuer.publish(public("ES256", EC))
    try:
        await until_refused(judge, token)
    finally:
        issuer.publish()


async def test_what_is_remembered_is_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.identity.tokens.MAX_CACHED_TOKENS", 3)
    judge = tokens(issuer)

    for n in range(5):
        assert await admitted(judge, mint(READ, sub=f"caller {n}"))

    assert len(judge._cache) == 3 < MAX_CACHED_TOKENS  # pyright: ignore[reportPrivateUsage]  # nothing else shows it
