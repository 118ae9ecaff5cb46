"""`make token`: a development key that no other user can read, and tokens with the requested claims."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest

from deploy import issue_token
from deploy.local import ROOT
from tests.deploy.processes import WAIT_SECONDS


def minted(directory: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("SCOPES", "SUBJECT", "SECONDS")}
    return subprocess.run(
        [sys.executable, "-m", "deploy.issue_token"],
        cwd=ROOT,
        env=kept | {"DATA_DIR": str(directory)} | variables,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS,
        check=False,
    )


def claims(directory: Path, text: str) -> dict[str, Any]:
    """The claims of a token, after its signature was verified with the published key."""
    [key] = json.loads(Path(issue_token.settings(directory)["AUTH_JWKS"]).read_text())["keys"]
    found: dict[str, Any] = jwt.decode(text, jwt.PyJWK(key), audience=issue_token.AUDIENCE, issuer=issue_token.ISSUER)
    return found


def test_the_token_alone_goes_to_standard_output_and_says_what_was_asked_for(directory: Path) -> None:
    made = minted(directory, SCOPES="catalogo:read pessoas:read", SUBJECT="ana", SECONDS="60")
    said = claims(directory, made.stdout.strip())

    assert made.stdout.count("\n") == 1
    assert "AUTH_MODE=jwt make run" in made.stderr
    assert (said["sub"], said["scope"], said["exp"] - said["iat"]) == ("ana", "catalogo:read pessoas:read", 60)


def test_a_token_may_everything_for_an_hour_unless_asked(directory: Path) -> None:
    said = claims(directory, minted(directory).stdout.strip())

    assert (said["sub"], said["scope"].split(), said["exp"] - said["iat"]) == ("dev", issue_token.ALL, 3600)


def test_the_private_key_is_its_owners_only_and_never_published(directory: Path) -> None:
    published = Path(issue_token.settings(directory)["AUTH_JWKS"]).read_text()

    [private] = directory.glob("*.pem")
    assert private.stat().st_mode & 0o777 == 0o600
    assert '"d"' not in published


def test_the_public_key_lies_alone_in_a_folder_that_the_user_of_a_container_can_read(directory: Path) -> None:
    before = os.umask(0o077)
    try:
        minted(directory)
    finally:
        os.umask(before)

    folder = directory / "public-keys"
    [published] = folder.iterdir()
    assert (folder.stat().st_mode & 0o777, published.stat().st_mode & 0o777) == (0o755, 0o644)
    assert '"d"' not in published.read_text()


def test_all_who_come_at_the_same_time_get_the_same_key(directory: Path) -> None:
    with ThreadPoolExecutor(8) as crowd:
        runs = [crowd.submit(minted, directory) for _ in range(4)]
        tokens = [run.result().stdout.strip() for run in runs]

    assert all(claims(directory, one) for one in tokens)


@pytest.mark.parametrize("variables", [{"SCOPES": "pessoas:delete"}, {"SECONDS": "0"}, {"SECONDS": "soon"}], ids=str)
def test_what_cannot_be_minted_is_said(directory: Path, variables: dict[str, str]) -> None:
    refused = minted(directory, **variables)

    assert (refused.returncode, refused.stdout, refused.stderr.count("\n")) == (1, "", 1)
    assert next(iter(variables)) in refused.stderr
