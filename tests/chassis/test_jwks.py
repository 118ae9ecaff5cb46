"""An issuer's keys: they are rotated, withdrawn, unreachable or hostile, and the issuer is asked only seldom."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from chassis.errors import Unavailable
from chassis.identity.keys import MAX_BYTES, MAX_KEYS, KeySet, read
from chassis.observe.metrics import KEYS_AWAY
from deploy.postgres import free_ports
from tests.issuer import KEYS, RSA, jwks, public, publish, served

ALL = ("RS256", "ES256", "EdDSA")


async def test_keys_are_asked_for_once_however_many_wait(tmp_path: Path) -> None:
    with served() as server:
        keys = KeySet(server.url, ALL)

        found = await asyncio.gather(*(keys.find(kid) for kid in [*KEYS, "x"] * 20))

        assert [key is not None for key in found] == [True, True, True, False] * 20
        assert server.asked == 1


async def test_unknown_kids_do_not_make_us_ask_more_often() -> None:
    with served() as server:
        keys = KeySet(server.url, ALL)

        for n in range(50):
            assert await keys.find(f"unknown {n}") is None

        assert server.asked == 1


async def test_a_new_key_is_found_when_a_token_names_it_and_an_old_one_goes() -> None:
    with served() as server:
        server.answer = jwks(public("RS256", kid="old"))
        keys = KeySet(server.url, ALL, retry_seconds=0)
        assert await keys.find("old")

        server.answer = jwks(public("RS256", kid="new"))

        assert await keys.find("new")
        assert await keys.find("old") is None


async def test_keys_are_renewed_behind_the_back_of_those_who_use_them() -> None:
    with served() as server:
        keys = KeySet(server.url, ALL, refresh_seconds=0, retry_seconds=1000)
        assert await keys.find("RS256")

        server.answer = jwks(public("ES256"))

        async with asyncio.timeout(30):
            while await keys.find("RS256"):  # noqa: ASYNC110  # it is asked by asking
                await asyncio.sleep(0.01)
        assert keys.generation == 2


@pytest.mark.parametrize("answer", ["", "{", "[]", '{"keys": 5}', "[" * 100_000, "x" * (MAX_BYTES + 1)], ids=len)
async def test_cached_keys_serve_while_the_issuer_talks_nonsense(answer: str) -> None:
    with served() as server:
        keys = KeySet(server.url, ALL, refresh_seconds=0, retry_seconds=0)
        assert await keys.find("RS256")

        server.answer = answer

        assert await keys.find("unknown") is None
        assert await keys.find("RS256")


async def test_cached_keys_serve_while_the_issuer_is_away_and_an_unknown_one_is_just_unknown() -> None:
    with served() as server:
        keys = KeySet(server.url, ALL, refresh_seconds=0, retry_seconds=0)
        assert await keys.find("RS256")
    server.server_close()

    assert await keys.find("unknown") is None
    assert await keys.find("RS256")


async def test_the_metrics_say_that_the_issuer_is_away_and_that_it_is_back() -> None:
    port = free_ports()
    keys = KeySet(f"http://127.0.0.1:{port}/jwks", ALL, retry_seconds=0)

    with pytest.raises(Unavailable):
        await keys.find("RS256")
    while_away = KEYS_AWAY.value
    with served(port):
        await keys.find("RS256")

    assert (while_away, KEYS_AWAY.value) == (1, 0)


async def test_an_issuer_that_was_never_there_is_503_and_is_found_once_it_comes() -> None:
    port = free_ports()
    keys = KeySet(f"http://127.0.0.1:{port}/jwks", ALL, retry_seconds=0)
    with pytest.raises(Unavailable) as refused:
        await keys.find("RS256")
    assert "Retry-After" in refused.value.headers

    with served(port):
        assert await keys.find("RS256")


async def test_an_issuer_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.identity.keys.FETCH_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        keys = KeySet(f"http://127.0.0.1:{mute.getsockname()[1]}/jwks", ALL)

        with pytest.raises(Unavailable):
            await keys.find("RS256")


async def test_a_caller_who_hangs_up_does_not_take_the_answer_from_the_others() -> None:
    with served() as server:
        keys = KeySet(server.url, ALL)
        impatient = asyncio.create_task(keys.find("RS256"))
        patient = asyncio.create_task(keys.find("RS256"))
        await asyncio.sleep(0)

        impatient.cancel()

        assert await patient
        assert server.asked == 1


async def test_an_error_page_is_no_key_set() -> None:
    with served() as server:
        server.status = 500
        with pytest.raises(Unavailable):
            await KeySet(server.url, ALL).find("RS256")


async def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    keys = KeySet(str(path), ALL, refresh_seconds=0, retry_seconds=0)
    with pytest.raises(Unavailable):
        await keys.find("RS256")

    publish(path, jwks())
    assert await keys.find("RS256")
    publish(path, jwks(public("RS256", kid="new")))
    assert await keys.find("new")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    """The lines about problems: their level and their members."""
    names = ("variable", "location", "reason")
    return [
        (record.levelname, {name: record.__dict__[name] for name in names})
        for record in caplog.records
        if record.name == "jwks" and record.levelname != "INFO"
    ]


async def ready(keys: KeySet) -> None:
    """Returns when the keys are there, although no request asks for them."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(Unavailable):
                return await keys.ready()
            await asyncio.sleep(0.01)


async def until_told(caplog: pytest.LogCaptureFixture, lines: int) -> None:
    async with asyncio.timeout(30):
        while len(told(caplog)) < lines:  # noqa: ASYNC110  # a log does not wake anybody
            await asyncio.sleep(0.01)


async def test_a_file_that_is_not_there_at_the_start_is_one_error_line_and_is_found_once_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.identity.keys.FIRST_PAUSE", 0.01)
    path = tmp_path / "jwks.json"
    keys = KeySet(str(path), ALL, retry_seconds=0)

    async with keys.fetched_in_background():
        await until_told(caplog, 1)
        for _ in range(5):  # a request that asks meanwhile causes no further line
            with pytest.raises(Unavailable):
                await keys.find("RS256")
        publish(path, "{}")
        await until_told(caplog, 2)
        publish(path, jwks())
        await ready(keys)

    [(level, first), (_, second)] = told(caplog)
    assert (level, first["variable"], first["location"]) == ("ERROR", "AUTH_JWKS", str(path))
    assert "FileNotFoundError" in first["reason"]
    assert "no JWK set" in second["reason"]


async def test_an_issuer_that_comes_late_is_found_though_no_request_asks(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.identity.keys.FIRST_PAUSE", 0.01)
    port = free_ports()
    keys = KeySet(f"http://127.0.0.1:{port}/jwks", ALL)

    async with keys.fetched_in_background():
        await until_told(caplog, 1)
        with pytest.raises(Unavailable):
            await keys.ready()
        with served(port) as server:
            await ready(keys)
        server.server_close()
        await keys.ready()  # for good

    assert told(caplog)[0][0] == "ERROR"


@pytest.mark.parametrize(
    "set_",
    ['{"keys": []}', jwks(public("RS256", use="enc")), jwks(public("RS256", alg="RS512"))],
    ids=["no key", "for encryption", "of another algorithm"],
)
async def test_a_set_without_a_key_that_can_be_used_is_none_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, set_: str
) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(set_)
    keys = KeySet(str(path), ALL)

    async with keys.fetched_in_background():
        await until_told(caplog, 1)
        with pytest.raises(Unavailable):
            await keys.ready()

    assert "AUTH_ALGORITHMS" in told(caplog)[0][1]["reason"]


async def test_an_outage_is_one_warning_and_its_end_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with served() as server:
        keys = KeySet(server.url, ALL, retry_seconds=0)
        assert await keys.find("RS256")
        caplog.clear()

        server.status = 500
        for _ in range(5):
            assert await keys.find("unknown") is None
        server.status = 200
        for _ in range(5):
            assert await keys.find("unknown") is None

    assert [(one.levelname, one.getMessage()) for one in caplog.records if one.name == "jwks"] == [
        ("WARNING", "keys not renewed"),
        ("INFO", "keys renewed"),
    ]


def short() -> dict[str, Any]:
    key = rsa.generate_private_key(65537, 1024)  # that it is too short is the point
    return {**RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": "short"}


@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "x", "alg": "HS256"},
        public("RS256", alg="HS256"),
        public("RS256", alg="RS512"),
        public("RS256", use="enc"),
        public("RS256", kid=["RS256"]),
        public("RS256", kid=5),
        public("RS256", n="AQAB"),
        public("ES256", crv="P-384"),
        public("ES256", crv="secp256k1"),
        {**RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "private"},
        short(),
        {},
        5,
        None,
    ],
    ids=[
        *("symmetric", "symmetric with its algorithm", "of another kind's algorithm", "of another algorithm"),
        *("for encryption", "kid is a list", "kid is a number", "modulus too small", "of another curve"),
        *("of an unknown curve", "private", "too short", "empty", "a number", "null"),
    ],
)
def test_a_key_that_is_not_to_be_used_is_passed_over(jwk: Any) -> None:
    found = read(json.dumps({"keys": [jwk, public("EdDSA")]}).encode(), ALL)

    assert [key.kid for key in found] == ["EdDSA"]


def test_a_key_set_is_bounded_and_an_empty_one_withdraws_all() -> None:
    with pytest.raises(ValueError, match="keys"):
        read(json.dumps({"keys": [{}] * (MAX_KEYS + 1)}).encode(), ALL)
    assert read(b'{"keys": []}', ALL) == []


def test_a_key_that_does_not_say_may_be_used_with_every_configured_algorithm_of_its_kind() -> None:
    [found] = read(jwks(public("RS256")).encode(), ("RS256", "PS512", "ES256"))

    assert found.algorithms == ("RS256", "PS512")


async def test_a_token_that_names_no_key_gets_the_only_one_that_fits(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(jwks(public("RS256", kid="a"), public("RS256", kid="b", alg="RS256"), public("ES256", kid=None)))
    keys = KeySet(str(path), (*ALL, "PS256"))

    assert [key and key.kid for key in [await keys.only("RS256"), await keys.only("PS256")]] == [None, "a"]
    assert (found := await keys.only("ES256"))
    assert found.kid is None
    assert await keys.only("EdDSA") is None
    assert await keys.only("none") is None
