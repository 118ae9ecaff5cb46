"""Judges bearer tokens: OIDC access tokens as JWT (RFC 9068), signed by a key of the issuer, meant for us, and in time.

Every way a token can be bad ends in Unauthenticated with the challenge of RFC 6750; that nothing can be known, since
the issuer's keys were never had, in Unavailable. A token that was found good is remembered until it expires or the keys
change: most requests cost a digest instead of a signature.
"""

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import jwt
from jwt.exceptions import ExpiredSignatureError, ImmatureSignatureError, PyJWTError

from chassis.errors import Refusal, Unauthenticated
from chassis.identity import Caller
from chassis.jwks import Keys
from chassis.settings import Settings

BEARER = re.compile(rb"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
LONGEST_TOKEN = 8 * 1024
REMEMBERED = 4096
TYPES = ("at+jwt", "application/at+jwt", "jwt")
"""What a token may call itself, if it says anything: not all issuers do, but a logout token or a proof always does."""
REQUIRED = ["exp", "iss", "aud", "sub"]


@dataclass(frozen=True, slots=True)
class Verified:
    """What a good token says; `expires` is the second from which on it is none, leeway included."""

    subject: str
    scopes: frozenset[str]
    expires: float
    generation: int


class Tokens:
    """The tokens of one issuer for one audience."""

    def __init__(self, settings: Settings, keys: Keys | None = None) -> None:
        self._keys = keys or Keys(settings.auth_jwks, settings.auth_algorithms)
        self._issuer, self._audience = settings.auth_issuer, settings.auth_audience
        self._leeway = settings.auth_leeway
        self._remembered: dict[bytes, Verified] = {}

    async def caller(self, authorization: Sequence[bytes]) -> Caller:
        """Who sends these `Authorization` headers. Never raises: nobody is a caller too, with the reason."""
        try:
            token = bearer(authorization)
            verified = await self._verified(token)
        except Refusal as refusal:
            return Caller(refusal=refusal)
        return Caller(verified.subject, verified.scopes, token.decode())

    async def _verified(self, token: bytes) -> Verified:
        digest = hashlib.blake2b(token, digest_size=16).digest()
        self._keys.keep_fresh()
        found = self._remembered.get(digest)
        if found and found.generation == self._keys.generation:
            if found.expires > time.time():
                return found
            del self._remembered[digest]
        verified = await self._judged(token)
        while len(self._remembered) >= REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[digest] = verified
        return verified

    async def _judged(self, token: bytes) -> Verified:
        """Raises Unauthenticated, or Unavailable when the keys cannot be had."""
        try:
            header = jwt.get_unverified_header(token)
            kid, kind = header.get("kid"), header.get("typ", "jwt")
            if not isinstance(kind, str) or kind.lower() not in TYPES:
                raise refused("o token não é de acesso", "not an access token")
            key = await self._keys.find(kid) if isinstance(kid, str) else None
            if key is None:
                raise refused("o token não diz com que chave do emissor foi assinado", "no such key")
            claims = jwt.decode(
                token,
                key.public,
                algorithms=key.algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": REQUIRED},
            )
        except ExpiredSignatureError:
            raise refused("o token expirou", "the token has expired") from None
        except ImmatureSignatureError:
            raise refused("o token ainda não é válido", "the token is not valid yet") from None
        except PyJWTError:  # which of the rest it was helps nobody but a forger
            raise refused("o token não é válido", "the token is not valid") from None
        return Verified(claims["sub"], scopes_of(claims), int(claims["exp"]) + self._leeway, self._keys.generation)


def bearer(authorization: Sequence[bytes]) -> bytes:
    """The token. Raises Unauthenticated."""
    if not authorization:
        raise Unauthenticated("falta o token de acesso, no cabeçalho Authorization: Bearer")
    if len(authorization) > 1:
        raise refused("há mais de um cabeçalho Authorization", "more than one Authorization header", "invalid_request")
    if len(authorization[0]) > LONGEST_TOKEN:
        raise refused(f"o token passa de {LONGEST_TOKEN} bytes", "the token is too long")
    if not (found := BEARER.fullmatch(authorization[0])):
        raise refused("Authorization deve ser Bearer e um token", "not a bearer token", "invalid_request")
    return found[1]


def scopes_of(claims: dict[str, Any]) -> frozenset[str]:
    """The scopes of `scope`, or where it is absent of `scp`: a list, or words in one string."""
    given: Any = claims.get("scope", claims.get("scp"))
    if isinstance(given, str):
        return frozenset(given.split())
    if isinstance(given, list):
        return frozenset(one for one in cast("list[Any]", given) if isinstance(one, str))
    return frozenset()


def refused(detail: str, description: str, error: str = "invalid_token") -> Unauthenticated:
    challenge = f'Bearer error="{error}", error_description="{description}"'
    return Unauthenticated(detail, headers={"WWW-Authenticate": challenge})
