"""Attacks on the transport of HTTP: framing, sizes, pipelines, and peers that are slow or silent, that do not read, or
that are many."""

from __future__ import annotations

import asyncio
import socket

from tests.attacks.attack import Attack, Target, graphql, http, post, request, verdict
from tests.chassis.peers import Peer

CUT_OFF_SECONDS = 12
SLOW_PEERS = 40
DEAF_REQUESTS, DEAF_SECONDS = 15, 14
"""The request of a peer that does not read, and how long it does not read: the time after which it must be
disconnected, and the time to answer."""
MALFORMED, HEADERS = "400 MALFORMED", "431 LIMIT_EXCEEDED"
QUERY = b'{"query": "{ __typename }"}'
TYPED, LONG = "Content-Type: application/json", "Content-Length: 9"
SMUGGLED = b"GET /api/pessoas/1/ HTTP/1.1\r\nHost: localhost\r\n\r\n"


def get(*headers: str, target: str = "/api/pessoas/1/") -> bytes:
    return http("GET", target, *headers)


async def ending(peer: Peer) -> str:
    """What a peer receives before it is disconnected, within the time that it has."""
    try:
        async with asyncio.timeout(CUT_OFF_SECONDS):
            said = await peer.reader.read()
    except TimeoutError:
        return f"open after {CUT_OFF_SECONDS} s"
    except ConnectionError:
        said = b""
    return f"{said[9:12].decode()} and cut off" if said else "cut off"


class SlowPeers:
    """Many peers that send `first`, and then a few bytes now and then, or nothing."""

    def __init__(self, first: bytes, drop: bytes = b"", process: str = "gateway") -> None:
        self.first, self.drop, self.process = first, drop, process

    async def __call__(self, target: Target) -> str:
        found = set(await asyncio.gather(*(self._one(target) for _ in range(SLOW_PEERS))))
        if self.drop and len(found) > 1:
            # Bytes that are sent after the 408 reset the connection before all of the answer is read.
            found.discard("cut off")
        return ", ".join(sorted(found))

    async def _one(self, target: Target) -> str:
        peer = await target.peer(self.process)
        peer.send(self.first)
        dripping = asyncio.create_task(self._drip(peer))
        try:
            return await ending(peer)
        finally:
            dripping.cancel()
            peer.hang_up()

    async def _drip(self, peer: Peer) -> None:
        while self.drop:
            await asyncio.sleep(0.5)
            peer.send(self.drop)


async def never_read(target: Target) -> str:
    """Asks for more than any buffer holds and reads none of it; what it can read afterwards must be incomplete."""
    pages = " ".join(
        f"a{n}: solicitacoes(first: 1000) {{ nodes {{ id dataSolicitacao pessoaId }} }}" for n in range(20)
    )
    asked = graphql(f"{{ {pages} }}") * DEAF_REQUESTS

    async def one() -> str:
        loop = asyncio.get_running_loop()
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.bind((target.address, 0))
            deaf.setblocking(False)
            await loop.sock_connect(deaf, ("127.0.0.1", target.port("gateway")))
            await loop.sock_sendall(deaf, asked)
            await asyncio.sleep(DEAF_SECONDS)
            got = 0
            try:
                async with asyncio.timeout(CUT_OFF_SECONDS):
                    while part := await loop.sock_recv(deaf, 1 << 20):
                        got += part.count(b"HTTP/1.1 200")
            except ConnectionError:
                pass
            except TimeoutError:
                return f"open, {got} answers"
        return "cut off" if got < DEAF_REQUESTS else "all was sent"

    return ", ".join(sorted(set(await asyncio.gather(*(one() for _ in range(5))))))


async def pipelined(target: Target) -> str:
    """A thousand requests at once on one connection."""
    peer = await target.peer("pessoas")
    peer.send(get() * 1_000)
    try:
        said = await asyncio.wait_for(peer.reader.read(), CUT_OFF_SECONDS)
    except ConnectionError:
        return "cut off"
    finally:
        peer.hang_up()
    answered = said.count(b"HTTP/1.1 200")
    return f"cut off after {'a few' if 0 < answered <= 20 else answered}"


async def connections(target: Target) -> str:
    """Opens a thousand connections from one address: those beyond its share are refused, and the earlier ones stay
    open."""
    peers = await asyncio.gather(*(target.peer() for _ in range(1_000)))
    answers = [asyncio.create_task(peer.answer()) for peer in peers]
    try:
        told, waiting = await asyncio.wait(answers, timeout=2)
        return ", ".join([f"{len(waiting)} stay", *sorted({verdict(one.result(), b"") for one in told})])
    finally:
        for answer, peer in zip(answers, peers, strict=True):
            answer.cancel()
            peer.hang_up()


async def all_connections(target: Target) -> str:
    """What another client receives while two addresses hold all connections and send nothing."""
    found = set[str]()
    for process in ("gateway", "pessoas"):
        crowd = [await target.peer(process, f"127.0.3.{n}") for n in (1, 2) for _ in range(500)]
        asked = graphql("{ __typename }") if process == "gateway" else get()
        found |= {f"{process} {await target.ask(process, asked)}" for _ in range(ASKED)}
        for peer in crowd:
            peer.hang_up()
    return ", ".join(sorted(found))


HEADS = (128, 64)
"""Requests for all places at work, which two addresses may have together."""
ASKED = 20


async def heads_alone(target: Target) -> str:
    """What another client receives while two addresses have sent many heads and no body."""
    heads = {"gateway": http("POST", "/graphql", TYPED, LONG), "pessoas": http("POST", "/api/pessoas/", TYPED, LONG)}
    found = set[str]()
    for process, head in heads.items():
        crowd = [await target.peer(process, f"127.0.3.{n}") for n, count in enumerate(HEADS, 1) for _ in range(count)]
        for peer in crowd:
            peer.send(head)
        asked = graphql("{ __typename }") if process == "gateway" else get()
        found |= {f"{process} {await target.ask(process, asked)}" for _ in range(ASKED)}
        for peer in crowd:
            peer.hang_up()
    return ", ".join(sorted(found))


async def heavy(target: Target) -> str:
    """Every request is served or refused, and no connection breaks."""
    query = graphql("{ solicitacoes(first: 1000) { nodes { id pessoa { nomePessoa } produto { nomeProduto } } } }")
    return ", ".join(sorted(set(await asyncio.gather(*(target.ask("gateway", query) for _ in range(300))))))


async def hang_up(target: Target) -> str:
    """Sends 500 expensive requests whose clients hang up at once."""
    query = graphql("{ solicitacoes(first: 1000) { nodes { id pessoa { nomePessoa } produto { nomeProduto } } } }")
    for _ in range(500):
        peer = await target.peer()
        peer.send(query)
        await asyncio.sleep(0)
        peer.hang_up()
    return await target.ask("gateway", graphql("{ __typename }"))


CHUNKED = "Transfer-Encoding: chunked"
HALF = http("POST", "/graphql", TYPED, "Content-Length: 1000", body=b"{")

ATTACKS: list[Attack] = [
    # Framing, and ways to hide one request in another (request smuggling).
    request(
        "Content-Length and Transfer-Encoding",
        http("POST", "/graphql", TYPED, "Content-Length: 5", CHUNKED, body=b"0\r\n\r\n" + SMUGGLED),
        MALFORMED,
    ),
    request(
        "two lengths that differ",
        http("POST", "/graphql", TYPED, "Content-Length: 27", "Content-Length: 5", body=QUERY),
        MALFORMED,
    ),
    request(
        "two lengths in one header", http("POST", "/graphql", TYPED, "Content-Length: 27, 27", body=QUERY), MALFORMED
    ),
    request("a length with a sign", http("POST", "/graphql", TYPED, "Content-Length: +27", body=QUERY), MALFORMED),
    request("a negative length", http("POST", "/graphql", TYPED, "Content-Length: -1", body=QUERY), MALFORMED),
    request(
        "a length beyond 64 bits", http("POST", "/graphql", TYPED, "Content-Length: " + "9" * 30, body=QUERY), MALFORMED
    ),
    request(
        "chunked, but not as the last coding",
        http("POST", "/graphql", TYPED, "Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
        MALFORMED,
    ),
    request(
        "an unknown coding",
        http("POST", "/graphql", TYPED, "Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
        MALFORMED,
    ),
    request(
        "a chunk size that is no number", http("POST", "/graphql", TYPED, CHUNKED, body=b"zz\r\n" + QUERY), MALFORMED
    ),
    request(
        "a chunk size beyond 64 bits",
        http("POST", "/graphql", TYPED, CHUNKED, body=b"f" * 20 + b"\r\n" + QUERY),
        MALFORMED,
    ),
    request(
        "a chunk longer than it says",
        http("POST", "/graphql", TYPED, CHUNKED, body=b"1\r\n" + QUERY + b"\r\n0\r\n\r\n"),
        MALFORMED,
    ),
    request(
        "a body in chunks of one byte", http("POST", "/graphql", TYPED, CHUNKED, body=b"1\r\n \r\n" * 20_000), HEADERS
    ),
    request(
        "a chunk extension without end",
        http("POST", "/graphql", TYPED, CHUNKED, body=b"1;" + b"a" * 99_999),
        HEADERS,
    ),
    request(
        "trailers without end", http("POST", "/graphql", TYPED, CHUNKED, body=b"0\r\n" + b"a: b\r\n" * 10_000), HEADERS
    ),
    request("a folded header", get("A: b\r\n c"), MALFORMED, "pessoas"),
    request("a space before the colon", get("Content-Length : 5"), MALFORMED, "pessoas"),
    request("a header without a name", get(": a"), MALFORMED, "pessoas"),
    request("a NUL in a header", get("A: b\0c"), MALFORMED, "pessoas"),
    request("a bare line feed in a header", get("A: b\nHost: evil.test"), MALFORMED, "pessoas"),
    request("a bare carriage return in a header", get("A: b\rX: y"), MALFORMED, "pessoas"),
    request("a NUL in the target", get(target="/api/\0"), MALFORMED, "pessoas"),
    request("no Host", b"GET /api/pessoas/1/ HTTP/1.1\r\n\r\n", MALFORMED, "pessoas"),
    request("two Hosts", get("Host: a", "Host: b"), MALFORMED, "pessoas"),
    request("an invented method", http("STEAL", "/api/pessoas/1/"), MALFORMED, "pessoas"),
    request("a method in lower case", http("get", "/api/pessoas/1/"), MALFORMED, "pessoas"),
    request("CONNECT to elsewhere", http("CONNECT", "evil.test:443"), MALFORMED, "pessoas"),
    request(
        "an absolute target elsewhere", get(target="http://evil.test/api/pessoas/1/"), "421 MISDIRECTED", "pessoas"
    ),
    request("HTTP/2 in the clear", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED, "pessoas"),
    request("HTTP/9.9", b"GET / HTTP/9.9\r\nHost: a\r\n\r\n", MALFORMED, "pessoas"),
    request("HTTP/0.9", b"GET /api/pessoas/1/\r\n\r\n", MALFORMED, "pessoas"),
    request("HTTP/1.0", b"GET /api/pessoas/1/ HTTP/1.0\r\n\r\n", "200", "pessoas"),
    request("TLS where none is", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 400, MALFORMED),
    request(
        "an upgrade to h2c",
        get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"),
        "200",
        "pessoas",
    ),
    # Sizes.
    request("500 headers", get(*(f"X-{n}: a" for n in range(500))), HEADERS, "pessoas"),
    request("a header of 60,000 bytes", get("X: " + "a" * 60_000), HEADERS, "pessoas"),
    request("a target of 60,000 bytes", get(target="/" + "a" * 60_000), "414 LIMIT_EXCEEDED", "pessoas"),
    request("a target of 100,000 bytes that does not end", b"GET /" + b"a" * 100_000, "414 LIMIT_EXCEEDED"),
    request("40,000 bytes of empty lines", b"\r\n" * 20_000 + get(), "200", "pessoas"),
    # Many.
    Attack("1,000 requests at once on a connection", "cut off after a few", pipelined),
    Attack("1,000 connections of one address", "500 stay, 503 UNAVAILABLE", connections, slow=True),
    Attack("all connections, mute, of two addresses", "gateway 200, pessoas 200", all_connections, slow=True),
    Attack("128 and 64 heads of two addresses, and no body", "gateway 200, pessoas 200", heads_alone),
    Attack("300 expensive queries at once", "200, 503 UNAVAILABLE", heavy, slow=True),
    Attack("500 expensive queries whose clients hang up", "200", hang_up, slow=True),
    # Peers that are slow or silent, or that do not read.
    Attack("40 peers who say nothing", "cut off", SlowPeers(b""), slow=True),
    Attack("40 heads in drops", "408 and cut off", SlowPeers(b"GET / HTTP/1.1\r\n", b"a: b\r\n"), slow=True),
    Attack(
        "40 heads in drops to a service",
        "408 and cut off",
        SlowPeers(b"GET / HTTP/1.1\r\n", b"a: b\r\n", "pessoas"),
        slow=True,
    ),
    Attack("40 heads that stop", "408 and cut off", SlowPeers(b"GET / HTTP/1.1\r\nHost:"), slow=True),
    Attack("40 bodies in drops", "408 and cut off", SlowPeers(HALF, b" "), slow=True),
    Attack(
        "40 bodies that stop, at a service",
        "408 and cut off",
        SlowPeers(post("/api/pessoas/", {}, "Content-Length: 99"), process="pessoas"),
        slow=True,
    ),
    Attack("5 peers who ask much and read nothing", "cut off", never_read, slow=True),
]
