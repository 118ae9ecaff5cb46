"""Issues an access token signed with a local development key: `python -m deploy.issue_token`, which is what
`make token` does.

The key pair is made on first use in DATA_DIR, beside the databases; `AUTH_MODE=jwt make run` trusts it unless AUTH_JWKS
names other keys. The public key is in a folder of its own, which can be mounted into a container (docs/containers.md).
Environment, with defaults: SCOPES (all), SUBJECT (dev), SECONDS (3600), DATA_DIR (.data). Only the token goes to
standard output; how to use it goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from deploy import topology
from deploy.run_lock import data_directory

ISSUER = "solicita-local"
AUDIENCE = "solicita"
ALGORITHM = "ES256"
ALL = [f"{service.name}:{right}" for service in topology.SERVICES for right in ("read", "write")]
FOLLOW = [f"{service.name}:changes" for service in topology.SERVICES]
FOLLOWER_SECONDS = 365 * 24 * 3600
"""How long the token of our own processes is good; each start of the system makes another one."""


def settings(data_dir: Path) -> dict[str, str]:
    """Writes the public key into its folder, unless it is there already, and a token by which the processes may follow
    the changes of one another. Returns the environment variables that make a process trust the key, and have the token.
    """
    jwks = data_dir / "public-keys" / "jwks.json"
    public = json.dumps({"keys": [_public(_key(data_dir))]}, indent=2) + "\n"
    if not jwks.exists() or jwks.read_text() != public:
        jwks.parent.mkdir(exist_ok=True)
        draft = jwks.with_suffix(f".{os.getpid()}")
        draft.write_text(public)
        draft.chmod(0o644)  # whatever the umask is, since the users in containers must read the file too
        jwks.parent.chmod(0o755)
        draft.replace(jwks)
    follower = data_dir / "follower-token"
    draft = follower.with_suffix(f".{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(mint(data_dir, subject="follower", scopes=FOLLOW, seconds=FOLLOWER_SECONDS))
    draft.replace(follower)
    trust = {"AUTH_JWKS": str(jwks), "AUTH_ISSUER": ISSUER, "AUTH_AUDIENCE": AUDIENCE}
    return {**trust, "FOLLOWER_TOKEN_FILE": str(follower)}


def mint(data_dir: Path, *, subject: str = "dev", scopes: Iterable[str] = ALL, seconds: int = 3600) -> str:
    """A token as an OIDC issuer would make it (RFC 9068)."""
    now, key = int(time.time()), _key(data_dir)
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "client_id": "make-token", "scope": " ".join(scopes)}
    headers = {"kid": _public(key)["kid"], "typ": "at+jwt"}
    return jwt.encode({**claims, "iat": now, "exp": now + seconds}, key, ALGORITHM, headers=headers)


def _key(data_dir: Path) -> ec.EllipticCurvePrivateKey:
    """The development key; made if there is none."""
    path = data_dir / "token-key.pem"
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        new = ec.generate_private_key(ec.SECP256R1())
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        draft = path.with_suffix(f".{os.getpid()}")
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new.private_bytes(*form))
        # If two processes make a key at the same time, the first key is used.
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    found = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    return found


def _public(key: ec.EllipticCurvePrivateKey) -> dict[str, Any]:
    """The public key as a JWK. Its `kid` is made from the beginning of its x coordinate, so another key has another
    `kid`."""
    jwk = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": f"local-{jwk['x'][:8]}", "use": "sig", "alg": ALGORITHM}


def main() -> None:
    variables = os.environ
    data_dir = data_directory(variables)
    scopes = variables.get("SCOPES", " ".join(ALL)).split()
    seconds = variables.get("SECONDS") or "3600"
    if unknown := [scope for scope in scopes if scope not in (*ALL, *FOLLOW)]:
        raise SystemExit(f"SCOPES: there is no {' '.join(unknown)}; there are {' '.join((*ALL, *FOLLOW))}")
    if not (seconds.isascii() and seconds.isdigit() and 0 < int(seconds) <= 10**8):
        raise SystemExit(f"SECONDS must be a whole number from 1, not {seconds!r}")
    subject = variables.get("SUBJECT") or "dev"
    settings(data_dir)  # writes the public key, for containers
    print(mint(data_dir, subject=subject, scopes=scopes, seconds=int(seconds)))
    print(
        f"\n{subject}, for {seconds} s, may: {' '.join(scopes) or 'nothing'}\n"
        "For `AUTH_MODE=jwt make run`: paste it into GraphiQL's field `Token de acesso`, below the answer, "
        "or send it as the header `Authorization: Bearer <token>`. For containers: docs/containers.md, Tokens.",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
