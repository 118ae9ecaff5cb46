"""An issuer of access tokens, for tests: real keys, real signatures, and its keys over HTTP or in a file."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER, AUDIENCE = "https://issuer.test", "solicita"

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())
ED = ed25519.Ed25519PrivateKey.generate()
FORGED = rsa.generate_private_key(65537, 2048)
"""A key of somebody else."""

KEYS: dict[str, Any] = {"RS256": RSA, "ES256": EC, "EdDSA": ED}
Json = dict[str, Any]


def public(algorithm: str, key: Any = None, **members: Any) -> Json:
    """A public key as a JWK, by the name of its algorithm."""
    kinds: dict[str, Callable[..., Json]] = {
        "RS256": RSAAlgorithm.to_jwk,
        "ES256": ECAlgorithm.to_jwk,
        "EdDSA": OKPAlgorithm.to_jwk,
    }
    public_key: Any = (key or KEYS[algorithm]).public_key()
    return {**kinds[algorithm](public_key, as_dict=True), "kid": algorithm, **members}


def jwks(*keys: Json) -> str:
    return json.dumps({"keys": list(keys) or [public(one) for one in KEYS]})


def mint(*scopes: str, key: Any = None, alg: str = "RS256", header: Json | None = None, **claims: Any) -> str:
    """A token that is valid except for the arguments; a claim or header that is None is left out."""
    now = int(time.time())
    payload = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ana", "iat": now, "exp": now + 600, "scope": " ".join(scopes)}
    payload = {name: value for name, value in {**payload, **claims}.items() if value is not None}
    return signed(json.dumps(payload).encode(), key=key, alg=alg, header=header)


def signed(claims: bytes, *, key: Any = None, alg: str = "RS256", header: Json | None = None) -> str:
    """A token of these claims, also where a library would refuse to make it."""
    headers = {"kid": alg, "typ": "at+jwt", **(header or {})}
    headers = {name: value for name, value in headers.items() if value is not None or name == "typ"}
    return jwt.PyJWS().encode(claims, KEYS[alg] if key is None else key, alg, headers=headers)


def bearer(*scopes: str, **more: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {mint(*scopes, **more)}"}


def pem(key: Any) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def publish(path: Path, text: str) -> None:
    """Puts `text` into a file all at once: who reads it meanwhile finds what was there before, and never a part."""
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


class Issuer:
    """An issuer whose keys are in a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_text(jwks())

    def publish(self, *keys: Json) -> None:
        """Replaces the keys, by default with those of the beginning."""
        publish(self.path, jwks(*keys))

    def settings(self) -> dict[str, Any]:
        return {
            "auth_mode": "jwt",
            "auth_jwks": str(self.path),
            "auth_issuer": ISSUER,
            "auth_audience": AUDIENCE,
        }


class Server(ThreadingHTTPServer):
    """An issuer whose keys are at a URL. `answer` is its present answer; `asked` counts the requests."""

    answer: str = jwks()
    status: int = 200
    asked: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name is http.server's
        assert isinstance(self.server, Server)
        self.server.asked += 1
        body = self.server.answer.encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing, since the output of a test shows only failures."""


@contextmanager
def served(port: int = 0) -> Generator[Server]:
    with Server(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()
