"""Names of hosts that have several addresses, as an engine of containers knows them: a name server for the edge, and
the same answers for our processes, which ask the operating system."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.postgres import HOST

OF_PROCESSES = """
import json, os, random, socket
from socket import getaddrinfo as ask

names = json.loads(os.environ["ADDRESSES_OF_NAMES"])

def look_up(host, *arguments, **options):
    if isinstance(host, bytes):
        host = host.decode()
    addresses = names.get(host, [host])
    in_any_order = random.sample(addresses, len(addresses))
    return [found for one in in_any_order for found in ask(one, *arguments, **options)]

socket.getaddrinfo = look_up
"""
"""What a Python runs before anything else, if it is called sitecustomize.py and in PYTHONPATH."""


def told_to_processes(folder: Path) -> Path:
    """A folder for the PYTHONPATH of processes that have ADDRESSES_OF_NAMES."""
    (folder / "sitecustomize.py").write_text(OF_PROCESSES)
    return folder


class NameServer:
    """Answers each question for a name's IPv4 addresses over UDP (RFC 1035), and says of other names that they do not
    exist."""

    def __init__(self, names: Mapping[str, Sequence[str]]) -> None:
        self.names = names
        self._socket = socket.socket(type=socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.address = "{}:{}".format(*self._socket.getsockname())
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                question, sender = self._socket.recvfrom(512)
            except OSError:
                return
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, query: bytes) -> bytes:
        labels, at = list[str](), 12
        while length := query[at]:
            labels.append(query[at + 1 : at + 1 + length].decode())
            at += 1 + length
        addresses = self.names.get(".".join(labels), ())
        question = query[12 : at + 5]
        status = 0x8180 if addresses else 0x8183  # an answer, recursion available; or: no such name
        head = query[:2] + status.to_bytes(2) + (1).to_bytes(2) + len(addresses).to_bytes(2) + bytes(4)
        record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04"  # the name of the question, an address, kept 0 s
        return head + question + b"".join(record + socket.inet_aton(one) for one in addresses)
