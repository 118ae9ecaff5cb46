"""How the configuration connects to neighbours: https with an authority and a certificate of one's own, a proxy, and
HTTP/2; each over real sockets, by the transport that the configuration chooses."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from chassis.errors import Unavailable
from chassis.neighbours.default_transport import DefaultTransport
from chassis.neighbours.httpx_transport import HttpxTransport
from chassis.neighbours.remote import neighbours
from chassis.settings import NeighbourSettings, faults
from deploy.bootstrap import BIN
from tests.certificates import Authority

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n" + b'{"id": 1}'


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"))


@pytest.fixture(params=["1.1", "2"], ids=["our own client", "httpx2"])
def version(request: pytest.FixtureRequest) -> Any:
    """NEIGHBOUR_HTTP, which decides on the transport; the servers here offer HTTP/1.1 only."""
    return request.param


async def answer_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        try:
            await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            break
        writer.write(ANSWER)
    writer.close()


@asynccontextmanager
async def secure_neighbour(
    authority: Authority, name: str, *addresses: str, client_ca: Path | None = None
) -> AsyncGenerator[int]:
    """The port of an https server with a certificate for this name. It asks for a client's certificate if it is told
    by whom that must be."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.load_cert_chain(*authority.issue(name, *addresses))
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(answer_requests, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def asked(url: str, **settings: Any) -> Any:
    """What a neighbour answers twice: on a new connection, and on the same one again."""
    [asking] = neighbours(
        {"pessoas": url}, NeighbourSettings(retry_budget=0, neighbour_timeout=30, **settings)
    ).values()
    by_httpx2 = bool(settings.get("neighbour_proxy")) or settings.get("neighbour_http") == "2"
    assert isinstance(asking.transport, HttpxTransport if by_httpx2 else DefaultTransport)
    async with asking:
        first = await asking.read("/api/pessoas/1/", orjson.loads)
        assert await asking.read("/api/pessoas/1/", orjson.loads) == first
    return first


async def test_a_neighbour_with_a_certificate_of_our_own_authority_is_trusted(
    authority: Authority, version: str
) -> None:
    async with secure_neighbour(authority, "localhost", "127.0.0.1") as port:
        for host in ("localhost", "127.0.0.1"):
            url = f"https://{host}:{port}"
            assert await asked(url, neighbour_http=version, neighbour_ca=authority.ca) == {"id": 1}


async def test_a_neighbour_whose_certificate_is_not_ours_or_not_its_own_is_not_called(
    authority: Authority, stranger: Authority, version: str
) -> None:
    async with (
        secure_neighbour(authority, "other.test") as other_name,
        secure_neighbour(stranger, "localhost", "127.0.0.1") as untrusted,
        secure_neighbour(authority, "localhost", "127.0.0.1") as private,
    ):
        for port, ca in ((other_name, authority.ca), (untrusted, authority.ca), (private, None)):
            with pytest.raises(Unavailable):
                await asked(f"https://127.0.0.1:{port}", neighbour_http=version, neighbour_ca=ca)


async def test_a_neighbour_that_asks_for_a_certificate_is_shown_ours(
    authority: Authority, stranger: Authority, version: str, tmp_path: Path
) -> None:
    common: dict[str, Any] = {"neighbour_http": version, "neighbour_ca": authority.ca}
    certificate, key = authority.issue("gateway")
    foreign_certificate, foreign_key = stranger.issue("gateway")
    both = tmp_path / "both.pem"
    both.write_bytes(certificate.read_bytes() + key.read_bytes())
    async with secure_neighbour(authority, "localhost", "127.0.0.1", client_ca=authority.ca) as port:
        url = f"https://127.0.0.1:{port}"

        assert await asked(url, neighbour_certificate=certificate, neighbour_key=key, **common) == {"id": 1}
        assert await asked(url, neighbour_certificate=both, **common) == {"id": 1}
        with pytest.raises(Unavailable):
            await asked(url, **common)
        with pytest.raises(Unavailable):
            await asked(url, neighbour_certificate=foreign_certificate, neighbour_key=foreign_key, **common)


# -- proxies -------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def proxy(tls: ssl.SSLContext | None = None) -> AsyncGenerator[tuple[int, list[str]]]:
    """A proxy's port, and the lines of all requests that it has met: it forwards plain requests, and connects to what
    CONNECT names."""
    met: list[str] = []
    pumps: set[asyncio.Task[None]] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            lines = head.decode("latin-1").strip().split("\r\n")
            met.extend(line for line in lines if line.startswith(("CONNECT", "GET", "Proxy-Authorization")))
            if not lines[0].startswith("CONNECT"):
                writer.write(ANSWER)
                continue
            host, _, port = lines[0].split()[1].rpartition(":")
            other_reader, other_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pumps.add(asyncio.create_task(pump(reader, other_writer)))
            await pump(other_reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield server.sockets[0].getsockname()[1], met
    server.close()
    for task in pumps:
        task.cancel()
    await asyncio.gather(*pumps, return_exceptions=True)


async def test_calls_go_through_the_proxy_with_its_password() -> None:
    async with proxy() as (port, met):
        found = await asked("http://pessoas.test:8002", neighbour_proxy=f"http://ana:s3nha@127.0.0.1:{port}")

    assert found == {"id": 1}
    assert (
        met == ["GET http://pessoas.test:8002/api/pessoas/1/ HTTP/1.1", "Proxy-Authorization: Basic YW5hOnMzbmhh"] * 2
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_secure_call_goes_through_the_proxy_in_a_tunnel_of_its_own(authority: Authority, scheme: str) -> None:
    certificate, key = authority.issue("gateway")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.issue("proxy", "127.0.0.1"))
    async with (
        secure_neighbour(authority, "localhost", "127.0.0.1", client_ca=authority.ca) as port,
        proxy(context if scheme == "https" else None) as (proxy_port, met),
    ):
        found = await asked(
            f"https://127.0.0.1:{port}",
            neighbour_proxy=f"{scheme}://127.0.0.1:{proxy_port}",
            neighbour_ca=authority.ca,
            neighbour_certificate=certificate,
            neighbour_key=key,
        )

    assert found == {"id": 1}
    assert met == [f"CONNECT 127.0.0.1:{port} HTTP/1.1"]


async def test_a_proxy_that_cannot_be_reached_or_refuses_makes_its_neighbours_unavailable() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for url in ("http://pessoas.test", "https://pessoas.test"):
        with pytest.raises(Unavailable):
            await asked(url, neighbour_proxy=f"http://127.0.0.1:{port}")
    server.close()
    with pytest.raises(Unavailable):
        await asked("http://pessoas.test", neighbour_proxy=f"http://127.0.0.1:{port}")


async def test_the_usual_variables_for_proxies_do_not_concern_calls_to_neighbours(
    authority: Authority, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are often set for a whole machine, and calls inside of the system must not leave it by accident."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with secure_neighbour(authority, "localhost", "127.0.0.1") as port:
        url = f"https://127.0.0.1:{port}"
        assert await asked(url, neighbour_http=version, neighbour_ca=authority.ca) == {"id": 1}


# -- HTTP/2 --------------------------------------------------------------------------------------------------------

HTTP2_SERVER = """
const [certificate, key] = process.argv.slice(2), fs = require("fs")
const options = {cert: fs.readFileSync(certificate), key: fs.readFileSync(key), allowHTTP1: true}
let connections = 0
const server = require("http2").createSecureServer(options, (request, response) => {
  const body = JSON.stringify({version: request.httpVersion, connections, path: request.url})
  setTimeout(() => response.end(body), 20)
})
server.on("secureConnection", () => { connections += 1 })
server.listen(0, "127.0.0.1", () => console.log(server.address().port))
process.stdin.resume().on("close", () => process.exit())  // also when the test is killed
"""


@pytest_asyncio.fixture
async def http2_url(authority: Authority, tmp_path: Path) -> AsyncGenerator[str]:
    """A server of Node that speaks HTTP/2 and HTTP/1.1."""
    program = tmp_path / "server.js"
    program.write_text(HTTP2_SERVER)
    files = authority.issue("http2", "127.0.0.1")
    process = await asyncio.create_subprocess_exec(
        *(BIN / "node", program, *files), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdin
    assert process.stdout
    async with asyncio.timeout(60):
        port = int(await process.stdout.readline())
    yield f"https://127.0.0.1:{port}"
    process.stdin.close()  # the wheel's node is a program that runs node: a signal would end only the former
    await process.wait()


async def test_http2_is_spoken_only_where_it_is_asked_for(authority: Authority, http2_url: str) -> None:
    common = {"neighbour_ca": authority.ca}

    assert (await asked(http2_url, neighbour_http="2", **common))["version"] == "2.0"
    assert (await asked(http2_url, neighbour_http="1.1", **common))["version"] == "1.1"


async def test_calls_at_the_same_time_share_one_connection_of_http2(authority: Authority, http2_url: str) -> None:
    settings = NeighbourSettings(neighbour_http="2", neighbour_ca=authority.ca, neighbour_timeout=30)
    [asking] = neighbours({"pessoas": http2_url}, settings).values()
    async with asking:
        await asking.read("/first/", orjson.loads)
        found = await asyncio.gather(*(asking.read(f"/{n}/", orjson.loads) for n in range(20)))

    assert [one["path"] for one in found] == [f"/{n}/" for n in range(20)]
    assert {one["connections"] for one in found} == {1}


# -- what is configured --------------------------------------------------------------------------------------------


def test_files_that_cannot_be_used_stop_the_process_by_name(authority: Authority, tmp_path: Path) -> None:
    certificate, key = authority.issue("gateway")
    _, other_key = authority.issue("other")
    locked_certificate, locked_key = authority.issue("locked", password=b"secret")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no PEM")

    def named(**settings: Any) -> list[str]:
        return [line.partition(":")[0] for line in faults(NeighbourSettings, **settings)]

    assert named(neighbour_ca=authority.ca, neighbour_certificate=certificate, neighbour_key=key) == []
    assert named(neighbour_ca=nonsense) == ["NEIGHBOUR_CA"]
    assert named(neighbour_ca=tmp_path / "absent.pem") == ["NEIGHBOUR_CA"]
    assert named(neighbour_certificate=nonsense) == ["NEIGHBOUR_CERTIFICATE"]
    assert named(neighbour_certificate=certificate, neighbour_key=other_key) == ["NEIGHBOUR_CERTIFICATE"]
    assert named(neighbour_certificate=certificate) == ["NEIGHBOUR_CERTIFICATE"], "its key is missing"
    assert named(neighbour_certificate=locked_certificate, neighbour_key=locked_key) == ["NEIGHBOUR_CERTIFICATE"]
    assert named(neighbour_key=key) == ["NEIGHBOUR_CERTIFICATE"]
    assert named(neighbour_proxy="socks5://127.0.0.1:1080") == ["NEIGHBOUR_PROXY"]
    assert named(neighbour_http="3") == ["NEIGHBOUR_HTTP"]
