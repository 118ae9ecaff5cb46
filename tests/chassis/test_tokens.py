"""Bearer tokens as a service judges them: every way to be bad is a 401 with its challenge, and never a 500."""

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

from chassis.jwks import Keys
from chassis.settings import Settings
from chassis.tokens import LONGEST_TOKEN, REMEMBERED, Tokens
from tests.applications import Applications
from tests.issuer import EC, FORGED, RSA, Issuer, bearer, jwks, mint, pem, public
from tests.resources import PESSOAS

READ = "pessoas:read"


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(header: dict[str, Any]) -> str:
    """A token with this header and no signature worth the name."""
    _, claims, signature = mint(READ).split(".")
    return f"{part(header)}.{claims}.{signature}"


def hmac_with_public_key() -> str:
    """The old trick: what verifies RS256 is public, so let HS256 take it for the shared secret."""
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
    "no kid": lambda: mint(READ, header={"kid": None}),
    "an unknown kid": lambda: mint(READ, header={"kid": "x"}),
    "kid a path": lambda: mint(READ, header={"kid": "../../../dev/null"}),
    "kid no text": lambda: unsigned({"alg": "RS256", "kid": {"a": 1}}),
    "alg no text": lambda: unsigned({"alg": [], "kid": "RS256"}),
    "typ no text": lambda: unsigned({"alg": "RS256", "kid": "RS256", "typ": 5}),
    "its own key": lambda: unsigned({"alg": "RS256", "kid": "RS256", "jwk": public("RS256", FORGED)}),
    "a logout token": lambda: mint(READ, header={"typ": "logout+jwt"}),
    "critical and unknown": lambda: mint(READ, header={"crit": ["x"], "x": 1}),
    "a body that is no object": lambda: f"{part({'alg': 'RS256', 'kid': 'RS256'})}.{part([1])}.AAAA",
    "two parts": lambda: "a.b",
    "five parts": lambda: "a.b.c.d.e",
    "dots": lambda: "..",
    "garbage": lambda: "gar-bage",
    "a header nested deep": lambda: base64.urlsafe_b64encode(b"[" * 4000).decode().rstrip("=") + ".e30.AA",
    "very long": lambda: mint(READ, padding="x" * LONGEST_TOKEN),
}


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_token_is_401_with_a_challenge(protected: Applications, name: str) -> None:
    headers = {"Authorization": f"Bearer {BAD[name]()}"}
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].isascii()


async def test_no_token_is_401_with_the_bare_challenge(protected: Applications) -> None:
    answer = await protected.services.pessoas.get(PESSOAS.path)

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("value", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer a b", "Token x", "Bearer é"])
async def test_another_kind_of_authorization_is_401(protected: Applications, value: str) -> None:
    headers = {"Authorization": value.encode()}
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=headers)  # pyright: ignore[reportArgumentType]

    assert answer.status_code == 401
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]


async def test_two_authorization_headers_are_401_even_when_both_are_good(protected: Applications) -> None:
    twice = httpx2.Headers([("Authorization", f"Bearer {mint(READ)}")] * 2)
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=twice)

    assert answer.status_code == 401
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
        {"aud": ["another", "solicita"]},
        {"exp": lambda: now(-5)},
        {"nbf": lambda: now(5)},
        {"scope": None, "scp": [READ]},
        {"scope": None, "scp": f"a {READ}"},
        {"scope": [READ]},
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


@pytest.mark.parametrize("scope", [5, {"a": 1}, [1, None], "", "PESSOAS:READ", "pessoas", "pessoas:readx"])
async def test_scopes_that_are_none_of_ours_let_nobody_in(protected: Applications, scope: Any) -> None:
    answer = await protected.services.pessoas.get(PESSOAS.path, headers=bearer(scope=scope))

    assert answer.status_code == 403


def tokens(issuer: Issuer, **settings: Any) -> Tokens:
    return Tokens(Settings(**(issuer.settings() | settings)), Keys(str(issuer.path), ("RS256", "ES256"), every=0))


async def admitted(judge: Tokens, token: str) -> bool:
    return not (await judge.caller([f"Bearer {token}".encode()])).anonymous


async def until_refused(judge: Tokens, token: str) -> None:
    async with asyncio.timeout(30):
        while await admitted(judge, token):  # noqa: ASYNC110  # it is asked by asking
            await asyncio.sleep(0.02)


async def test_a_remembered_token_is_refused_once_it_has_expired(issuer: Issuer) -> None:
    judge, token = tokens(issuer, auth_leeway=0), mint(READ, exp=now(2))

    assert await admitted(judge, token)
    await until_refused(judge, token)


async def test_a_remembered_token_is_refused_once_its_key_is_withdrawn(issuer: Issuer) -> None:
    judge, token = tokens(issuer), mint(READ)
    assert await admitted(judge, token)

    issuer.path.write_text(jwks(public("ES256", EC)))
    try:
        await until_refused(judge, token)
    finally:
        issuer.path.write_text(jwks())


async def test_what_is_remembered_is_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.tokens.REMEMBERED", 3)
    judge = tokens(issuer)

    for n in range(5):
        assert await admitted(judge, mint(READ, sub=f"caller {n}"))

    assert len(judge._remembered) == 3 < REMEMBERED  # pyright: ignore[reportPrivateUsage]  # nothing else shows it
