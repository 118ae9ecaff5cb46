"""The public keys of a token issuer (RFC 7517), from a URL or a file: how they are fetched, checked, kept and renewed.

From the start of the process they are fetched again and again until this succeeds once. From then on the keys stay in
use even while the issuer cannot be reached. While requests use them they are fetched again every five minutes. They are
also fetched again when a token names an unknown key, but at most once in ten seconds, however many such tokens come. A
file is read again every second.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx2
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from chassis.errors import Unavailable
from chassis.observe.metrics import KEYS_AWAY
from chassis.request import deadline

log = logging.getLogger("jwks")

MAX_BYTES, MAX_KEYS = 256 * 1024, 100
FETCH_SECONDS = 3.0
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
"""Seconds between two attempts at the start: each pause is twice as long as the one before, up to the longest."""
KEYS_UNAVAILABLE = "as chaves do emissor dos tokens não puderam ser obtidas; tente de novo em instantes"
MIN_RSA_BITS = 2048
FAMILIES = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
}
"""The algorithms by type of key: its curve when it has one, else its `kty`. No symmetric algorithm and no `none` is
ever accepted."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, its id (`kid`) if it has one, and the algorithms that it may be used with."""

    kid: str | None
    public: Any
    algorithms: tuple[str, ...]


class KeySet:
    """The keys of one issuer.

    While requests use them, they are fetched again after `refresh_seconds`. For tokens with an unknown key they are
    fetched again at most every `retry_seconds`.
    """

    def __init__(
        self,
        location: str,
        algorithms: Collection[str],
        *,
        refresh_seconds: float | None = None,
        retry_seconds: float | None = None,
    ) -> None:
        self._location, self._algorithms = location, algorithms
        self._remote = location.startswith(("http://", "https://"))
        self._refresh_seconds = refresh_seconds if refresh_seconds is not None else 300.0 if self._remote else 1.0
        self._retry_seconds = retry_seconds if retry_seconds is not None else 10.0 if self._remote else 1.0
        self._raw: bytes | None = None
        self._keys: Sequence[SigningKey] = ()
        self._failure: str | None = None
        self._fetched_at = -float("inf")
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0
        """The number of changes so far: tokens that were verified with older keys must be verified again."""

    @asynccontextmanager
    async def fetched_in_background(self) -> AsyncGenerator[None]:
        """Fetches in the background until there are keys. Meanwhile the process is live but not ready."""
        task = asyncio.create_task(self._fetch_until_available(), name="keys of the token issuer")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _fetch_until_available(self) -> None:
        pause = FIRST_PAUSE
        while self._raw is None:
            await self._fetch()
            if self._raw is None:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def ready(self) -> None:
        """Raises Unavailable while no keys have been fetched yet."""
        if self._raw is None:
            raise Unavailable(KEYS_UNAVAILABLE)

    def refresh_if_due(self) -> None:
        """Starts fetching the keys again when it is time; the request does not wait for it."""
        if self._raw is not None and time.monotonic() - self._fetched_at > self._refresh_seconds:
            self._fetch()

    async def find(self, kid: str) -> SigningKey | None:
        """The key with this id, or None. Raises Unavailable while no keys have been fetched yet, since then no token
        can be verified. Raises DeadlineExceeded when the issuer takes longer than the current request has left."""
        return await self._look_up(lambda: next((key for key in reversed(self._keys) if key.kid == kid), None))

    async def only(self, algorithm: str) -> SigningKey | None:
        """The only key for `algorithm`, for a token that names no key (RFC 7515, 4.1.4); None when several keys fit.
        Raises like `find`."""

        def fitting() -> SigningKey | None:
            keys = [key for key in self._keys if algorithm in key.algorithms]
            return keys[0] if len(keys) == 1 else None

        return await self._look_up(fitting)

    async def _look_up(self, look: Callable[[], SigningKey | None]) -> SigningKey | None:
        self.refresh_if_due()
        if look() is None:
            await self._fetch_again()
        await self.ready()
        return look()

    async def refetch(self) -> bool:
        """Fetches the keys again, unless that was just done. Returns whether they have changed."""
        before = self.generation
        await self._fetch_again()
        return self.generation != before

    async def _fetch_again(self) -> None:
        pause = self._retry_seconds if self._raw is not None else min(self._retry_seconds, 1.0)
        under_way = self._fetching is not None and not self._fetching.done()
        if under_way or time.monotonic() - self._fetched_at >= pause:
            # The fetch is shared: a request that is cancelled, or has no time left, must not cancel it for the others.
            await deadline.wait_for(asyncio.shield(self._fetch()))

    def _fetch(self) -> asyncio.Task[None]:
        """The fetch that is running; starts one when there is none."""
        if self._fetching is None or self._fetching.done():
            self._fetched_at = time.monotonic()
            self._fetching = asyncio.create_task(self._renew())
        return self._fetching

    async def _renew(self) -> None:
        """Fetches the issuer's keys. When they are not usable, the keys from before stay."""
        try:
            raw = await (self._download() if self._remote else asyncio.to_thread(self._read))
            keys = self._keys if raw == self._raw else read(raw, self._algorithms)
            if not keys and self._raw is None:
                raise ValueError("no key in it can be used with AUTH_ALGORITHMS")
        except (OSError, ValueError, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL) as failure:
            KEYS_AWAY.value = 1
            self._log_failure(repr(failure))
            return
        KEYS_AWAY.value = 0
        changed = raw != self._raw
        if changed:
            self._raw, self._keys = raw, keys
            self.generation += 1
        if changed or self._failure:
            log.info("keys renewed", extra={"location": self._location, "kids": [key.kid for key in keys]})
        self._failure = None

    def _log_failure(self, reason: str) -> None:
        """Logs why the keys cannot be fetched, unless the last attempt failed for the same reason."""
        if reason == self._failure:
            return
        self._failure = reason
        fields = {"variable": "AUTH_JWKS", "location": self._location, "reason": reason}
        if self._raw is None:
            log.error("the token issuer's keys cannot be had: no token is accepted until they are", extra=fields)
        else:
            log.warning("keys not renewed", extra=fields)

    async def _download(self) -> bytes:
        # Uncompressed, so that the number of bytes that arrive is the size of the document.
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        async with (
            asyncio.timeout(FETCH_SECONDS),
            httpx2.AsyncClient(timeout=FETCH_SECONDS, headers=headers) as client,
            client.stream("GET", self._location) as answer,
        ):
            if answer.status_code != 200:
                raise ValueError(f"status {answer.status_code}")
            raw = b""
            async for chunk in answer.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BYTES:
                    break
            return raw

    def _read(self) -> bytes:
        with Path(self._location).open("rb") as file:
            return file.read(MAX_BYTES + 1)


def read(raw: bytes, algorithms: Collection[str]) -> list[SigningKey]:
    """The keys of a JWK set that can be used with `algorithms`. Raises ValueError when `raw` is not a JWK set."""
    if len(raw) > MAX_BYTES:
        raise ValueError(f"more than {MAX_BYTES} bytes")
    try:
        document: Any = json.loads(raw)
    except RecursionError:
        raise ValueError("nested too deep") from None
    listed: Any = cast("dict[str, Any]", document).get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no JWK set")
    jwks = cast("list[Any]", listed)
    if len(jwks) > MAX_KEYS:
        raise ValueError(f"more than {MAX_KEYS} keys")
    keys = [_key(cast("dict[str, Any]", jwk), algorithms) for jwk in jwks if isinstance(jwk, dict)]
    return [key for key in keys if key]


def _key(jwk: dict[str, Any], allowed: Collection[str]) -> SigningKey | None:
    """The key; None when it is not for signatures, is a private key, is too short, or is for other algorithms."""
    kid, kind, alg = jwk.get("kid"), jwk.get("crv") or jwk.get("kty"), jwk.get("alg")
    if not isinstance(kid, str | None) or not isinstance(kind, str) or jwk.get("use", "sig") != "sig" or "d" in jwk:
        return None
    algorithms = tuple(one for one in FAMILIES.get(kind, ()) if one in allowed and alg in (None, one))
    if not algorithms:
        return None
    try:
        public = PyJWK(jwk, algorithms[0]).key
    except PyJWTError:
        return None
    if kind == "RSA" and public.key_size < MIN_RSA_BITS:
        return None
    return SigningKey(kid, public, algorithms)
