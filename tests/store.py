"""A real Redis or Valkey, where callers' requests are counted."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from deploy.postgres import HOST, free_ports
from tests.deploy.processes import WAIT_SECONDS

STORE = next(filter(None, map(shutil.which, ("valkey-server", "redis-server"))), None)
with_a_store = pytest.mark.skipif(STORE is None, reason="needs the program valkey-server or redis-server")


class Store:
    """A Redis or Valkey that can be stopped, killed and started again."""

    def __init__(self) -> None:
        self.port = free_ports()
        self.url = f"redis://{HOST}:{self.port}"
        self.start()

    def start(self) -> None:
        assert STORE
        self.process = subprocess.Popen(
            [STORE, "--port", str(self.port), "--bind", HOST, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a share of the CPU of its own: it has 50 ms for each answer
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_SECONDS)
