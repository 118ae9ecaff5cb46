"""The host of a request: a request for another host is refused at its head, before any work is done on it."""

from __future__ import annotations

import json

import pytest
from starlette.types import Receive, Scope, Send

from chassis.web.hosts import MAX_CACHED, AllowedHosts
from tests.chassis.peers import serving

HOSTS = AllowedHosts(("localhost", "api.example.com", "*.example.org"))


@pytest.mark.parametrize(
    "authority",
    [
        b"localhost",
        b"localhost:8002",
        b"localhost:",
        b"LocalHost.:8002",
        b"localhost:8002 \t",
        b"api.example.com",
        b"a.example.org:1",
        b"a.b.example.org.",
        b"127.0.0.1:8002",
        b"192.0.2.7",
        b"[::1]:8002",
        b"[2001:DB8::7]",
    ],
)
def test_our_names_and_every_address_pass_with_any_port(authority: bytes) -> None:
    assert HOSTS.refusal_status(authority) is None


@pytest.mark.parametrize(
    "authority",
    [
        b"evil.test",
        b"evil.test:8002",
        b"localhost.evil.test",
        b"evil.localhost",
        b"notlocalhost",
        b"localhost..",
        b"127.0.0.1.evil.test",
        b"127.1",
        b"2130706433",
        b"0x7f.0.0.1",
        b"example.com",
        b"a.api.example.com",
        b"example.org",
        b"evilexample.org",
        b"example.org.evil.test",
        b"*.example.org.evil.test",
        b"%6cocalhost",
    ],
)
def test_every_other_name_is_misdirected(authority: bytes) -> None:
    assert HOSTS.refusal_status(authority) == 421


@pytest.mark.parametrize(
    "authority",
    [
        b"",
        b":8002",
        b"localhost:http",
        b"localhost:1:2",
        b"localhost:123456",
        b"me@localhost",
        b"localhost/evil.test",
        b"localhost evil.test",
        b"http://localhost",
        b"[::1",
        b"[::1]x",
        b"[127.0.0.1]",
        b"::1",
        b"localhost\x00",
        "locálhost".encode(),
    ],
)
def test_what_is_no_authority_is_malformed(authority: bytes) -> None:
    assert HOSTS.refusal_status(authority) == 400


def test_a_star_serves_every_name_but_nothing_malformed() -> None:
    anybody = AllowedHosts(("*",))

    assert [anybody.refusal_status(host) for host in (b"evil.test:1", b"[::1]", b"a b")] == [None, None, 400]


def test_names_that_strangers_invent_are_not_all_remembered() -> None:
    hosts = AllowedHosts(("localhost",))

    assert {hosts.refusal_status(b"%d.evil.test" % number) for number in range(3 * MAX_CACHED)} == {421}
    assert hosts.refusal_status.cache_info().currsize == MAX_CACHED


CHUNKED = b"POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"


class Seen:
    """An application that remembers the heads of its requests."""

    def __init__(self) -> None:
        self.heads: list[tuple[str, list[bytes]]] = []

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.heads.append((scope["path"], [value for name, value in scope["headers"] if name == b"host"]))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (b"GET /a HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, "MISDIRECTED"),
        (b"GET /health/live HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, "MISDIRECTED"),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.test\r\n\r\n", 421, "MISDIRECTED"),
        (b"GET /a HTTP/1.0\r\nHost: evil.test\r\n\r\n", 421, "MISDIRECTED"),
        (b"GET http://evil.test/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 421, "MISDIRECTED"),
        (b"GET http://evil.test/a HTTP/1.0\r\n\r\n", 421, "MISDIRECTED"),
        (
            b"POST /a HTTP/1.1\r\nHost: evil.test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            421,
            "MISDIRECTED",
        ),
        (b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", 400, "MALFORMED"),
        (b"GET /a HTTP/1.1\r\nHost: me@localhost\r\n\r\n", 400, "MALFORMED"),
        (b"GET http://localhost@evil.test/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "MALFORMED"),
        (b"GET http:///a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "MALFORMED"),
        (b"GET ftp://localhost/a HTTP/1.1\r\nHost: localhost\r\n\r\n", 400, "MALFORMED"),
        (b"GET http://localhost/a HTTP/1.1\r\n\r\n", 400, "MALFORMED"),
    ],
)
async def test_another_name_is_refused_at_the_head_and_reaches_no_application(
    request_bytes: bytes, status: int, code: str
) -> None:
    seen = Seen()
    async with serving(seen) as served:
        peer = await served.peer()
        peer.send(request_bytes)
        answer = await peer.answer()

        assert (answer.status, json.loads(answer.body)["code"], answer.closes) == (status, code, True)
        assert await peer.is_cut_off()
        assert served.refused == {status: 1}
    assert seen.heads == []


@pytest.mark.parametrize(
    ("request_bytes", "path", "hosts"),
    [
        (b"GET /a HTTP/1.1\r\nHost: \t Localhost.\r\n\r\n", "/a", [b"Localhost."]),
        (b"GET /a HTTP/1.0\r\n\r\n", "/a", []),
        (b"GET //evil.test/a HTTP/1.1\r\nHost: localhost\r\n\r\n", "//evil.test/a", [b"localhost"]),
        (b"GET http://localhost:8002/a?b=/c HTTP/1.1\r\nHost: evil.test\r\n\r\n", "/a", [b"localhost:8002"]),
        (b"GET HTTPS://[::1]/a HTTP/1.1\r\nHost: evil.test\r\n\r\n", "/a", [b"[::1]"]),
        (b"GET http://127.0.0.1/a HTTP/1.0\r\n\r\n", "/a", [b"127.0.0.1"]),
        (b"GET http://localhost?a HTTP/1.1\r\nHost: localhost\r\n\r\n", "/", [b"localhost"]),
        (CHUNKED + b"0\r\nHost: evil.test\r\n\r\n", "/a", [b"localhost"]),
    ],
)
async def test_the_application_sees_the_host_that_counts(request_bytes: bytes, path: str, hosts: list[bytes]) -> None:
    seen = Seen()
    async with serving(seen) as served:
        peer = await served.peer()
        peer.send(request_bytes)

        assert (await peer.answer()).status == 204
    assert seen.heads == [(path, hosts)]


async def test_what_was_asked_before_in_our_name_is_answered_first() -> None:
    seen = Seen()
    async with serving(seen) as served:
        peer = await served.peer()
        peer.send(b"GET /a HTTP/1.1\r\nHost: localhost\r\n\r\nGET /b HTTP/1.1\r\nHost: evil.test\r\n\r\n")

        assert (await peer.answer()).status == 204
        assert await peer.is_cut_off()
    assert [path for path, _ in seen.heads] == ["/a"]


async def test_the_log_names_the_host_that_an_operator_may_have_forgotten(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", "http"):
        async with serving(Seen(), allowed_hosts="api.example.com") as served:
            peer = await served.peer()
            peer.get("/a")
            await peer.answer()

    [line] = [record for record in caplog.records if record.message == "refused"]
    assert (line.__dict__["status"], line.__dict__["host"]) == (421, "localhost")
