"""Builds and runs the stub (stub.c), which takes the place of the four services for every gateway of the benchmark."""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import psutil

from bench import cpu, load
from deploy.postgres import free_ports

SOURCE = Path(__file__).with_name("stub.c")
SERVICES = ("catalogo", "pessoas", "servicos", "solicitacoes")


def compiled(source: Path, program: Path) -> Path:
    """Compiles `source` with the machine's C compiler, or if there is none, with that of the `ziglang` wheel."""
    compiler = [found] if (found := shutil.which("cc")) else [sys.executable, "-m", "ziglang", "cc"]
    subprocess.run([*compiler, "-O2", "-o", program, source], check=True)
    return program


def build(into: Path) -> Path:
    return compiled(SOURCE, into / "stub")


class Stub:
    """The running stub, pinned to `core`; one port for each service."""

    def __init__(self, program: Path, rows: Path, core: int) -> None:
        first = free_ports(len(SERVICES))
        self.ports = dict(zip(SERVICES, range(first, first + len(SERVICES)), strict=True))
        self._command = [program, rows, *map(str, self.ports.values())]
        self._core = core

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._process = stack.enter_context(subprocess.Popen(self._command))
            stack.callback(self._process.terminate)
            self.process = psutil.Process(self._process.pid)
            cpu.pin(self.process, self._core)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def urls(self) -> dict[str, str]:
        """The environment variables with which a gateway finds the services."""
        return {f"{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in self.ports.items()}

    async def calls(self) -> int:
        """How many calls it has answered so far."""
        until = time.monotonic() + 10
        while True:
            try:
                by_kind = json.loads(await load.once(self.ports["pessoas"], load.Request.of("GET", "/calls")))
                return sum(by_kind.values())
            except OSError:  # it is still starting
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(0.05)
