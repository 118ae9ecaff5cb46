"""Verifies bearer tokens: OIDC access tokens in JWT form (RFC 9068). A key of the issuer must have signed the token, it
must be meant for us, and it must be valid now.

Every invalid token ends in Unauthenticated, with the challenge of RFC 6750. A request that does not send its token as
that RFC says ends in Malformed. When the issuer's keys have never been fetched, no token can be verified, which ends in
Unavailable, or in DeadlineExceeded when fetching them takes too long. A valid token is cached until it expires or the
keys change, so most requests cost a digest instead of the check of a signature.
"""

import hashlib
import logging
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import jwt
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidSignatureError,
    InvalidTokenError,
    PyJWTError,
)

from chassis.errors import Malformed, Refusal, Unauthenticated, challenge
from chassis.identity.keys import KeySet, SigningKey
from chassis.request.caller import Caller
from chassis.settings import ProcessSettings

log = logging.getLogger("tokens")

TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
MAX_TOKEN_BYTES = 8 * 1024
MAX_CACHED_TOKENS = 4096
TYPES = ("at+jwt", "application/at+jwt", "jwt")
"""The accepted values of `typ`. Not all issuers set it for access tokens. Tokens for other uses, such as a logout token
or a proof of possession, always have another value."""
REQUIRED = ["exp", "iss", "aud", "sub"]
LAST_SECOND = 253_402_300_799
"""The end of the year 9999, in Unix time."""
MAX_SUBJECT_LENGTH = 255
"""The limit that OpenID Connect sets."""
SCOPE = re.compile("[a-z][a-z0-9_-]{0,63}:[a-z]{1,32}")
"""The form of our scopes. An issuer's roles contain other words, which need not be remembered."""
MAX_SCOPES = 256


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a valid token says. `expires` is the second from which it is no longer valid, leeway included."""

    subject: str
    scopes: frozenset[str]
    expires: float
    generation: int


class TokenVerifier:
    """Verifies the tokens of one issuer for one audience."""

    def __init__(self, settings: ProcessSettings, keys: KeySet) -> None:
        self._keys = keys
        self._issuer, self._audience = settings.auth_issuer, settings.auth_audience
        self._leeway, self._scope_claims = settings.auth_leeway, settings.auth_scope_claims
        self._cache: dict[bytes, VerifiedToken] = {}

    async def caller(self, authorization: Sequence[bytes]) -> Caller:
        """The caller who sends these `Authorization` headers. Never raises: without a valid token the Caller holds the
        refusal."""
        try:
            token = bearer_token(authorization)
            verified = await self._verify_cached(token)
        except Refusal as refusal:
            return Caller(refusal=refusal)
        return Caller(verified.subject, verified.scopes, token.decode(), expires=verified.expires)

    async def _verify_cached(self, token: bytes) -> VerifiedToken:
        digest = hashlib.blake2b(token, digest_size=16).digest()
        self._keys.refresh_if_due()
        cached = self._cache.get(digest)
        if cached and cached.generation == self._keys.generation:
            if cached.expires > time.time():
                return cached
            del self._cache[digest]
        verified = await self._verify(token)
        while len(self._cache) >= MAX_CACHED_TOKENS:
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = verified
        return verified

    async def _verify(self, token: bytes) -> VerifiedToken:
        """Verifies a token that is not in the cache. Raises Unauthenticated, or Unavailable when the keys cannot be
        fetched."""
        try:
            header = jwt.get_unverified_header(token)
            kid, kind = header.get("kid"), header.get("typ", "jwt")
            if not isinstance(kind, str) or kind.lower() not in TYPES:
                raise invalid_token("o token não é de acesso", "not an access token")
            key = await (self._keys.only(str(header.get("alg"))) if kid is None else self._keys.find(kid))
            if key is None:
                raise invalid_token("o token não diz com que chave do emissor foi assinado", "no such key")
            try:
                claims = self._claims(token, key)
            except InvalidSignatureError:
                if kid is None and await self._keys.refetch():  # a token without a key id may be signed with a new key
                    return await self._verify(token)
                raise
            if not claims_are_valid(claims):
                raise InvalidTokenError
        except ExpiredSignatureError:
            raise invalid_token("o token expirou", "the token has expired") from None
        except ImmatureSignatureError:
            raise invalid_token("o token ainda não é válido", "the token is not valid yet") from None
        except PyJWTError as failure:  # the exact reason is for the operator; a caller whom it helps is a forger
            log.info("token refused", extra={"reason": type(failure).__name__})
            raise invalid_token("o token não é válido", "the token is not valid") from None
        scopes = scopes_of(claims, self._scope_claims)
        return VerifiedToken(claims["sub"], scopes, int(claims["exp"]) + self._leeway, self._keys.generation)

    def _claims(self, token: bytes, key: SigningKey) -> dict[str, Any]:
        """The claims of a token that `key` has signed, that is for us and valid now. Raises PyJWTError."""
        return jwt.decode(
            token,
            key.public,
            algorithms=key.algorithms,
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway,
            options={"require": REQUIRED},
        )


def bearer_token(authorization: Sequence[bytes]) -> bytes:
    """The token. Raises Unauthenticated when there is none or it is too long, and Malformed for what RFC 6750 calls an
    invalid request."""
    if len(authorization) > 1:
        raise invalid_request("há mais de um cabeçalho Authorization", "more than one Authorization header")
    scheme, _, token = (authorization[0] if authorization else b"").partition(b" ")
    token = token.strip(b" ")
    if scheme.lower() != b"bearer" or not token:
        raise Unauthenticated("falta o token de acesso, no cabeçalho Authorization: Bearer")
    if len(token) > MAX_TOKEN_BYTES:
        raise invalid_token(f"o token passa de {MAX_TOKEN_BYTES} bytes", "the token is too long")
    if not TOKEN.fullmatch(token):
        raise invalid_request("Authorization deve ser Bearer e um token", "not a bearer token")
    return token


def claims_are_valid(claims: dict[str, Any]) -> bool:
    """Whether the claims that PyJWT accepted have valid values. PyJWT also accepts times given as text, and any text as
    a subject, even one that cannot be encoded as UTF-8."""
    times = [claims.get(name, 0) for name in ("exp", "nbf", "iat")]
    subject: str = claims["sub"]
    return (
        all(type(one) in (int, float) and 0 <= one <= LAST_SECOND for one in times)
        and len(subject) <= MAX_SUBJECT_LENGTH
        and subject.isprintable()
        and subject.strip() != ""
    )


def scopes_of(claims: dict[str, Any], paths: Iterable[str]) -> frozenset[str]:
    """All scopes in the claims at `paths`. Each claim is a list, or words in one string. Raises Unauthenticated when
    there are too many."""
    found = set[str]()
    for path in paths:
        value = claim(claims, path)
        words = value.split() if isinstance(value, str) else value
        if isinstance(words, list):
            found.update(one for one in cast("list[Any]", words) if isinstance(one, str) and SCOPE.fullmatch(one))
    if len(found) > MAX_SCOPES:
        raise invalid_token(f"o token traz mais de {MAX_SCOPES} escopos", "too many scopes")
    return frozenset(found)


def claim(claims: dict[str, Any], path: str) -> Any:
    """The claim whose name is the whole `path`, since dots may be part of a name. Without such a claim, each dot leads
    into an object: `realm_access.roles` is the member `roles` of the claim `realm_access`."""
    if path in claims:
        return claims[path]
    for dot in re.finditer(r"\.", path):
        inner = claims.get(path[: dot.start()])
        if isinstance(inner, dict):
            return claim(cast("dict[str, Any]", inner), path[dot.end() :])
    return None


def invalid_token(detail: str, description: str) -> Unauthenticated:
    return Unauthenticated(detail, headers=challenge("invalid_token", error_description=description))


def invalid_request(detail: str, description: str) -> Malformed:
    return Malformed(detail, headers=challenge("invalid_request", error_description=description))
